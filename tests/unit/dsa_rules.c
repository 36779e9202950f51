// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Breaks every rule of the DSA model on purpose: the model has to answer as hardware would, and to
 * record the breach under the name of the rule and no other. Models are stepped: no threads, no
 * clock, the same in every run. Descriptors are raw, because the builders cannot break rules.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/dsa/desc.h"
#include "models/dsa/dsa_model.h"

#define AREA_BYTES (64 * PAGE_BYTES)

static struct dsa_model *model;
static struct dsa_completion_record *crs; /* a page of them */
static struct dsa_hw_desc *list;
static uint8_t *area; /* source, destination, others, a guard page at the end */

static void *map_area(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	return p;
}

static void open_with(void (*change)(struct dsa_model_config *))
{
	struct dsa_model_config config;

	dsa_model_defaults(&config);
	config.stepped = true;
	config.watch = true;
	if (change)
		change(&config);
	dsa_model_close(model);
	cr_assert_eq(dsa_model_open(&config, &model), 0);
	crs = map_area(PAGE_BYTES);
	list = map_area(16 * PAGE_BYTES);
	area = map_area(AREA_BYTES);
	for (size_t i = 0; i < AREA_BYTES; i++)
		area[i] = (uint8_t)(i * 7 + (i >> 8));
	munmap(area + AREA_BYTES - PAGE_BYTES, PAGE_BYTES);
}

static void setup(void)
{
	open_with(NULL);
}

static void teardown(void)
{
	dsa_model_close(model);
	model = NULL;
}

#define SRC (area)
#define DST (area + 16 * PAGE_BYTES)
#define GAP (area + AREA_BYTES - PAGE_BYTES) /* not mapped */

static struct dsa_hw_desc copy_to(int cr)
{
	struct dsa_hw_desc d __attribute__((aligned(64)));

	dsa_desc_memmove(&d, 0, &crs[cr], DST, SRC, PAGE_BYTES);
	return d;
}

static void run_all(void)
{
	for (int i = 0; i < 100000 && dsa_model_step(model); i++)
		;
}

static uint8_t run_desc(const struct dsa_hw_desc *d)
{
	cr_assert(dsa_model_enqcmd(model, 0, 0, d), "not accepted");
	run_all();
	return dsa_cr_status(&crs[0]);
}

/* Exactly this rule is broken. */
static void expect_only(enum dsa_rule rule)
{
	for (unsigned int i = 0; i < NR_DSA_RULES; i++)
		cr_expect_eq(dsa_model_breaches(model, i) > 0, i == (unsigned int)rule,
			     "%s: %lu breaches", dsa_rule_name(i),
			     (unsigned long)dsa_model_breaches(model, i));
}

static void expect_no_breach(void)
{
	cr_expect_eq(dsa_model_all_breaches(model), 0);
}

TestSuite(dsa_rules, .init = setup, .fini = teardown);

/* Correct descriptors break no rule. */
Test(dsa_rules, good_descriptors_pass)
{
	struct dsa_hw_desc d = copy_to(0);

	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
	cr_expect_eq(memcmp(SRC, DST, PAGE_BYTES), 0);
	cr_expect_eq(crs[0].bytes_completed, 0);
	dsa_cr_clear(&crs[0]);
	dsa_desc_memfill(&d, 0, &crs[0], DST, 0x0807060504030201UL, 13);
	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
	cr_expect_eq(memcmp(DST, "\1\2\3\4\5\6\7\10\1\2\3\4\5", 13), 0);
	dsa_cr_clear(&crs[0]);
	dsa_desc_drain(&d, 0, &crs[0]);
	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
	expect_no_breach();
}

/* RFC 3720 B.4: 32 bytes of zeros, of ones, and 0 … 31. */
Test(dsa_rules, crc_known_answers)
{
	static const uint32_t want[] = {0x8a9136aa, 0x62a8ab43, 0x46dd794e};
	struct dsa_hw_desc d;

	memset(SRC, 0, 32);
	memset(SRC + 32, 0xff, 32);
	for (int i = 0; i < 32; i++)
		SRC[64 + i] = (uint8_t)i;
	for (int i = 0; i < 3; i++) {
		dsa_cr_clear(&crs[0]);
		dsa_desc_crcgen(&d, 0, &crs[0], SRC + 32 * i, 32, 0);
		cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
		cr_expect_eq((uint32_t)crs[0].crc_val, want[i]);
	}
	dsa_cr_clear(&crs[0]);
	dsa_desc_crcgen(&d, 0, &crs[0], SRC + 64, 10, 0);
	run_desc(&d);
	dsa_desc_copy_crc(&d, 0, &crs[1], DST, SRC + 74, 22, (uint32_t)crs[0].crc_val);
	dsa_cr_clear(&crs[0]);
	run_desc(&d);
	cr_expect_eq((uint32_t)crs[1].crc_val, want[2], "a seed continues a CRC");
	cr_expect_eq(memcmp(DST, SRC + 74, 22), 0);
	expect_no_breach();
}

Test(dsa_rules, compare_and_predicate)
{
	struct dsa_hw_desc d;

	memcpy(DST, SRC, PAGE_BYTES);
	dsa_desc_compare(&d, IDXD_OP_FLAG_CR, &crs[0], SRC, DST, PAGE_BYTES);
	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
	DST[100] ^= 1;
	dsa_cr_clear(&crs[0]);
	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS_PRED);
	cr_expect_eq(crs[0].result, 1);
	expect_no_breach();
}

/* --- portals --- */

static void make_dedicated(struct dsa_model_config *c)
{
	c->dedicated = true;
	c->wq_size = c->wq_threshold = 4;
}

Test(dsa_rules, p1_enqcmd_to_dedicated)
{
	struct dsa_hw_desc d;

	open_with(make_dedicated);
	d = copy_to(0);
	cr_expect_not(dsa_model_enqcmd(model, 0, 0, &d));
	expect_only(DSA_RULE_P1);
}

Test(dsa_rules, p1_movdir64b_to_shared)
{
	struct dsa_hw_desc d = copy_to(0);

	dsa_model_movdir64b(model, 0, 0, &d, 64);
	run_all();
	cr_expect_eq(dsa_cr_status(&crs[0]), 0);
	cr_expect_eq(dsa_model_count(model, DSA_COUNT_DROPS), 1);
	expect_only(DSA_RULE_P1);
}

Test(dsa_rules, p2_misaligned_portal)
{
	struct dsa_hw_desc d = copy_to(0);

	cr_expect_not(dsa_model_enqcmd(model, 0, 8, &d));
	expect_only(DSA_RULE_P2);
}

Test(dsa_rules, p2_short_store)
{
	struct dsa_hw_desc d;

	open_with(make_dedicated);
	d = copy_to(0);
	dsa_model_movdir64b(model, 0, 0, &d, 32);
	run_all();
	cr_expect_eq(dsa_cr_status(&crs[0]), 0);
	cr_expect_eq(dsa_model_count(model, DSA_COUNT_DROPS), 1);
	expect_only(DSA_RULE_P2);
}

Test(dsa_rules, p2_any_slot_will_do)
{
	struct dsa_hw_desc d = copy_to(0);

	cr_expect(dsa_model_enqcmd(model, 0, 63 * 64, &d));
	expect_no_breach();
}

static void make_small(struct dsa_model_config *c)
{
	c->wq_size = 8;
	c->wq_threshold = 3;
}

Test(dsa_rules, p3_retry_at_the_threshold)
{
	struct dsa_hw_desc d;

	open_with(make_small);
	for (int i = 0; i < 3; i++) {
		d = copy_to(i);
		cr_expect(dsa_model_enqcmd(model, 0, 0, &d));
	}
	d = copy_to(3);
	cr_expect_not(dsa_model_enqcmd(model, 0, 0, &d));
	cr_expect_eq(dsa_model_count(model, DSA_COUNT_RETRIES), 1);
	expect_no_breach();
}

Test(dsa_rules, p3_halted_device_retries_for_ever)
{
	struct dsa_hw_desc d = copy_to(0);

	dsa_model_halt(model, 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_not(dsa_model_enqcmd(model, 0, 0, &d));
	expect_no_breach();
}

Test(dsa_rules, p4_dedicated_overflow)
{
	struct dsa_hw_desc d;

	open_with(make_dedicated);
	for (int i = 0; i < 5; i++) {
		d = copy_to(i);
		dsa_model_movdir64b(model, 0, 0, &d, 64);
	}
	run_all();
	for (int i = 0; i < 4; i++)
		cr_expect_eq(dsa_cr_status(&crs[i]), DSA_COMP_SUCCESS);
	cr_expect_eq(dsa_cr_status(&crs[4]), 0, "dropped for good");
	cr_expect_eq(dsa_model_sw_error(model, 0), 0x53);
	expect_only(DSA_RULE_P4);
}

Test(dsa_rules, p5_enqcmd_with_pasid)
{
	struct dsa_hw_desc d = copy_to(0);

	d.priv = 1;
	cr_expect_not(dsa_model_enqcmd(model, 0, 0, &d));
	expect_only(DSA_RULE_P5);
}

static void make_unprivileged(struct dsa_model_config *c)
{
	c->rawio = false;
}

Test(dsa_rules, p6_write_takes_singles)
{
	struct dsa_hw_desc d[3] __attribute__((aligned(64)));

	open_with(make_unprivileged);
	cr_expect_eq(dsa_model_mmap(model), -EPERM);
	d[0] = copy_to(0);
	d[1] = copy_to(1);
	dsa_desc_batch(&d[2], 0, &crs[2], list, 2);
	cr_expect_eq(dsa_model_write(model, 0, d, sizeof(d)), 128, "short count");
	cr_expect_eq(dsa_model_write(model, 0, &d[2], 64), -EINVAL, "a batch");
	cr_expect_eq(dsa_model_write(model, 0, d, 63), 0);
	cr_expect_eq(dsa_model_write(model, 0, GAP, 64), -EFAULT);
	run_all();
	cr_expect_eq(dsa_cr_status(&crs[1]), DSA_COMP_SUCCESS);
	/* Refused although the address is not marked as valid. */
	d[0].flags = 0;
	d[0].completion_addr = 8;
	cr_expect_eq(dsa_model_write(model, 0, d, 64), -EINVAL, "misaligned record");
	expect_no_breach();
}

static void make_tiny_write(struct dsa_model_config *c)
{
	c->rawio = false;
	c->wq_size = c->wq_threshold = 2;
}

Test(dsa_rules, p6_write_to_a_full_queue)
{
	struct dsa_hw_desc d[3] __attribute__((aligned(64)));

	open_with(make_tiny_write);
	for (int i = 0; i < 3; i++)
		d[i] = copy_to(i);
	cr_expect_eq(dsa_model_write(model, 0, d, sizeof(d)), 128);
	cr_expect_eq(dsa_model_write(model, 0, &d[2], 64), -EAGAIN);
	expect_no_breach();
}

Test(dsa_rules, p6_write_after_fork)
{
	struct dsa_hw_desc d = copy_to(0);
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(dsa_model_write(model, 0, &d, 64) == -EPERM ? 0 : 1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}

Test(dsa_rules, p7_record_freed_under_way)
{
	struct dsa_hw_desc d = copy_to(0);
	struct dsa_completion_record *gone = map_area(PAGE_BYTES);

	d.completion_addr = (uintptr_t)gone;
	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	munmap(gone, PAGE_BYTES);
	run_all();
	cr_expect_eq(dsa_model_sw_error(model, 0), DSA_COMP_CRA_XLAT);
	expect_only(DSA_RULE_P7);
}

/* --- descriptors --- */

static void expect_refused(struct dsa_hw_desc *d, uint8_t status, enum dsa_rule rule)
{
	memset(DST, 0x11, PAGE_BYTES);
	cr_expect_eq(run_desc(d), status, "status %02x", dsa_cr_status(&crs[0]));
	for (size_t i = 0; i < PAGE_BYTES; i++)
		cr_assert_eq(DST[i], 0x11, "a refused descriptor wrote");
	expect_only(rule);
}

Test(dsa_rules, d1_opcode)
{
	struct dsa_hw_desc d = copy_to(0);

	d.opcode = 0x0b;
	expect_refused(&d, DSA_COMP_BAD_OPCODE, DSA_RULE_D1);
}

Test(dsa_rules, d2_flags)
{
	static const uint32_t bad[] = {0x20, 0x40, 0x80, 0x8000, 0x10000, 0x800000};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct dsa_hw_desc d = copy_to(0);

		dsa_cr_clear(&crs[0]);
		d.flags |= bad[i];
		expect_refused(&d, DSA_COMP_INVALID_FLAGS, DSA_RULE_D2);
		cr_expect_eq(crs[0].invalid_flags, bad[i]);
	}
}

/* Every byte of the descriptor of every operation: reserved or not, as in the table. */
Test(dsa_rules, d3_reserved_bytes)
{
	static const struct {
		uint8_t opcode;
		const char *reserved; /* bytes 16 … 63: r reserved, . an operand */
	} table[] = {
		{0x00, "rrrrrrrrrrrrrrrrrrrr..rrrrrrrrrrrrrrrrrrrrrrrrrr"},
		{0x01, "........rrrrrrrr......rrrrrrrrrrrrrrrrrrrrrrrrrr"},
		{0x02, "rrrrrrrrrrrrrrrrrrrr..rrrrrrrrrrrrrrrrrrrrrrrrrr"},
		{0x03, "......................rrrrrrrrrrrrrrrrrrrrrrrrrr"},
		{0x04, "......................rrrrrrrrrrrrrrrrrrrrrrrrrr"},
		{0x05, "......................rr.rrrrrrrrrrrrrrrrrrrrrrr"},
		{0x06, "......................rr.rrrrrrrrrrrrrrrrrrrrrrr"},
		{0x09, "......................rr........rrrrrrrrrrrrrrrr"},
		{0x10, "........rrrrrrrr......rr....rrrrrrrrrrrrrrrrrrrr"},
		{0x11, "......................rr....rrrrrrrrrrrrrrrrrrrr"},
		{0x20, "rrrrrrrr..............rrrrrrrrrrrrrrrrrrrrrrrrrr"},
	};

	for (size_t t = 0; t < ARRAY_SIZE(table); t++) {
		for (size_t b = 16; b < 64; b++) {
			uint64_t before = dsa_model_breaches(model, DSA_RULE_D3);
			uint64_t others = dsa_model_all_breaches(model) - before;
			struct dsa_hw_desc d;

			if (table[t].reserved[b - 16] != 'r')
				continue;
			dsa_desc_put(&d, table[t].opcode, 0, &crs[0], 0, 0, 0);
			if (table[t].opcode == 0x01)
				dsa_desc_batch(&d, 0, &crs[0], list, 2);
			else if (table[t].opcode > 0x02)
				d.xfer_size = 64;
			if (table[t].opcode > 0x02 && table[t].opcode != 0x20)
				d.src_addr = (uintptr_t)SRC;
			if (table[t].opcode > 0x02 && table[t].opcode != 0x10)
				d.dst_addr = (uintptr_t)DST;
			if (table[t].opcode == 0x09)
				d.dest2 = (uintptr_t)DST + PAGE_BYTES;
			((uint8_t *)&d)[b] = 0x80;
			dsa_cr_clear(&crs[0]);
			cr_expect_eq(run_desc(&d), DSA_COMP_NOZERO_RESERVE,
				     "op %02x byte %zu: %02x", table[t].opcode, b,
				     dsa_cr_status(&crs[0]));
			cr_expect_eq(dsa_model_breaches(model, DSA_RULE_D3), before + 1);
			cr_expect_eq(dsa_model_all_breaches(model) -
					     dsa_model_breaches(model, DSA_RULE_D3),
				     others);
		}
	}
}

/* Bits 30:20 of the first word: ENQCMD refuses them, the kernel and dedicated queues pass them on.
 */
Test(dsa_rules, d3_reserved_bits_of_the_first_word)
{
	struct dsa_hw_desc d = copy_to(0);

	d.rsvd = 1;
	cr_expect_not(dsa_model_enqcmd(model, 0, 0, &d));
	expect_only(DSA_RULE_P5);
	for (uint32_t bit = 0; bit < 11; bit++) {
		open_with(NULL);
		d = copy_to(0);
		d.rsvd = 1U << bit;
		cr_expect_eq(dsa_model_write(model, 0, &d, sizeof(d)), 64);
		run_all();
		cr_expect_eq(dsa_cr_status(&crs[0]), DSA_COMP_NOZERO_RESERVE, "bit %u", 20 + bit);
		expect_only(DSA_RULE_D3);
	}
	open_with(make_dedicated);
	d = copy_to(0);
	d.rsvd = 0x400;
	d.pasid = 77;
	d.priv = 1;
	dsa_model_movdir64b(model, 0, 0, &d, sizeof(d));
	run_all();
	cr_expect_eq(dsa_cr_status(&crs[0]), DSA_COMP_NOZERO_RESERVE);
	expect_only(DSA_RULE_D3);
}

Test(dsa_rules, d4_no_address_but_request)
{
	struct dsa_hw_desc d = copy_to(0);

	d.flags &= ~(uint32_t)IDXD_OP_FLAG_CRAV;
	expect_refused(&d, 0, DSA_RULE_D4);
	cr_expect(dsa_model_sw_error(model, 0) == DSA_COMP_INVALID_FLAGS ||
		  dsa_model_sw_error(model, 0) == DSA_COMP_NOZERO_RESERVE);
}

Test(dsa_rules, d4_address_without_flag)
{
	struct dsa_hw_desc d = copy_to(0);

	d.flags &= ~(uint32_t)DSA_FLAGS_REPORT;
	expect_refused(&d, 0, DSA_RULE_D4);
}

Test(dsa_rules, d5_results_must_be_reported)
{
	static const uint8_t ops[] = {0x05, 0x06, 0x10, 0x11};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		struct dsa_hw_desc d = copy_to(0);

		d.opcode = ops[i];
		d.flags = IDXD_OP_FLAG_CRAV;
		if (ops[i] == 0x10)
			d.dst_addr = 0;
		dsa_cr_clear(&crs[0]);
		expect_refused(&d, DSA_COMP_INVALID_FLAGS, DSA_RULE_D5);
	}
}

Test(dsa_rules, d6_record_misaligned)
{
	struct dsa_hw_desc d = copy_to(0);

	d.completion_addr += 8;
	expect_refused(&d, 0, DSA_RULE_D6);
	cr_expect_eq(dsa_model_sw_error(model, 0), DSA_COMP_CRA_ALIGN);
	cr_expect_eq(dsa_cr_status(&crs[1]), 0);
}

Test(dsa_rules, d7_record_not_mapped)
{
	struct dsa_hw_desc d = copy_to(0);

	d.completion_addr = (uintptr_t)GAP;
	expect_refused(&d, 0, DSA_RULE_D7);
	cr_expect_eq(dsa_model_sw_error(model, 0), DSA_COMP_CRA_XLAT);
}

Test(dsa_rules, d7_record_read_only)
{
	struct dsa_hw_desc d = copy_to(0);

	mprotect(crs, PAGE_BYTES, PROT_READ);
	expect_refused(&d, 0, DSA_RULE_D7);
}

Test(dsa_rules, d8_record_not_cleared)
{
	struct dsa_hw_desc d = copy_to(0);

	crs[0].status = DSA_COMP_SUCCESS;
	run_desc(&d);
	expect_only(DSA_RULE_D8);
}

Test(dsa_rules, d9_no_bytes)
{
	struct dsa_hw_desc d = copy_to(0);

	d.xfer_size = 0;
	expect_refused(&d, DSA_COMP_XFER_ERANGE, DSA_RULE_D9);
}

Test(dsa_rules, d9_too_many_bytes)
{
	struct dsa_hw_desc d = copy_to(0);

	d.xfer_size = (2U << 20) + 1;
	expect_refused(&d, DSA_COMP_XFER_ERANGE, DSA_RULE_D9);
}

Test(dsa_rules, d9_address_wraps)
{
	struct dsa_hw_desc d = copy_to(0);

	d.src_addr = -(uint64_t)PAGE_BYTES + 64;
	expect_refused(&d, DSA_COMP_XFER_ERANGE, DSA_RULE_D9);
}

static void make_no_overlap(struct dsa_model_config *c)
{
	c->gen_cap &= ~DSA_GENCAP_OVERLAP;
}

Test(dsa_rules, d10_overlap)
{
	struct dsa_hw_desc d;

	open_with(make_no_overlap);
	d = copy_to(0);
	d.src_addr = d.dst_addr + 64;
	expect_refused(&d, DSA_COMP_OVERLAP_BUFFERS, DSA_RULE_D10);
}

Test(dsa_rules, d10_overlap_of_others)
{
	struct dsa_hw_desc d = copy_to(0);

	d.opcode = DSA_OPCODE_COPY_CRC;
	d.src_addr = d.dst_addr + 64;
	expect_refused(&d, DSA_COMP_OVERLAP_BUFFERS, DSA_RULE_D10);
}

Test(dsa_rules, d10_memmove_may_overlap)
{
	struct dsa_hw_desc d = copy_to(0);
	uint8_t want[PAGE_BYTES];

	memcpy(want, SRC, PAGE_BYTES);
	d.dst_addr = (uintptr_t)SRC + 100;
	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
	cr_expect_eq(memcmp(SRC + 100, want, PAGE_BYTES), 0);
	/* The device itself changed the source. */
	expect_no_breach();
}

Test(dsa_rules, d11_dualcast)
{
	struct dsa_hw_desc d = copy_to(0);

	d.opcode = DSA_OPCODE_DUALCAST;
	d.dest2 = d.dst_addr + 2 * PAGE_BYTES + 64;
	expect_refused(&d, DSA_COMP_DCAST_ERR, DSA_RULE_D11);
}

Test(dsa_rules, d12_interrupt_handle)
{
	struct dsa_hw_desc d = copy_to(0);

	d.int_handle = 3;
	expect_refused(&d, DSA_COMP_INT_HANDLE_INVAL, DSA_RULE_D12);
}

Test(dsa_rules, d12_interrupt_request)
{
	struct dsa_hw_desc d = copy_to(0);

	d.flags |= IDXD_OP_FLAG_RCI;
	expect_refused(&d, DSA_COMP_INVALID_FLAGS, DSA_RULE_D12);
}

Test(dsa_rules, d13_fence_in_a_single)
{
	struct dsa_hw_desc d = copy_to(0);

	d.flags |= IDXD_OP_FLAG_FENCE;
	expect_refused(&d, DSA_COMP_INVALID_FLAGS, DSA_RULE_D13);
}

Test(dsa_rules, d14_block_on_fault)
{
	struct dsa_hw_desc d = copy_to(0);

	d.flags |= IDXD_OP_FLAG_BOF;
	expect_refused(&d, DSA_COMP_INVALID_FLAGS, DSA_RULE_D14);
}

static void make_blocking(struct dsa_model_config *c)
{
	c->block_on_fault = true;
}

Test(dsa_rules, d14_block_on_fault_of_others)
{
	struct dsa_hw_desc d;

	open_with(make_blocking);
	dsa_desc_noop(&d, IDXD_OP_FLAG_BOF, &crs[0]);
	expect_refused(&d, DSA_COMP_INVALID_FLAGS, DSA_RULE_D14);
}

Test(dsa_rules, d15_drain_must_report)
{
	struct dsa_hw_desc d;

	dsa_desc_drain(&d, 0, &crs[0]);
	d.flags = IDXD_OP_FLAG_CRAV;
	expect_refused(&d, DSA_COMP_INVALID_FLAGS, DSA_RULE_D15);
}

Test(dsa_rules, d16_seed_address)
{
	struct dsa_hw_desc d;

	dsa_desc_crcgen(&d, DSA_FLAG_CRC_SEED_MEM, &crs[0], SRC, 64, 0);
	d.seed_addr = (uintptr_t)DST + 2;
	expect_refused(&d, DSA_COMP_ADDR_ALIGN, DSA_RULE_D16);
}

/* Several breaches: the status of one of them, the names of all. */
Test(dsa_rules, all_breaches_are_recorded)
{
	struct dsa_hw_desc d = copy_to(0);
	uint8_t status;

	d.flags |= 0x40;
	d.rsvd1 = 1;
	d.xfer_size = 0;
	status = run_desc(&d);
	cr_expect(status == DSA_COMP_INVALID_FLAGS || status == DSA_COMP_NOZERO_RESERVE ||
		  status == DSA_COMP_XFER_ERANGE);
	cr_expect_eq(dsa_model_breaches(model, DSA_RULE_D2), 1);
	cr_expect_eq(dsa_model_breaches(model, DSA_RULE_D3), 1);
	cr_expect_eq(dsa_model_breaches(model, DSA_RULE_D9), 1);
}

/* --- batches --- */

#define NR_LISTED 8

/*
 * Copies page i of the source to page i of the destination, with record i + 1; record 0 is the
 * batch's.
 */
static struct dsa_hw_desc batch_of(uint32_t nr)
{
	struct dsa_hw_desc d;

	for (uint32_t i = 0; i < nr; i++)
		dsa_desc_memmove(&list[i], 0, &crs[i + 1], DST + i * PAGE_BYTES,
				 SRC + i * PAGE_BYTES, PAGE_BYTES);
	dsa_desc_batch(&d, 0, &crs[0], list, nr);
	return d;
}

static void expect_copied(uint32_t i, bool yes)
{
	cr_expect_eq(memcmp(DST + i * PAGE_BYTES, SRC + i * PAGE_BYTES, PAGE_BYTES) == 0, yes,
		     "descriptor %u", i);
}

Test(dsa_rules, batch_passes)
{
	struct dsa_hw_desc d = batch_of(NR_LISTED);

	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
	cr_expect_eq(crs[0].bytes_completed, NR_LISTED);
	for (uint32_t i = 0; i < NR_LISTED; i++) {
		expect_copied(i, true);
		cr_expect_eq(dsa_cr_status(&crs[i + 1]), DSA_COMP_SUCCESS);
	}
	expect_no_breach();
}

Test(dsa_rules, b1_list_misaligned)
{
	struct dsa_hw_desc d = batch_of(2);

	d.desc_list_addr += 32;
	expect_refused(&d, DSA_COMP_DESCLIST_ALIGN, DSA_RULE_B1);
}

Test(dsa_rules, b2_batch_of_one)
{
	struct dsa_hw_desc d = batch_of(1);

	expect_refused(&d, DSA_COMP_DESC_CNT_ERANGE, DSA_RULE_B2);
}

Test(dsa_rules, b2_too_many)
{
	struct dsa_hw_desc d = batch_of(2);

	d.desc_count = 33;
	expect_refused(&d, DSA_COMP_DESC_CNT_ERANGE, DSA_RULE_B2);
}

Test(dsa_rules, b3_nested)
{
	struct dsa_hw_desc d = batch_of(3);

	dsa_desc_drain(&list[1], 0, &crs[2]);
	cr_expect_eq(run_desc(&d), DSA_COMP_BATCH_FAIL);
	cr_expect_eq(dsa_cr_status(&crs[2]), DSA_COMP_BAD_OPCODE);
	expect_only(DSA_RULE_B3);
}

/* The order of two writers of one byte differs from run to run, unless there is a fence. */
static uint8_t last_writer(bool fence, uint64_t seed)
{
	struct dsa_model_config config;
	struct dsa_hw_desc d;

	dsa_model_close(model);
	dsa_model_defaults(&config);
	config.stepped = true;
	config.seed = seed;
	cr_assert_eq(dsa_model_open(&config, &model), 0);
	memset(crs, 0, PAGE_BYTES);
	dsa_desc_memfill(&list[0], 0, &crs[1], DST, 0x01, 1);
	dsa_desc_memfill(&list[1], fence ? IDXD_OP_FLAG_FENCE : 0, &crs[2], DST, 0x02, 1);
	dsa_desc_batch(&d, 0, &crs[0], list, 2);
	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
	expect_no_breach();
	return DST[0];
}

Test(dsa_rules, b4_random_order_between_fences)
{
	unsigned int first_won = 0;

	for (uint64_t seed = 0; seed < 64; seed++) {
		first_won += last_writer(false, seed) == 1;
		cr_expect_eq(last_writer(true, seed), 2);
	}
	cr_expect(first_won > 0 && first_won < 64, "order never changes: %u", first_won);
}

Test(dsa_rules, b5_fence_after_failure)
{
	struct dsa_hw_desc d = batch_of(6);

	memset(DST, 0, 6 * PAGE_BYTES);
	list[1].src_addr = (uintptr_t)GAP;
	list[3].flags |= IDXD_OP_FLAG_FENCE;
	cr_expect_eq(run_desc(&d), DSA_COMP_BATCH_FAIL);
	cr_expect_eq(crs[0].bytes_completed, 3);
	cr_expect_eq(dsa_cr_status(&crs[2]), DSA_COMP_PAGE_FAULT_NOBOF);
	expect_copied(0, true);
	expect_copied(2, true);
	for (uint32_t i = 3; i < 6; i++) {
		expect_copied(i, false);
		cr_expect_eq(dsa_cr_status(&crs[i + 1]), 0);
	}
	expect_no_breach();
}

Test(dsa_rules, b6_false_predicate_fails_the_batch)
{
	struct dsa_hw_desc d = batch_of(2);

	dsa_desc_compare(&list[1], IDXD_OP_FLAG_CR, &crs[2], SRC, SRC + PAGE_BYTES, 64);
	cr_expect_eq(run_desc(&d), DSA_COMP_BATCH_FAIL);
	cr_expect_eq(dsa_cr_status(&crs[2]), DSA_COMP_SUCCESS_PRED);
	cr_expect_eq(crs[0].bytes_completed, 2);
	expect_no_breach();
}

static void make_list_faults(struct dsa_model_config *c)
{
	c->faults_ppm[DSA_FAULT_LIST] = MODEL_PPM;
}

Test(dsa_rules, b7_page_fault_on_the_list)
{
	struct dsa_hw_desc d;
	uint32_t done;

	open_with(make_list_faults);
	memset(DST, 0, NR_LISTED * PAGE_BYTES);
	d = batch_of(NR_LISTED);
	cr_expect_eq(run_desc(&d), DSA_COMP_BATCH_PAGE_FAULT);
	done = crs[0].bytes_completed;
	cr_expect(done < NR_LISTED);
	for (uint32_t i = 0; i < NR_LISTED; i++)
		expect_copied(i, i < done);
	expect_no_breach();
}

/* After every step: the batch's record is there only if all the others are. */
Test(dsa_rules, b8_batch_record_last)
{
	struct dsa_hw_desc d = batch_of(NR_LISTED);

	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	while (!dsa_cr_status(&crs[0]))
		cr_assert(dsa_model_step(model));
	for (uint32_t i = 0; i < NR_LISTED; i++)
		cr_expect_neq(dsa_cr_status(&crs[i + 1]), 0);
}

Test(dsa_rules, b9_pasid_in_the_list_is_ignored)
{
	struct dsa_hw_desc d = batch_of(2);

	list[0].pasid = 77;
	list[1].priv = 1;
	cr_expect_eq(run_desc(&d), DSA_COMP_SUCCESS);
	expect_no_breach();
}

Test(dsa_rules, b10_list_reused_too_early)
{
	struct dsa_hw_desc d = batch_of(2);

	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	list[1].dst_addr += 4 * PAGE_BYTES;
	run_all();
	expect_only(DSA_RULE_B10);
}

Test(dsa_rules, d8_in_a_batch)
{
	struct dsa_hw_desc d = batch_of(2);

	crs[2].status = DSA_COMP_SUCCESS;
	run_desc(&d);
	expect_only(DSA_RULE_D8);
}

/* --- execution --- */

Test(dsa_rules, e1_out_of_order)
{
	uint32_t late_first = 0;

	for (int i = 0; i < 40; i++) {
		struct dsa_hw_desc d = copy_to(i);

		d.dst_addr += (uint64_t)(i % 8) * PAGE_BYTES;
		cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	}
	for (int steps = 0; steps < 100000 && dsa_model_step(model); steps++)
		late_first += !dsa_cr_status(&crs[0]) && dsa_cr_status(&crs[39]);
	cr_expect_eq(dsa_cr_status(&crs[0]), DSA_COMP_SUCCESS);
	cr_expect_gt(late_first, 0, "the last was never seen before the first");
}

static void make_faulty(struct dsa_model_config *c)
{
	c->faults_ppm[DSA_FAULT_PAGE] = MODEL_PPM;
}

Test(dsa_rules, e2_partial_copies)
{
	bool seen_write = false, seen_read = false, seen_zero = false, seen_odd = false;

	open_with(make_faulty);
	for (int i = 0; i < 400; i++) {
		struct dsa_hw_desc d;
		uint8_t status;
		uint32_t done;

		dsa_cr_clear(&crs[0]);
		memset(DST, 0, 5 * PAGE_BYTES);
		dsa_desc_memmove(&d, 0, &crs[0], DST + 24, SRC + 100, 4 * PAGE_BYTES);
		status = run_desc(&d);
		done = crs[0].bytes_completed;
		cr_assert(dsa_status_is_partial(status));
		cr_assert_eq(crs[0].result, 0);
		cr_assert(memcmp(DST + 24, SRC + 100, done) == 0, "%u bytes promised", done);
		cr_assert_lt(done, 4 * PAGE_BYTES);
		if (status & DSA_COMP_STATUS_WRITE)
			cr_assert(crs[0].fault_addr + PAGE_BYTES > (uintptr_t)DST + 24 + done &&
				  crs[0].fault_addr < (uintptr_t)DST + 24 + 4 * PAGE_BYTES);
		else
			cr_assert(crs[0].fault_addr + PAGE_BYTES > (uintptr_t)SRC + 100 + done &&
				  crs[0].fault_addr < (uintptr_t)SRC + 100 + 4 * PAGE_BYTES);
		seen_write |= status & DSA_COMP_STATUS_WRITE;
		seen_read |= !(status & DSA_COMP_STATUS_WRITE);
		seen_zero |= done == 0;
		seen_odd |= done % 64 != 0;
	}
	cr_expect(seen_write && seen_read && seen_zero && seen_odd);
	expect_no_breach();
}

/* A client that resumes with the same pattern needs whole patterns. Copies end anywhere, above. */
Test(dsa_rules, e2_patterns_end_whole)
{
	uint32_t nr_begun = 0;

	open_with(make_faulty);
	for (uint64_t i = 0; i < 400; i++) {
		struct dsa_hw_desc d;

		dsa_cr_clear(&crs[0]);
		dsa_desc_memfill(&d, 0, &crs[0], DST + 3, i, 4 * PAGE_BYTES);
		if (i % 2) {
			memset(SRC, 0x55, 5 * PAGE_BYTES);
			dsa_desc_put(&d, DSA_OPCODE_COMPVAL, 0, &crs[0], (uintptr_t)SRC + 3,
				     0x5555555555555555, 4 * PAGE_BYTES);
		}
		cr_assert(dsa_status_is_partial(run_desc(&d)));
		cr_assert_eq(crs[0].result, 0);
		cr_assert_eq(crs[0].bytes_completed % 8, 0, "%u bytes", crs[0].bytes_completed);
		nr_begun += crs[0].bytes_completed > 0;
	}
	cr_expect_gt(nr_begun, 100);
	expect_no_breach();
}

/* Bytes after bytes_completed are overwritten at random, so that no test depends on them. */
Test(dsa_rules, e3_rest_is_not_to_be_trusted)
{
	uint32_t spoiled = 0;

	open_with(make_faulty);
	for (int i = 0; i < 200; i++) {
		struct dsa_hw_desc d = copy_to(0);

		dsa_cr_clear(&crs[0]);
		memset(DST, 0, PAGE_BYTES);
		run_desc(&d);
		for (uint32_t b = crs[0].bytes_completed; b < PAGE_BYTES; b++) {
			if (DST[b] && DST[b] != SRC[b]) {
				spoiled++;
				break;
			}
		}
	}
	cr_expect_gt(spoiled, 20);
	expect_no_breach();
}

static void make_reverse(struct dsa_model_config *c)
{
	c->faults_ppm[DSA_FAULT_REVERSE] = MODEL_PPM;
}

Test(dsa_rules, e2_backwards)
{
	open_with(make_reverse);
	for (int i = 0; i < 200; i++) {
		struct dsa_hw_desc d;
		uint32_t done;

		dsa_cr_clear(&crs[0]);
		dsa_desc_memmove(&d, 0, &crs[0], DST, SRC, 3 * PAGE_BYTES);
		memset(DST, 0, 3 * PAGE_BYTES);
		cr_assert(dsa_status_is_partial(run_desc(&d)));
		done = crs[0].bytes_completed;
		cr_assert_eq(crs[0].result, 1);
		cr_assert(memcmp(DST + 3 * PAGE_BYTES - done, SRC + 3 * PAGE_BYTES - done, done) ==
			  0);
	}
	expect_no_breach();
}

Test(dsa_rules, e2_page_that_is_not_there)
{
	struct dsa_hw_desc d = copy_to(0);

	d.src_addr = (uintptr_t)GAP - 1000;
	cr_expect_eq(run_desc(&d), DSA_COMP_PAGE_FAULT_NOBOF);
	cr_expect_eq(crs[0].fault_addr, (uintptr_t)GAP);
	cr_expect_leq(crs[0].bytes_completed, 1000);
	cr_expect_eq(memcmp(DST, GAP - 1000, crs[0].bytes_completed), 0);
	expect_no_breach();
}

static void make_blocking_faulty(struct dsa_model_config *c)
{
	c->block_on_fault = true;
	c->faults_ppm[DSA_FAULT_PAGE] = MODEL_PPM;
}

Test(dsa_rules, e4_page_request_refused)
{
	struct dsa_hw_desc d;

	open_with(make_blocking_faulty);
	d = copy_to(0);
	d.flags |= IDXD_OP_FLAG_BOF;
	cr_expect_eq(run_desc(&d) & 0x7f, DSA_COMP_PAGE_FAULT_IR);
	expect_no_breach();
}

static void make_errors(struct dsa_model_config *c)
{
	c->faults_ppm[DSA_FAULT_ERROR] = MODEL_PPM;
}

Test(dsa_rules, e4_hardware_errors)
{
	struct dsa_hw_desc d;
	uint8_t status;

	open_with(make_errors);
	d = copy_to(0);
	status = run_desc(&d);
	cr_expect(status == 0x20 || status == 0x21 || status == 0x22);
	expect_no_breach();
}

static void make_hang(struct dsa_model_config *c)
{
	c->faults_ppm[DSA_FAULT_HANG] = MODEL_PPM;
	c->hang_ns = 0;
}

Test(dsa_rules, e4_hang_and_the_drain_behind_it)
{
	struct dsa_hw_desc d;

	open_with(make_hang);
	d = copy_to(0);
	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	dsa_desc_drain(&d, 0, &crs[1]);
	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	run_all();
	cr_expect_eq(dsa_cr_status(&crs[0]), 0);
	cr_expect_eq(dsa_cr_status(&crs[1]), 0, "drained although something is outstanding");
	cr_expect_eq(dsa_model_outstanding(model, 0), 2);
}

static void make_lost(struct dsa_model_config *c)
{
	c->faults_ppm[DSA_FAULT_LOST] = MODEL_PPM;
}

Test(dsa_rules, e4_record_never_written)
{
	struct dsa_hw_desc d;

	open_with(make_lost);
	d = copy_to(0);
	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	run_all();
	cr_expect_eq(dsa_cr_status(&crs[0]), 0);
	cr_expect_eq(memcmp(DST, SRC, PAGE_BYTES), 0);
	dsa_desc_drain(&d, 0, &crs[1]);
	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	run_all();
	cr_expect_eq(dsa_cr_status(&crs[1]), DSA_COMP_SUCCESS);
}

Test(dsa_rules, e5_source_changed)
{
	struct dsa_hw_desc d = copy_to(0);

	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	SRC[17] ^= 1;
	run_all();
	cr_expect_eq(DST[17], SRC[17], "data is read when it is executed");
	expect_only(DSA_RULE_E5);
}

Test(dsa_rules, e5_source_changed_in_a_batch)
{
	struct dsa_hw_desc d = batch_of(2);

	cr_assert(dsa_model_enqcmd(model, 0, 0, &d));
	SRC[PAGE_BYTES + 5] ^= 1;
	run_all();
	expect_only(DSA_RULE_E5);
}

Test(dsa_rules, impossible_configurations)
{
	struct dsa_model_config config;
	struct dsa_model *none_such;

	dsa_model_defaults(&config);
	config.wq_threshold = config.wq_size + 1;
	cr_expect_eq(dsa_model_open(&config, &none_such), -EINVAL);
	dsa_model_defaults(&config);
	config.nr_devices = 0;
	cr_expect_eq(dsa_model_open(&config, &none_such), -EINVAL);
}
