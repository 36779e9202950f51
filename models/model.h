/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the software devices share: random numbers by seed, settings of speed and faults, and copies
 * without libc (its memcpy reads libc's own data, which may be in flight).
 */
#ifndef FERRY_MODEL_H
#define FERRY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

#define MODEL_PPM 1000000U

struct model_prng {
	uint64_t state;
};

/* splitmix64: every seed is as good as any other. */
static inline uint64_t model_random(struct model_prng *prng)
{
	uint64_t z = prng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* The generator for the nth object of a seed, independent of the order of the calls. */
static inline struct model_prng model_prng_for(uint64_t seed, uint64_t nth)
{
	struct model_prng prng = {seed ^ (nth * 0xd1342543de82ef95ULL)};

	model_random(&prng);
	return prng;
}

/* 0 … bound - 1; 0 for bound 0. */
static inline uint64_t model_below(struct model_prng *prng, uint64_t bound)
{
	return bound ? model_random(prng) % bound : 0;
}

/* True in ppm of a million cases. Draws no number if ppm is 0. */
static inline bool model_chance(struct model_prng *prng, uint32_t ppm)
{
	return ppm && model_below(prng, MODEL_PPM) < ppm;
}

/* The speed of the simulated device. */
struct model_speed {
	uint64_t bytes_per_us; /* 0: as fast as this CPU copies; 1 GB/s is 1000 */
	uint64_t latency_ns;   /* from acceptance to completion, at least */
	uint64_t jitter_ns;    /* up to this much more, at random */
};

static inline uint64_t model_transfer_ns(const struct model_speed *speed, uint64_t nr_bytes)
{
	return speed->bytes_per_us ? nr_bytes * 1000 / speed->bytes_per_us : 0;
}

void model_copy(void *dst, const void *src, size_t len_bytes);
void model_fill(void *dst, uint8_t value, size_t len_bytes);

/*
 * Reads the fault rates: "all", "page:20000+hang:5" or "page+retry". A rate is per million
 * descriptors; default_ppm[i] without a number. False if a word is not in names or a rate is bad.
 */
bool model_parse_faults(const char *text, size_t text_len, const char *const *names,
			const uint32_t *default_ppm, unsigned int nr_names, uint32_t *ppm);

#endif
