/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers for tests: the same ones for the same seed. */
#ifndef FERRY_TEST_RANDOM_H
#define FERRY_TEST_RANDOM_H

#include <stdint.h>

/* splitmix64: every seed is a good one, 0 included. */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

#endif
