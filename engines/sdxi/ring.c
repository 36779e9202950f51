// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "engines/sdxi/ring.h"

/* Orders stores as a device sees them; C11 fences order them for CPUs only. */
static inline void device_write_barrier(void)
{
#if defined(__x86_64__)
	__asm__ volatile("" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dmb oshst" ::: "memory");
#endif
}

int sdxi_ring_init(struct sdxi_ring *ring, struct sdxi_desc *descs, uint32_t nr_entries,
		   const uint64_t *read_index, uint64_t *write_index)
{
	if (nr_entries < SDXI_MIN_RING_ENTRIES || nr_entries & (nr_entries - 1))
		return -EINVAL;
	for (uint32_t i = 0; i < nr_entries; i++)
		sdxi_store(&descs[i].qw[0], 0);
	sdxi_store(write_index, 0);
	ring->descs = descs;
	ring->nr_entries = nr_entries;
	ring->read_index = read_index;
	ring->write_index = write_index;
	atomic_store_explicit(&ring->clean_index, 0, memory_order_relaxed);
	atomic_store_explicit(&ring->cleaning, false, memory_order_release);
	return 0;
}

/* Clears valid bits below read, one producer at a time; to the others the ring looks full. */
static uint64_t ring_clean(struct sdxi_ring *ring, uint64_t read)
{
	uint64_t index;

	if (atomic_exchange_explicit(&ring->cleaning, true, memory_order_acquire))
		return atomic_load_explicit(&ring->clean_index, memory_order_acquire);
	index = atomic_load_explicit(&ring->clean_index, memory_order_relaxed);
	while (index < read)
		sdxi_store(&ring->descs[sdxi_ring_slot(ring, index++)].qw[0], 0);
	device_write_barrier();
	atomic_store_explicit(&ring->clean_index, index, memory_order_release);
	atomic_store_explicit(&ring->cleaning, false, memory_order_release);
	return index;
}

/* Signed, because another producer may have moved clean_index past the write index read here. */
static bool ring_fits(const struct sdxi_ring *ring, uint64_t write, uint32_t nr,
		      uint64_t clean_index)
{
	return (int64_t)(write + nr - clean_index) <= (int64_t)ring->nr_entries;
}

int sdxi_ring_reserve(struct sdxi_ring *ring, uint32_t nr, uint64_t *index)
{
	if (nr == 0 || nr > ring->nr_entries)
		return -EINVAL;
	for (;;) {
		/* Read_Index first: it never exceeds a Write_Index that is read later. */
		uint64_t read = sdxi_load(ring->read_index);
		uint64_t clean_index =
			atomic_load_explicit(&ring->clean_index, memory_order_acquire);
		uint64_t write = sdxi_load(ring->write_index);

		if (read > write)
			return -EIO;
		if (!ring_fits(ring, write, nr, clean_index) &&
		    !ring_fits(ring, write, nr, ring_clean(ring, read)))
			return -EBUSY;
		if (__atomic_compare_exchange_n(ring->write_index, &write, write + nr, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
			*index = write;
			return 0;
		}
	}
}

void sdxi_ring_put(struct sdxi_ring *ring, uint64_t index, const struct sdxi_desc *desc)
{
	struct sdxi_desc *slot = &ring->descs[sdxi_ring_slot(ring, index)];

	for (unsigned int i = 1; i < ARRAY_SIZE(slot->qw); i++)
		slot->qw[i] = desc->qw[i];
	device_write_barrier();
	sdxi_store(&slot->qw[0], desc->qw[0] | SDXI_DSC_VL);
}

void sdxi_ring_fill_nops(struct sdxi_ring *ring, uint64_t index, uint32_t nr)
{
	struct sdxi_desc nop;

	sdxi_build_nop(&nop, NULL);
	for (uint32_t i = 0; i < nr; i++)
		sdxi_ring_put(ring, index + i, &nop);
}

void sdxi_ring_doorbell(struct sdxi_ring *ring, uint64_t write_index)
{
	device_write_barrier();
	ring->doorbell(ring->doorbell_arg, write_index);
}
