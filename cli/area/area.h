/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of a wanted folio size on a wanted node, filled with a pattern that can be checked. */
#ifndef MIGBENCH_AREA_H
#define MIGBENCH_AREA_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

enum folio_kind {
	FOLIO_4K,    /* single pages */
	FOLIO_THP,   /* 2 MiB huge pages */
	FOLIO_MTHP,  /* real folios of this size */
	FOLIO_GROUP, /* consecutive 4 KiB pages stand in for a folio of this size */
};

struct area {
	char *base; /* aligned to 2 MiB */
	size_t len_bytes;
	size_t folio_bytes;
	enum folio_kind kind;
	uint64_t nr_folios_elsewhere; /* of this size, on the machine, when it was made */
	void *mapping;
	size_t mapping_bytes;
};

const char *folio_kind_name(enum folio_kind kind);

/*
 * Maps and touches it. node -1: anywhere. kind says what the kernel really gave. 0 or -errno.
 * area_close() takes a zeroed one.
 */
int area_open(struct area *area, size_t len_bytes, size_t folio_bytes, int node);
void area_close(struct area *area);

/* Distance from one address to name to the next, to name each folio (or page) once. */
size_t area_step_bytes(const struct area *area);

/* Have most of its folios been split meanwhile? By what the machine counts: a good guess. */
bool area_came_apart(const struct area *area);

struct mismatch {
	const uint64_t *addr;
	uint64_t expected, found;
};

/* What area_fill() puts into word number index. */
static inline uint64_t area_word(uint64_t seed, size_t index)
{
	return seed ^ (index + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Every word gets a value of its own, made from seed and its place. */
void area_fill(const struct area *area, uint64_t seed);
/* False: the first wrong word is in *bad. */
bool area_check(const struct area *area, uint64_t seed, struct mismatch *bad);

/* "at 0x…: expected …, found …" as an error of migbench. */
void mismatch_report(const char *what, const struct mismatch *bad);

/* 0 … nr-1 in an order that depends on the seed alone. To be freed. */
uint32_t *shuffled(uint32_t nr, uint64_t seed);
uint64_t random_next(uint64_t *state);

#endif
