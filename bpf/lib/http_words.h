/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Eight characters at a time, in user space and in the kernel. A word is little-endian: its lowest
 * byte is the first character. Results have the highest bit of each byte that answers yes.
 *
 * All answers but those of tulle_not_plain are only asked of bytes that are plain, that is below
 * 0x80. A word may reach past these: additions carry upwards, so what follows cannot spoil the
 * bytes before it, and is masked away.
 */
#ifndef TULLE_HTTP_WORDS_H
#define TULLE_HTTP_WORDS_H

#include <stdbool.h>
#include <linux/types.h>

#ifdef __bpf__
#include <linux/bpf.h>
#include <linux/version.h>
#include <bpf/bpf_helpers.h>

/* The kernel's own loop (6.4): its body is verified once, not once a turn. */
struct bpf_iter_num;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/* The headers of kernels that have it define it: Debian 13 does, Debian 12 does not. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));
#endif

static __always_inline void tulle_turns_end(struct bpf_iter_num *it)
{
	bpf_iter_num_destroy(it);
}

/* At most `turns` turns of a loop that leaves by break or return. */
#define TULLE_TURNS(name, turns)                                                                   \
	for (struct bpf_iter_num name __attribute__((aligned(8), cleanup(tulle_turns_end))),       \
	     *name##_begun = (bpf_iter_num_new(&name, 0, (turns)), &name);                         \
	     name##_begun && bpf_iter_num_next(&name);)
#else
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define TULLE_TURNS(name, turns) for (__u32 name = 0; name < (turns); name++)
#endif

/*
 * A loop of at most `steps` turns whose body is small: walked turn by turn by the verifier, and
 * cheaper to run (the kernel's loop costs 10 ns a turn).
 */
#define TULLE_STEPS(name, steps)                                                                   \
	_Pragma("clang loop unroll(disable)") for (__u32 name = 0; name < (steps); name++)

/* The compiler may know a range where the verifier wants to see the mask applied. */
#define TULLE_OPAQUE(number) __asm__ volatile("" : "+r"(number))

#define TULLE_ONES   0x0101010101010101ull
#define TULLE_HIGHS  0x8080808080808080ull
#define TULLE_ALL(c) ((c) * TULLE_ONES)

/* Any offset is safe in a buffer of mask + 1 + 64 bytes; one beyond the mask is never meant. */
static __always_inline __u64 tulle_word(const __u8 *head, __u32 mask, __u32 at)
{
#ifdef __bpf__
	return *(const __u64 *)(head + (at & mask));
#else
	__u64 word;

	__builtin_memcpy(&word, head + (at & mask), sizeof(word));
	return word;
#endif
}

static __always_inline __u8 tulle_byte(const __u8 *head, __u32 mask, __u32 at)
{
	return head[at & mask];
}

/* Bytes that are no plain text (space to tilde). Exact up to the first of them. */
static __always_inline __u64 tulle_not_plain(__u64 word)
{
	return ((word - TULLE_ALL(0x20)) | (word + TULLE_ONES)) & TULLE_HIGHS;
}

static __always_inline __u64 tulle_equal(__u64 word, __u8 c)
{
	return ~((word ^ TULLE_ALL((__u64)c)) + TULLE_ALL(0x7f)) & TULLE_HIGHS;
}

static __always_inline __u64 tulle_between(__u64 word, __u8 first, __u8 last)
{
	return (word + TULLE_ALL((__u64)(0x80 - first))) &
	       ~(word + TULLE_ALL((__u64)(0x7f - last))) & TULLE_HIGHS;
}

static __always_inline __u64 tulle_lower(__u64 word)
{
	return word | TULLE_ALL(0x20);
}

static __always_inline __u64 tulle_letters(__u64 word)
{
	return tulle_between(tulle_lower(word), 'a', 'z');
}

/* Index of the first byte that answered yes; `yes` is not 0. */
static __always_inline __u32 tulle_first(__u64 yes)
{
	return (((((yes & -yes) - 1) & TULLE_ONES) * TULLE_ONES) >> 56) - 1;
}

/* Ones in the first `n` bytes, n 0 to 8. */
static __always_inline __u64 tulle_bytes(__u32 n)
{
	return n >= 8 ? ~0ull : (1ull << (8 * n)) - 1;
}

#endif
