// SPDX-License-Identifier: LGPL-2.1-or-later
/* The producer side of the ring; the test acts as the function. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engines/sdxi/ring.h"

#define ENTRIES 1024

static struct sdxi_desc descs[ENTRIES];
static uint64_t read_index, write_index, rung;
static struct sdxi_ring ring;

static void ring_doorbell(void *arg __maybe_unused, uint64_t index)
{
	rung = index;
}

static void setup(void)
{
	memset(descs, 0xff, sizeof(descs));
	read_index = 0;
	write_index = 99;
	ring.doorbell = ring_doorbell;
	cr_assert_eq(sdxi_ring_init(&ring, descs, ENTRIES, &read_index, &write_index), 0);
}
TestSuite(sdxi_ring, .init = setup);

static bool slot_is_valid(uint64_t index)
{
	return descs[index % ENTRIES].qw[0] & SDXI_DSC_VL;
}

Test(sdxi_ring, starts_empty_with_nothing_valid)
{
	cr_expect_eq(write_index, 0);
	for (unsigned int i = 0; i < ENTRIES; i++)
		cr_expect_not(slot_is_valid(i));
}

Test(sdxi_ring, refuses_sizes_the_specification_or_the_mask_forbid)
{
	cr_expect_eq(sdxi_ring_init(&ring, descs, 512, &read_index, &write_index), -EINVAL);
	cr_expect_eq(sdxi_ring_init(&ring, descs, 1025, &read_index, &write_index), -EINVAL);
}

Test(sdxi_ring, put_publishes_the_descriptor)
{
	struct sdxi_desc desc;
	uint64_t index;

	sdxi_build_copy(&desc, 0x1000, 1, 0x2000, 1, 4096, NULL);
	cr_assert_eq(sdxi_ring_reserve(&ring, 1, &index), 0);
	cr_expect_eq(index, 0);
	cr_expect_eq(write_index, 1);
	cr_expect_not(slot_is_valid(0));
	sdxi_ring_put(&ring, index, &desc);
	cr_expect(slot_is_valid(0));
	desc.generic.opcode |= SDXI_DSC_VL;
	cr_expect_arr_eq(&descs[0], &desc, sizeof(desc));
	cr_expect_eq(rung, 0);
	sdxi_ring_doorbell(&ring, 1);
	cr_expect_eq(rung, 1);
}

Test(sdxi_ring, full_ring_is_busy_until_the_function_reads)
{
	uint64_t index;

	cr_expect_eq(sdxi_ring_reserve(&ring, 0, &index), -EINVAL);
	cr_expect_eq(sdxi_ring_reserve(&ring, ENTRIES + 1, &index), -EINVAL);
	cr_assert_eq(sdxi_ring_reserve(&ring, ENTRIES, &index), 0);
	cr_expect_eq(sdxi_ring_reserve(&ring, 1, &index), -EBUSY);
	cr_expect_eq(write_index, ENTRIES, "a refused reservation takes nothing");
	read_index = 3;
	cr_expect_eq(sdxi_ring_reserve(&ring, 4, &index), -EBUSY);
	cr_expect_eq(sdxi_ring_reserve(&ring, 3, &index), 0);
	cr_expect_eq(index, ENTRIES);
}

Test(sdxi_ring, read_index_beyond_write_index_is_an_error)
{
	uint64_t index;

	read_index = 1;
	cr_expect_eq(sdxi_ring_reserve(&ring, 1, &index), -EIO);
}

/* This function never clears valid bits. */
Test(sdxi_ring, slots_are_not_valid_when_reserved_again)
{
	uint64_t index;

	for (unsigned int lap = 0; lap < 3; lap++) {
		for (unsigned int i = 0; i < ENTRIES; i += 16) {
			cr_assert_eq(sdxi_ring_reserve(&ring, 16, &index), 0);
			for (unsigned int k = 0; k < 16; k++)
				cr_assert_not(slot_is_valid(index + k), "stale at %lu", index + k);
			sdxi_ring_fill_nops(&ring, index, 16);
			read_index = write_index;
		}
	}
	cr_expect_eq(write_index, 3 * ENTRIES, "indexes never wrap");
}

Test(sdxi_ring, aborted_reservations_become_nops)
{
	struct sdxi_desc nop;
	uint64_t index;

	sdxi_build_nop(&nop, NULL);
	nop.generic.opcode |= SDXI_DSC_VL;
	cr_assert_eq(sdxi_ring_reserve(&ring, 5, &index), 0);
	sdxi_ring_fill_nops(&ring, index, 5);
	for (unsigned int i = 0; i < 5; i++)
		cr_expect_arr_eq(&descs[i], &nop, sizeof(nop));
	cr_expect_not(slot_is_valid(5));
}
