/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes that arrive long after the timeout, as those of a hung device may. */
#ifndef FERRY_STRAYS_H
#define FERRY_STRAYS_H

#include "base/futex.h"
#include "crew/crew.h"

#define STRAYS_MAX 64

struct stray {
	void *dst;
	uint32_t len_bytes;
	uint64_t due_ns;
};

/* In vault memory. A worker of the crew writes them; without a crew, the next call does. */
struct strays {
	struct crew *crew;
	struct crew_task writer;
	struct futex_lock lock;
	bool posted;  /* at any time */
	bool writing; /* posted, and not yet at the end of the list */
	unsigned int nr;
	struct stray list[STRAYS_MAX];
	uint8_t garbage[PAGE_BYTES];
};

void strays_init(struct strays *strays, struct crew *crew);
/* Returns when all have been written. */
void strays_drain(struct strays *strays);

/* False if there are STRAYS_MAX already. One thread at a time. */
bool strays_add(struct strays *strays, void *dst, uint32_t len_bytes, uint64_t due_ns);

/* Writes those that are due. Returns the due time of the next one; 0: none is left. */
uint64_t strays_write_due(struct strays *strays);

/* Sleeps until due_ns, by a system call without libc. */
void fault_sleep_until(uint64_t due_ns);

#endif
