/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which copy kernel for which kind of copy: a race for each kind, shared by all contexts of the
 * process, so that each finds out only once.
 */
#ifndef FERRY_COPY_CHOICE_H
#define FERRY_COPY_CHOICE_H

#include "copy/race.h"

/* By the size of the folios that are copied. */
enum copy_size { COPY_4K, COPY_64K, COPY_2M, NR_COPY_SIZES };

struct copy_kind {
	enum copy_size size;
	bool with_others; /* other threads copy at the same time */
	bool other_node;  /* source and destination are on different nodes */
};

static inline enum copy_size copy_size_of(uint32_t folio_bytes)
{
	return folio_bytes < 64U << 10 ? COPY_4K : folio_bytes < HUGE_BYTES ? COPY_64K : COPY_2M;
}

struct copy_choice;

/*
 * The choice of this process, in vault memory that is never freed. NULL: no memory, or times mean
 * nothing here (emulators, sanitizers); the default then stands.
 */
struct copy_choice *copy_choice_get(void);

struct copy_race *copy_choice_race(struct copy_choice *choice, const struct copy_kind *kind);

/* Calls fn for each kind that is decided. */
void copy_choice_report(struct copy_choice *choice,
			void (*fn)(void *arg, const struct copy_kind *kind,
				   const struct copy_kernel *kernel, uint32_t ns_per_mib),
			void *arg);

#endif
