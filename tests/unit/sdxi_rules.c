// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Breaks every rule of the specification on purpose: the model must report it by name, and must
 * accept what is allowed. The model executes inside the doorbell, so each test has one thread and
 * one order of events.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engines/sdxi/ring.h"
#include "models/sdxi/model.h"

#define ENTRIES 1024
#define BYTES   4096

static struct {
	struct sdxi_desc descs[ENTRIES];
	struct sdxi_cst_blk csbs[16];
	struct sdxi_akey_ent akeys[256] __attribute__((aligned(4096)));
	struct sdxi_cxt_l1_ent l1;
	struct sdxi_cxt_ctl ctl;
	struct sdxi_cxt_sts sts;
	uint64_t write_index;
	uint8_t src[BYTES], dst[BYTES], third[BYTES];
} m;

static struct sdxi_model *model;
static struct sdxi_model_context *cxt;
static struct sdxi_ring ring;

static void ring_doorbell(void *arg __maybe_unused, uint64_t index)
{
	sdxi_model_doorbell(cxt, index);
}

static uint64_t address_of(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void describe_context(void)
{
	memset(&m, 0, sizeof(m));
	m.ctl.ds_ring_ptr = address_of(m.descs) | SDXI_CXT_CTL_VL;
	m.ctl.ds_ring_sz = ENTRIES;
	m.ctl.cxt_sts_ptr = address_of(&m.sts);
	m.ctl.write_index_ptr = address_of(&m.write_index);
	m.l1.cxt_ctl_ptr = address_of(&m.ctl) | SDXI_L1_VL;
	m.l1.akey_ptr = address_of(m.akeys);
	m.akeys[1].intr_num = SDXI_AKEY_VL;
	m.akeys[2].intr_num = SDXI_AKEY_VL | SDXI_AKEY_IV | 5 << SDXI_AKEY_INTR_SHIFT;
	for (unsigned int i = 0; i < BYTES; i++)
		m.src[i] = (uint8_t)(i * 7 + 1);
}

static void open_model(enum sdxi_fault fault, bool faulty)
{
	struct sdxi_model_config config = {.seed = 1};

	if (faulty)
		config.fault_ppm[fault] = MODEL_PPM;
	describe_context();
	cr_assert_eq(sdxi_model_open(&config, &model), 0);
	cr_assert_eq(sdxi_model_start(model, &m.l1, &cxt), 0);
	ring.doorbell = ring_doorbell;
	cr_assert_eq(sdxi_ring_init(&ring, m.descs, ENTRIES, &m.sts.read_index, &m.write_index), 0);
}

static void setup(void)
{
	open_model(0, false);
}

static void teardown(void)
{
	sdxi_model_close(model);
}
TestSuite(sdxi_rules, .init = setup, .fini = teardown);

/* A correct descriptor, for tests that spoil one field. */
static struct sdxi_desc good_copy(unsigned int csb)
{
	struct sdxi_desc desc;

	m.csbs[csb].signal = 1;
	sdxi_build_copy(&desc, address_of(m.dst), 1, address_of(m.src), 1, BYTES, &m.csbs[csb]);
	return desc;
}

static void ring_put(const struct sdxi_desc *desc)
{
	uint64_t index;

	cr_assert_eq(sdxi_ring_reserve(&ring, 1, &index), 0);
	sdxi_ring_put(&ring, index, desc);
}

static void ring_send(const struct sdxi_desc *desc)
{
	ring_put(desc);
	sdxi_ring_doorbell(&ring, m.write_index);
}

static uint64_t count_breaches(enum sdxi_rule rule)
{
	struct sdxi_model_stats stats;

	sdxi_model_stats(model, &stats);
	cr_expect_eq(stats.nr_breaches, stats.breaches[rule], "another rule than %s was broken too",
		     sdxi_rule_name(rule));
	return stats.breaches[rule];
}

static void expect_breach(enum sdxi_rule rule)
{
	cr_expect_eq(count_breaches(rule), 1, "%s: %lu times", sdxi_rule_name(rule),
		     (unsigned long)count_breaches(rule));
	cr_expect_eq(m.sts.state, SDXI_CXT_ERR_FN, "the context did not stop");
}

static void expect_refused(const struct sdxi_desc *desc, enum sdxi_rule rule)
{
	ring_send(desc);
	expect_breach(rule);
	for (unsigned int i = 0; i < BYTES; i++)
		cr_assert_eq(m.dst[i], 0, "something was copied");
}

Test(sdxi_rules, a_good_copy_breaks_none)
{
	struct sdxi_desc desc = good_copy(0);

	ring_send(&desc);
	cr_expect_eq(count_breaches(SDXI_RULE_NONE), 0);
	cr_expect_eq(m.csbs[0].signal, 0);
	cr_expect_eq(m.csbs[0].flags, 0);
	cr_expect_eq(m.sts.read_index, 1);
	cr_expect_eq(m.sts.state, SDXI_CXT_RUN);
	cr_expect_arr_eq(m.dst, m.src, BYTES);
}

Test(sdxi_rules, every_kind_that_is_allowed)
{
	struct sdxi_desc desc;
	struct sdxi_model_stats stats;

	m.csbs[0].signal = 3;
	sdxi_build_nop(&desc, &m.csbs[0]);
	ring_send(&desc);
	sdxi_build_wrt_imm(&desc, address_of(m.dst + 100), 1, "0123456789abcdef0123456789ABCDEF",
			   32, &m.csbs[0]);
	ring_send(&desc);
	sdxi_build_intr(&desc, 2, &m.csbs[0]);
	sdxi_set_fence(&desc);
	ring_send(&desc);
	sdxi_model_stats(model, &stats);
	cr_expect_eq(stats.nr_breaches, 0);
	cr_expect_eq(stats.interrupts, 1);
	cr_expect_eq(m.csbs[0].signal, 0, "one block counted down by three");
	cr_expect_arr_eq(m.dst + 100, "0123456789abcdef0123456789ABCDEF", 32);
	cr_expect_eq(m.dst[99] | m.dst[132], 0);
}

Test(sdxi_rules, context)
{
	struct sdxi_model_context *other;
	const struct {
		void *at;
		uint64_t spoil;
	} bad[] = {
		{&m.l1.cxt_ctl_ptr, 1},      {&m.l1.cxt_ctl_ptr, 8}, {&m.l1.akey_ptr, 0x10},
		{&m.l1.misc0, 1U << 24},     {&m.l1.rsvd_0, 1},      {&m.ctl.ds_ring_ptr, 1},
		{&m.ctl.ds_ring_ptr, 2},     {&m.ctl.rsvd_1, 1},     {&m.ctl.cxt_sts_ptr, 8},
		{&m.ctl.write_index_ptr, 4},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		*(uint32_t *)bad[i].at ^= (uint32_t)bad[i].spoil;
		cr_expect_eq(sdxi_model_start(model, &m.l1, &other), -EINVAL, "case %u passed", i);
		*(uint32_t *)bad[i].at ^= (uint32_t)bad[i].spoil;
		cr_expect_eq(count_breaches(SDXI_RULE_CONTEXT), i + 1);
	}
	m.ctl.ds_ring_sz = 1023;
	cr_expect_eq(sdxi_model_start(model, &m.l1, &other), -EINVAL);
}

Test(sdxi_rules, opcode_unknown)
{
	struct sdxi_desc desc = good_copy(0);

	desc.generic.opcode = SDXI_OPCODE(0x7ff, 0);
	expect_refused(&desc, SDXI_RULE_OPCODE);
	cr_expect_eq(m.csbs[0].flags, SDXI_CST_BLK_ER);
}

Test(sdxi_rules, opcode_admin_in_a_user_context)
{
	struct sdxi_desc desc = good_copy(0);

	desc.generic.opcode = SDXI_OP_CXT_STOP;
	expect_refused(&desc, SDXI_RULE_OPCODE);
}

Test(sdxi_rules, reserved_opcode_bits)
{
	struct sdxi_desc desc = good_copy(0);

	desc.generic.opcode |= 1U << 27;
	expect_refused(&desc, SDXI_RULE_RESERVED);
}

Test(sdxi_rules, reserved_low_bits)
{
	struct sdxi_desc desc = good_copy(0);

	desc.generic.opcode |= 1U << 6;
	expect_refused(&desc, SDXI_RULE_RESERVED);
}

Test(sdxi_rules, reserved_bytes_of_copy)
{
	struct sdxi_desc desc = good_copy(0);

	desc.copy.rsvd_1[23] = 1;
	expect_refused(&desc, SDXI_RULE_RESERVED);
}

Test(sdxi_rules, reserved_bytes_of_nop)
{
	struct sdxi_desc desc;

	sdxi_build_nop(&desc, NULL);
	desc.generic.body[51] = 1;
	expect_refused(&desc, SDXI_RULE_RESERVED);
}

Test(sdxi_rules, reserved_bytes_of_intr)
{
	struct sdxi_desc desc;

	sdxi_build_intr(&desc, 2, NULL);
	desc.intr.rsvd_1[0] = 1;
	expect_refused(&desc, SDXI_RULE_RESERVED);
}

Test(sdxi_rules, reserved_tail_of_wrt_imm)
{
	struct sdxi_desc desc;

	sdxi_build_wrt_imm(&desc, address_of(m.dst), 1, "abcd", 4, NULL);
	desc.wrt_imm.data[4] = 1;
	expect_refused(&desc, SDXI_RULE_RESERVED);
}

Test(sdxi_rules, size_beyond_max_buffer)
{
	struct sdxi_desc desc;

	/* max_buffer 0: 2 MiB; the buffers do not overlap, so that no other rule is broken */
	sdxi_build_copy(&desc, 1ULL << 40, 1, 1ULL << 41, 1, (2UL << 20) + 1, NULL);
	expect_refused(&desc, SDXI_RULE_SIZE);
}

Test(sdxi_rules, size_of_wrt_imm)
{
	struct sdxi_desc desc;

	sdxi_build_wrt_imm(&desc, address_of(m.dst), 1, "abcd", 4, NULL);
	desc.wrt_imm.size = 32;
	expect_refused(&desc, SDXI_RULE_SIZE);
}

Test(sdxi_rules, overlap_of_source_and_destination)
{
	struct sdxi_desc desc = good_copy(0);

	desc.copy.addr0 = address_of(m.dst) + BYTES - 1;
	expect_refused(&desc, SDXI_RULE_OVERLAP);
}

Test(sdxi_rules, overlap_of_destination_and_block)
{
	struct sdxi_desc desc = good_copy(0);

	desc.copy.addr1 = address_of(&m.csbs[0]) + 31;
	expect_refused(&desc, SDXI_RULE_OVERLAP);
}

Test(sdxi_rules, overlap_of_source_and_block)
{
	struct sdxi_desc desc = good_copy(0);

	desc.copy.addr0 = address_of(&m.csbs[0]) - BYTES + 1;
	desc.copy.addr1 = 1ULL << 40;
	expect_refused(&desc, SDXI_RULE_OVERLAP);
}

Test(sdxi_rules, block_misaligned)
{
	struct sdxi_desc desc = good_copy(0);

	desc.generic.csb_ptr += 16;
	expect_refused(&desc, SDXI_RULE_CSB_POINTER);
}

Test(sdxi_rules, block_given_and_declined)
{
	struct sdxi_desc desc = good_copy(0);

	desc.generic.csb_ptr |= SDXI_CSB_NP;
	expect_refused(&desc, SDXI_RULE_CSB_POINTER);
}

Test(sdxi_rules, block_missing)
{
	struct sdxi_desc desc = good_copy(0);

	desc.generic.csb_ptr = 0;
	expect_refused(&desc, SDXI_RULE_CSB_POINTER);
}

Test(sdxi_rules, block_reserved)
{
	struct sdxi_desc desc = good_copy(0);

	m.csbs[0].rsvd_0[19] = 1;
	expect_refused(&desc, SDXI_RULE_CSB_RESERVED);
}

Test(sdxi_rules, block_not_armed)
{
	struct sdxi_desc desc = good_copy(0);

	m.csbs[0].signal = 0;
	expect_refused(&desc, SDXI_RULE_CSB_SIGNAL);
}

/* As a stale valid bit of the previous lap would. */
Test(sdxi_rules, block_counted_below_zero)
{
	struct sdxi_desc desc = good_copy(0);

	ring_send(&desc);
	ring_send(&desc);
	expect_breach(SDXI_RULE_CSB_SIGNAL);
}

Test(sdxi_rules, akey_invalid)
{
	struct sdxi_desc desc = good_copy(0);

	desc.copy.akey0 = 0;
	expect_refused(&desc, SDXI_RULE_AKEY);
}

Test(sdxi_rules, akey_beyond_the_table)
{
	struct sdxi_desc desc = good_copy(0);

	desc.copy.akey1 = 256;
	expect_refused(&desc, SDXI_RULE_AKEY);
}

Test(sdxi_rules, akey_without_interrupt)
{
	struct sdxi_desc desc;

	sdxi_build_intr(&desc, 1, NULL);
	expect_refused(&desc, SDXI_RULE_AKEY);
}

Test(sdxi_rules, akey_reserved)
{
	struct sdxi_desc desc = good_copy(0);

	m.akeys[1].rsvd_1[1] = 1;
	expect_refused(&desc, SDXI_RULE_AKEY);
}

Test(sdxi_rules, write_index_falls)
{
	struct sdxi_desc desc = good_copy(0);

	ring_send(&desc);
	m.write_index = 0;
	sdxi_model_doorbell(cxt, 0);
	expect_breach(SDXI_RULE_WRITE_INDEX);
}

Test(sdxi_rules, write_index_too_far)
{
	m.write_index = ENTRIES + 1;
	sdxi_model_doorbell(cxt, 1);
	expect_breach(SDXI_RULE_WRITE_INDEX);
}

Test(sdxi_rules, doorbell_beyond_the_write_index)
{
	struct sdxi_desc desc = good_copy(0);

	ring_put(&desc);
	sdxi_model_doorbell(cxt, 2);
	expect_breach(SDXI_RULE_DOORBELL);
}

Test(sdxi_rules, late_doorbells_are_allowed)
{
	struct sdxi_desc desc = good_copy(0);
	struct sdxi_model_stats stats;
	uint64_t first, second;

	/* The later producer is done before the earlier one has written. */
	cr_assert_eq(sdxi_ring_reserve(&ring, 1, &first), 0);
	cr_assert_eq(sdxi_ring_reserve(&ring, 1, &second), 0);
	sdxi_ring_put(&ring, second, &desc);
	sdxi_ring_doorbell(&ring, second + 1);
	cr_expect_eq(m.sts.read_index, 0, "the function must wait for the hole to be filled");
	desc = good_copy(1);
	sdxi_ring_put(&ring, first, &desc);
	sdxi_ring_doorbell(&ring, first + 1);
	sdxi_model_stats(model, &stats);
	cr_expect_eq(stats.nr_breaches, 0);
	cr_expect_eq(stats.late_doorbells, 1);
	cr_expect_eq(m.sts.read_index, 2);
	cr_expect_eq(m.csbs[0].signal | m.csbs[1].signal, 0);
}

Test(sdxi_rules, doorbell_forgotten)
{
	struct sdxi_desc desc = good_copy(0);

	ring_put(&desc);
	sdxi_model_stop(cxt);
	cr_expect_eq(count_breaches(SDXI_RULE_DOORBELL_LOST), 1);
}

Test(sdxi_rules, doorbell_after_a_stop)
{
	struct sdxi_desc desc = good_copy(0);

	sdxi_model_stop(cxt);
	cr_expect_eq(m.sts.state, SDXI_CXT_STOP_SW);
	ring_send(&desc);
	cr_expect_eq(count_breaches(SDXI_RULE_STOPPED), 1);
	cr_expect_eq(m.csbs[0].signal, 1, "a stopped context does nothing");
}

/* A fence after a descriptor that hangs: seen, not yet read. */
Test(sdxi_rules, changed_after_it_was_valid)
{
	struct sdxi_desc desc, fenced;

	sdxi_model_close(model);
	open_model(SDXI_FAULT_HANG, true);
	desc = good_copy(0);
	fenced = good_copy(1);
	sdxi_set_fence(&fenced);
	ring_send(&desc);
	ring_send(&fenced);
	cr_expect_eq(m.sts.read_index, 1, "the fence let it pass");
	m.descs[1].copy.size--;
	sdxi_model_stop(cxt);
	cr_expect_eq(count_breaches(SDXI_RULE_CHANGED), 1);
}

Test(sdxi_rules, fence_orders_copies)
{
	struct sdxi_desc desc;

	for (unsigned int round = 0; round < 100; round++) {
		memset(m.dst, (int)round, BYTES);
		memset(m.third, 0, BYTES);
		m.csbs[0].signal = 2;
		sdxi_build_copy(&desc, address_of(m.dst), 1, address_of(m.src), 1, BYTES,
				&m.csbs[0]);
		ring_put(&desc);
		sdxi_build_copy(&desc, address_of(m.third), 1, address_of(m.dst), 1, BYTES,
				&m.csbs[0]);
		sdxi_set_fence(&desc);
		ring_put(&desc);
		sdxi_ring_doorbell(&ring, m.write_index);
		cr_assert_eq(m.csbs[0].signal, 0);
		cr_assert_arr_eq(m.third, m.src, BYTES);
	}
	cr_expect_eq(count_breaches(SDXI_RULE_NONE), 0);
}

/* Without the fence some seeds must run them in the other order. */
Test(sdxi_rules, without_a_fence_order_is_random)
{
	struct sdxi_desc desc;
	unsigned int nr_reversed = 0;

	for (unsigned int round = 0; round < 100; round++) {
		memset(m.dst, 0, BYTES);
		memset(m.third, 0, BYTES);
		m.csbs[0].signal = 2;
		sdxi_build_copy(&desc, address_of(m.dst), 1, address_of(m.src), 1, BYTES,
				&m.csbs[0]);
		ring_put(&desc);
		sdxi_build_copy(&desc, address_of(m.third), 1, address_of(m.dst), 1, BYTES,
				&m.csbs[0]);
		ring_put(&desc);
		sdxi_ring_doorbell(&ring, m.write_index);
		nr_reversed += m.third[0] == 0;
	}
	cr_expect(nr_reversed > 10 && nr_reversed < 90, "%u of 100", nr_reversed);
}

Test(sdxi_rules, same_seed_same_faults)
{
	uint32_t flags[2] = {0};
	struct sdxi_model_config config = {.seed = 42};

	config.fault_ppm[SDXI_FAULT_ERROR] = MODEL_PPM / 2;
	for (unsigned int run = 0; run < 2; run++) {
		sdxi_model_close(model);
		describe_context();
		cr_assert_eq(sdxi_model_open(&config, &model), 0);
		cr_assert_eq(sdxi_model_start(model, &m.l1, &cxt), 0);
		ring.doorbell = ring_doorbell;
		cr_assert_eq(sdxi_ring_init(&ring, m.descs, ENTRIES, &m.sts.read_index,
					    &m.write_index),
			     0);
		for (unsigned int i = 0; i < 16; i++) {
			struct sdxi_desc desc = good_copy(i);

			ring_send(&desc);
			flags[run] |= (m.csbs[i].flags >> 31) << i;
		}
	}
	cr_expect_eq(flags[0], flags[1]);
	cr_expect(flags[0] != 0 && flags[0] != 0xffff);
}
