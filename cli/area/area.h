/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of a given folio size on a given node, filled with a pattern that can be checked. */
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
	uint64_t nr_folios_before; /* of this size, on the machine, when the area was made */
	void *mapping;
	size_t mapping_bytes;
};

const char *folio_kind_name(enum folio_kind kind);

/*
 * Maps the memory and touches it. node -1: any node. kind is what the kernel really allocated.
 * Returns 0 or -errno. area_close() accepts a zeroed area.
 */
int area_open(struct area *area, size_t len_bytes, size_t folio_bytes, int node);
void area_close(struct area *area);

/* The distance between addresses that name each folio (of a group: each page) once. */
size_t area_step_bytes(const struct area *area);

/* Has the kernel split most of its folios? An estimate from the machine's folio counters. */
bool area_is_split(const struct area *area);

struct mismatch {
	const uint64_t *addr;
	uint64_t expected, found;
};

/* What area_fill() stores in word number index. */
static inline uint64_t area_word(uint64_t seed, size_t index)
{
	return seed ^ (index + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Gives every word a value of its own, computed from seed and index. */
void area_fill(const struct area *area, uint64_t seed);
/* False: *bad is the first wrong word. */
bool area_check(const struct area *area, uint64_t seed, struct mismatch *bad);

/* Prints "what: at 0x…: expected …, found …" as an error. */
void mismatch_report(const char *what, const struct mismatch *bad);

uint64_t random_next(uint64_t *state);
/* 0 … nr-1 in an order that only the seed determines. The caller frees it. */
uint32_t *random_order(uint32_t nr, uint64_t seed);

#endif
