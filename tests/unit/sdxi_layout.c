// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The bytes of descriptors and blocks beside hexadecimal written by hand from the tables of the
 * specification: opcode dword, then little-endian fields at their offsets.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "engines/sdxi/context.h"
#include "engines/sdxi/ring.h"

#define CSB     ((const struct sdxi_cst_blk *)0x00007f1122334460UL)
#define SRC     0x00007faabbccd000UL
#define DST     0x00007f5566778000UL
#define ZERO_24 "000000000000000000000000000000000000000000000000"

static unsigned int hex_nibble(char c)
{
	return c <= '9' ? (unsigned int)(c - '0') : (unsigned int)(c - 'a' + 10);
}

static void expect_bytes(const void *got, size_t len_bytes, const char *golden)
{
	const uint8_t *bytes = got;
	size_t n = 0;

	for (const char *p = golden; *p; p++) {
		uint8_t want;

		if (*p == ' ')
			continue;
		cr_assert(n < len_bytes && p[1], "golden text is longer than %zu bytes", len_bytes);
		want = (uint8_t)(hex_nibble(p[0]) << 4 | hex_nibble(p[1]));
		cr_expect_eq(bytes[n], want, "byte 0x%02zx: %02x, want %02x", n, bytes[n], want);
		n++;
		p++;
	}
	cr_assert_eq(n, len_bytes, "golden text has %zu bytes", n);
}

/* Builders must not depend on the previous content. */
static struct sdxi_desc *dirty_desc(void)
{
	static struct sdxi_desc desc;

	memset(&desc, 0xa5, sizeof(desc));
	return &desc;
}

Test(sdxi_layout, copy_of_a_page)
{
	struct sdxi_desc *d = dirty_desc();

	/* type 0x001, subtype 0x03; 4096 - 1; akey0 0x0102 source, akey1 0x0304 destination */
	sdxi_build_copy(d, DST, 0x0304, SRC, 0x0102, 4096, CSB);
	expect_bytes(
		d, 64,
		"00030100 ff0f0000 00 000000 0201 0403 00d0ccbbaa7f0000 00807766557f0000" ZERO_24
		"60443322117f0000");
}

Test(sdxi_layout, copy_sizes_are_one_less)
{
	struct sdxi_desc *d = dirty_desc();

	sdxi_build_copy(d, DST, 1, SRC, 1, 1, NULL);
	expect_bytes(
		d, 64,
		"00030100 00000000 00 000000 0100 0100 00d0ccbbaa7f0000 00807766557f0000" ZERO_24
		"0100000000000000");
	sdxi_build_copy(d, DST, 1, SRC, 1, 1ULL << 32, NULL);
	expect_bytes(
		d, 64,
		"00030100 ffffffff 00 000000 0100 0100 00d0ccbbaa7f0000 00807766557f0000" ZERO_24
		"0100000000000000");
}

Test(sdxi_layout, fenced_copy)
{
	struct sdxi_desc *d = dirty_desc();

	sdxi_build_copy(d, DST, 1, SRC, 1, 2UL << 20, CSB);
	sdxi_set_fence(d);
	expect_bytes(
		d, 64,
		"04030100 ffff1f00 00 000000 0100 0100 00d0ccbbaa7f0000 00807766557f0000" ZERO_24
		"60443322117f0000");
}

Test(sdxi_layout, write_immediate)
{
	struct sdxi_desc *d = dirty_desc();

	sdxi_build_wrt_imm(d, DST, 7, "\x11\x22\x33\x44\x55", 5, CSB);
	expect_bytes(
		d, 64,
		"00020100 04000000 00 000000 0700 0000 00807766557f0000 1122334455 000000" ZERO_24
		"60443322117f0000");
}

Test(sdxi_layout, nop)
{
	struct sdxi_desc *d = dirty_desc();

	sdxi_build_nop(d, NULL);
	expect_bytes(d, 64, "00010100 00000000" ZERO_24 ZERO_24 "0100000000000000");
	sdxi_build_nop(d, CSB);
	expect_bytes(d, 64, "00010100 00000000" ZERO_24 ZERO_24 "60443322117f0000");
}

Test(sdxi_layout, interrupt)
{
	struct sdxi_desc *d = dirty_desc();

	/* type 0x004, subtype 0; akey at 0x0c */
	sdxi_build_intr(d, 0x0a0b, CSB);
	expect_bytes(d, 64,
		     "00000400 0000000000000000 0b0a 0000" ZERO_24
		     "00000000000000000000000000000000"
		     "60443322117f0000");
}

/* Admin descriptors have no builder; their fields have the offsets of the table. */
Test(sdxi_layout, admin_fields)
{
	struct sdxi_desc d = {.cxt = {.opcode = SDXI_OP_CXT_START_NM | SDXI_DSC_FE,
				      .vflags = 0x40,
				      .vf_num = 0x0201,
				      .cxt_start = 0x0403,
				      .cxt_end = 0x0605,
				      .db_value = 0x1122334455667788,
				      .csb_ptr = SDXI_CSB_NP}};

	expect_bytes(&d, 64,
		     "04030200 00 40 0102 0304 0506 00000000 8877665544332211" ZERO_24
		     "0000000000000000"
		     "0100000000000000");
	d = (struct sdxi_desc){.sync = {.opcode = SDXI_OP_SYNC,
					.cflags = 2,
					.cxt_start = 0x0201,
					.cxt_end = 0x0403,
					.key_start = 0x0605,
					.key_end = 0x0807,
					.csb_ptr = SDXI_CSB_NP}};
	expect_bytes(&d, 64,
		     "00060200 02 000000 0102 0304 0506 0708" ZERO_24
		     "00000000000000000000000000000000"
		     "0100000000000000");
}

Test(sdxi_layout, blocks)
{
	struct sdxi_cst_blk csb = {.signal = 0x21, .flags = SDXI_CST_BLK_ER};
	struct sdxi_cxt_sts sts = {.state = SDXI_CXT_ERR_FN, .read_index = 0x0102030405060708};
	struct sdxi_akey_ent akey = {.intr_num = SDXI_AKEY_VL | SDXI_AKEY_IV |
						 0x123 << SDXI_AKEY_INTR_SHIFT,
				     .tgt_sfunc = 0x0504,
				     .pasid = 0x20012345,
				     .stag = 0x0706,
				     .rkey = 0x0908};

	expect_bytes(&csb, 32,
		     "2100000000000000 00000080 0000000000000000000000000000000000000000");
	expect_bytes(&sts, 16, "0f00000000000000 0807060504030201");
	expect_bytes(&akey, 16, "3312 0405 45230120 0607 0000 0809 0000");
}

/* The context control block and level 1 entry of a channel. */
static int no_start(struct sdxi_backend *backend __maybe_unused,
		    struct sdxi_context *cxt __maybe_unused)
{
	return 0;
}

Test(sdxi_layout, context)
{
	static const struct sdxi_backend_ops ops = {.start = no_start};
	struct sdxi_backend backend = {.ops = &ops};
	struct sdxi_context cxt = {0};
	uint64_t words[8];

	cr_assert_eq(sdxi_context_open(&backend, &cxt), 0);
	memcpy(words, &cxt.shared->ctl, sizeof(words));
	cr_expect_eq(words[0], (uintptr_t)cxt.shared->descs | 1);
	cr_expect_eq(words[1], 1024);
	cr_expect_eq(words[2], (uintptr_t)&cxt.shared->sts);
	cr_expect_eq(words[3], (uintptr_t)&cxt.shared->write_index);
	cr_expect_eq(words[4] | words[5] | words[6] | words[7], 0);
	memcpy(words, &cxt.shared->l1, 32);
	cr_expect_eq(words[0], (uintptr_t)&cxt.shared->ctl | 1);
	cr_expect_eq(words[1], (uintptr_t)cxt.shared->akeys);
	cr_expect_eq(words[2], 9 << 20, "max_buffer is 2^(9 + 21)");
	cr_expect_eq(words[3], 0);
	expect_bytes(&cxt.shared->akeys[0], 16, "00000000000000000000000000000000");
	expect_bytes(&cxt.shared->akeys[1], 16, "01000000000000000000000000000000");
	sdxi_context_free(&cxt);
}
