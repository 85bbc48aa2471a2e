/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Leases: connections of the proxy to a server that a client's connection may use meanwhile.
 *
 * Who owns a lease is told by its word alone, and every change of it is a compare-and-swap, so the
 * proxy's TAKE and the programs of both ends never both succeed. HELD -> SENT comes with fields
 * that must be written by then and by nobody else: that step and the ones to PROXY exclude each
 * other. The word has the sequence of the offer in it: whoever remembers a lease of an earlier
 * offer fails, even if the state is the same. (It has 16 bits; holders compare the full 32-bit
 * generation first, so that a swap could only go wrong if the lease were taken back and offered
 * 65,536 times between these two instructions.)
 *
 * Pools. The bit of a lease in `idle` is set after its word became POOLED, by whoever did that;
 * who clears it may try to make it HELD. A bit without a POOLED lease behind it does no harm (the
 * swap fails and the bit is gone), a POOLED lease without a bit exists only while somebody is
 * between these two steps. `used` bits are cleared by whoever made the lease the proxy's, after the
 * idle bit, so a slot is given to another lease only when nothing names the old one.
 */
#ifndef TULLE_HTTP_LEASE_H
#define TULLE_HTTP_LEASE_H

#include "http_maps.h"
#include "mesh.h"

/* How often a change is tried again after another one came between; each try needs one more. */
#define TULLE_LEASE_TRIES 16

/* Idle leases that are looked at before a pool counts as empty. */
#define TULLE_POOL_TRIES 4

static __always_inline bool tulle_swap(__u64 *word, __u64 from, __u64 to)
{
	return __sync_val_compare_and_swap(word, from, to) == from;
}

static __always_inline __u64 tulle_load(const __u64 *word)
{
	return *(const volatile __u64 *)word;
}

/* The lease that a handle names, NULL if that offer is over. */
static __always_inline struct tulle_lease *tulle_lease_of(__u64 handle)
{
	__u32 id = (__u32)handle - 1;
	struct tulle_lease *lease = bpf_map_lookup_elem(&tulle_leases, &id);

	if (!lease || lease->generation != (__u32)(handle >> 32))
		return NULL;
	return lease;
}

static __always_inline __u64 tulle_lease_word(__u64 handle, __u32 state)
{
	return TULLE_LEASE_BITS(state) | TULLE_LEASE_OFFER(handle >> 32);
}

static __always_inline struct tulle_http_pool *tulle_pool_of(__u32 number, __u32 loop)
{
	struct tulle_http_pool_key key = {.pool = number, .loop = loop};

	return bpf_map_lookup_elem(&tulle_http_pools, &key);
}

static __always_inline void tulle_pool_leave(__u32 number, __u32 loop, __u32 slot, bool active)
{
	struct tulle_http_pool *pool = tulle_pool_of(number, loop);
	__u32 word = (slot / 64) % TULLE_HTTP_POOL_WORDS;
	__u64 bit = 1ull << (slot % 64);

	if (!pool)
		return;
	if (active)
		__sync_fetch_and_add(&pool->active, -1);
	__sync_fetch_and_and(&pool->idle[word], ~bit);
	__sync_fetch_and_and(&pool->used[word], ~bit);
}

/* A request of the pool begins (1) or ends (-1). */
static __always_inline void tulle_pool_active(const struct tulle_lease *lease, int more)
{
	struct tulle_http_pool *pool = tulle_pool_of(lease->pool, lease->loop);

	if (pool)
		__sync_fetch_and_add(&pool->active, more);
}

/* Is a request under way on a lease in this state? */
static __always_inline bool tulle_lease_busy(__u32 state)
{
	return state == TULLE_LEASE_SENT || state == TULLE_LEASE_ANSWER ||
	       state == TULLE_LEASE_BODY;
}

/* Any of `states` -> PROXY. Returns the word that it was, 0 if it was in none of them. */
static __always_inline __u64 tulle_lease_take(struct tulle_lease *lease, __u32 states)
{
	__u32 pool, loop, slot, state;
	bool counted, taken = false;
	__u64 word = 0;

	bpf_spin_lock(&lease->lock);
	/* Read before the lease is free to be offered again. */
	pool = lease->pool;
	loop = lease->loop;
	slot = lease->slot;
	counted = lease->counted;
	for (int i = 0; i < TULLE_LEASE_TRIES && !taken; i++) {
		word = tulle_load(&lease->word);
		state = TULLE_LEASE_STATE(word);
		if (state == TULLE_LEASE_PROXY || !(states & (1u << state)))
			break;
		taken = tulle_swap(&lease->word, word,
				   TULLE_LEASE_STATES(word) | TULLE_LEASE_WAS(state));
	}
	bpf_spin_unlock(&lease->lock);
	if (!taken)
		return 0;
	state = TULLE_LEASE_STATE(word);
	tulle_pool_leave(pool, loop, slot, counted && tulle_lease_busy(state));
	return word;
}

/* Index of the only bit that is set: the number of bits below it. */
static __always_inline __u32 tulle_bit_index(__u64 bit)
{
	__u64 ones = bit - 1;

	ones -= ones >> 1 & 0x5555555555555555ull;
	ones = (ones & 0x3333333333333333ull) + (ones >> 2 & 0x3333333333333333ull);
	ones = (ones + (ones >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return ones * 0x0101010101010101ull >> 56;
}

/*
 * An idle lease, now HELD; 0: none. As some others not inlined and not static: the verifier walks
 * such a function once, not once for every way that leads to it.
 */
__noinline __u64 tulle_pool_pop(struct tulle_http_pool *pool)
{
	__u32 word;

	if (!pool)
		return 0;
	word = *(volatile __u32 *)&pool->zero % TULLE_HTTP_POOL_WORDS;
	TULLE_TURNS(pop, TULLE_HTTP_POOL_WORDS + TULLE_POOL_TRIES)
	{
		struct tulle_lease *lease;
		__u64 bits = tulle_load(&pool->idle[word]), bit = bits & -bits, handle;

		if (!bits) {
			word = (word + 1) % TULLE_HTTP_POOL_WORDS;
			continue;
		}
		if (!(__sync_fetch_and_and(&pool->idle[word], ~bit) & bit))
			continue;
		handle = tulle_load(
			&pool->lease[(word * 64 + tulle_bit_index(bit)) % TULLE_HTTP_POOL]);
		lease = tulle_lease_of(handle);
		if (lease && tulle_swap(&lease->word, tulle_lease_word(handle, TULLE_LEASE_POOLED),
					tulle_lease_word(handle, TULLE_LEASE_HELD)))
			return handle;
	}
	return 0;
}

/* HELD -> POOLED, if it is still held. */
static __always_inline void tulle_lease_return(__u64 handle)
{
	struct tulle_lease *lease = tulle_lease_of(handle);
	struct tulle_http_pool *pool;
	__u32 slot;

	if (!lease)
		return;
	pool = tulle_pool_of(lease->pool, lease->loop);
	slot = lease->slot;
	if (!pool || !tulle_swap(&lease->word, tulle_lease_word(handle, TULLE_LEASE_HELD),
				 tulle_lease_word(handle, TULLE_LEASE_POOLED)))
		return;
	__sync_fetch_and_or(&pool->idle[(slot / 64) % TULLE_HTTP_POOL_WORDS], 1ull << (slot % 64));
}

/* A slot of a pool for a lease that is about to be offered; -1: none. */
static __always_inline int tulle_pool_enter(struct tulle_http_pool *pool)
{
	for (int i = 0; i < 2 * TULLE_HTTP_POOL_WORDS; i++) {
		__u32 word = i % TULLE_HTTP_POOL_WORDS;
		__u64 bits = ~tulle_load(&pool->used[word]), bit = bits & -bits;

		if (bit && !(__sync_fetch_and_or(&pool->used[word], bit) & bit))
			return word * 64 + tulle_bit_index(bit);
	}
	return -1;
}

#endif
