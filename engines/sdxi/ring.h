/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The producer side of an SDXI descriptor ring.
 *
 * Indexes are 64 bits wide and never wrap; a slot is index modulo the ring's size.
 *
 *	clean ≤ Read_Index ≤ Write_Index ≤ clean + entries
 *	  │         │            └ next slot to reserve; producers advance it by compare-and-swap
 *	  │         └ the function has read every descriptor below; they may still be running
 *	  └ slots below have their valid bit cleared and may be reserved again
 *
 * The function may read a slot as soon as it is reserved, before its producer has written it. The
 *slot must not look valid then, so producers clear it before it can be reserved again, whether or
 *not the function clears valid bits.
 *
 * Thread-safe: any number of producers. Nothing here blocks, allocates or calls libc.
 */
#ifndef FERRY_SDXI_RING_H
#define FERRY_SDXI_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "hw/sdxi/layout.h"

struct sdxi_ring {
	struct sdxi_desc *descs;
	uint32_t nr_entries;
	const uint64_t *read_index; /* in CXT_STS */
	uint64_t *write_index;
	void (*doorbell)(void *arg, uint64_t write_index);
	void *doorbell_arg;

	_Atomic uint64_t clean_index;
	atomic_bool cleaning;
};

/*
 * Access to words shared with the function. Acquire and release suffice: the ring is in coherent
 * memory, and sdxi_ring_doorbell() orders the doorbell.
 */
static inline uint64_t sdxi_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void sdxi_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/*
 * Clears valid bits and write index. The context must not be running. nr_entries: a power of two,
 * at least SDXI_MIN_RING_ENTRIES; else -EINVAL.
 */
int __must_check sdxi_ring_init(struct sdxi_ring *ring, struct sdxi_desc *descs,
				uint32_t nr_entries, const uint64_t *read_index,
				uint64_t *write_index);

/*
 * Reserves nr consecutive slots from *index on. The caller must then fill each of them, with
 * sdxi_ring_put() or sdxi_ring_fill_nops(), or the ring stops there.
 * 0; -EBUSY ring full, try again; -EIO the read index is beyond the write index;
 * -EINVAL nr is 0 or more than the ring holds.
 */
int __must_check sdxi_ring_reserve(struct sdxi_ring *ring, uint32_t nr, uint64_t *index);

/* Writes desc to a reserved slot, the valid bit last. */
void sdxi_ring_put(struct sdxi_ring *ring, uint64_t index, const struct sdxi_desc *desc);

/* Fills reserved slots that are not needed. */
void sdxi_ring_fill_nops(struct sdxi_ring *ring, uint64_t index, uint32_t nr);

/* Tells the function to read up to write_index. Producers may ring in any order. */
void sdxi_ring_doorbell(struct sdxi_ring *ring, uint64_t write_index);

static inline uint32_t sdxi_ring_slot(const struct sdxi_ring *ring, uint64_t index)
{
	return (uint32_t)index & (ring->nr_entries - 1);
}

#endif
