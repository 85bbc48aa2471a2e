/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ends of a test agree on: the bytes that fill a body, made from a seed so that a byte of
 * another answer, a lost one or a doubled one is seen where it happens; and a checksum.
 */
#ifndef TULLE_EQUALITY_PATTERN_H
#define TULLE_EQUALITY_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define SUM_START 0xcbf29ce484222325ull

static inline uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Fills with bytes at, at + 1 … of the pattern of a seed. */
static inline void pattern_fill(uint8_t *to, uint64_t seed, uint64_t at, size_t length)
{
	size_t i = 0;

	while (i < length) {
		uint64_t word = mix(seed ^ (at >> 3));
		size_t from = at & 7, n = 8 - from;

		if (n > length - i)
			n = length - i;
		memcpy(to + i, (uint8_t *)&word + from, n);
		i += n;
		at += n;
	}
}

/* 1 when the bytes are those of the pattern. */
static inline int pattern_is(const uint8_t *bytes, uint64_t seed, uint64_t at, size_t length)
{
	uint8_t want[512];

	while (length > 0) {
		size_t n = length < sizeof(want) ? length : sizeof(want);

		pattern_fill(want, seed, at, n);
		if (memcmp(bytes, want, n) != 0)
			return 0;
		bytes += n;
		at += n;
		length -= n;
	}
	return 1;
}

static inline uint64_t sum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3ull;
	return sum;
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

#endif
