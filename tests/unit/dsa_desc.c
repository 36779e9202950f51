// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The bytes of every descriptor beside hexadecimal written by hand from the tables of the
 * specification: PASID word, flags, opcode, then little-endian fields. The header's struct and the
 * builders are under test, so neither makes the expected bytes.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "hw/dsa/desc.h"

#define CR   ((struct dsa_completion_record *)0x00007f1122334460UL)
#define SRC  ((void *)0x00007faabbccd000UL)
#define DST  ((void *)0x00007f5566778000UL)
#define LIST ((struct dsa_hw_desc *)0x00007f0102030440UL)

static unsigned int hex_nibble(char c)
{
	return c <= '9' ? (unsigned int)(c - '0') : (unsigned int)(c - 'a' + 10);
}

static void expect_bytes(const struct dsa_hw_desc *desc, const char *golden)
{
	uint8_t want[64];
	size_t n = 0;

	for (const char *p = golden; *p; p++) {
		if (*p == ' ')
			continue;
		cr_assert(n < 64 && p[1], "golden text is longer than a descriptor");
		want[n++] = (uint8_t)(hex_nibble(p[0]) << 4 | hex_nibble(p[1]));
		p++;
	}
	cr_assert_eq(n, 64, "golden text has %zu bytes", n);
	for (size_t i = 0; i < 64; i++)
		cr_expect_eq(((const uint8_t *)desc)[i], want[i], "byte %zu: %02x, want %02x", i,
			     ((const uint8_t *)desc)[i], want[i]);
}

/* Builders must not depend on the previous content. */
static struct dsa_hw_desc *dirty_desc(void)
{
	static struct dsa_hw_desc desc __attribute__((aligned(64)));

	memset(&desc, 0xa5, sizeof(desc));
	return &desc;
}

Test(dsa_desc, noop)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_noop(d, 0, CR);
	expect_bytes(d, "00000000 0c0000 00 60443322117f0000 0000000000000000 0000000000000000"
			"00000000 0000 0000 0000000000000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, noop_without_report)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_noop(d, 0, NULL);
	expect_bytes(d, "00000000 000000 00 0000000000000000 0000000000000000 0000000000000000"
			"00000000 0000 0000 0000000000000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, batch)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_batch(d, 0, CR, LIST, 32);
	expect_bytes(d, "00000000 0c0000 01 60443322117f0000 40040302017f0000 0000000000000000"
			"20000000 0000 0000 0000000000000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, drain)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_drain(d, 0, CR);
	expect_bytes(d, "00000000 0c0000 02 60443322117f0000 0000000000000000 0000000000000000"
			"00000000 0000 0000 0000000000000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, memmove)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_memmove(d, 0, CR, DST, SRC, 4096);
	expect_bytes(d, "00000000 0c0000 03 60443322117f0000 00d0ccbbaa7f0000 00807766557f0000"
			"00100000 0000 0000 0000000000000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, memmove_with_fence_and_cache_control)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_memmove(d, IDXD_OP_FLAG_FENCE | IDXD_OP_FLAG_CC, CR, DST, SRC, 0x200000);
	expect_bytes(d, "00000000 0d0100 03 60443322117f0000 00d0ccbbaa7f0000 00807766557f0000"
			"00002000 0000 0000 0000000000000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, memfill)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_memfill(d, IDXD_OP_FLAG_BOF, CR, DST, 0x8877665544332211UL, 0x12345);
	expect_bytes(d, "00000000 0e0000 04 60443322117f0000 1122334455667788 00807766557f0000"
			"45230100 0000 0000 0000000000000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, compare)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_compare(d, IDXD_OP_FLAG_CR, CR, SRC, DST, 4096);
	expect_bytes(d, "00000000 8c0000 05 60443322117f0000 00d0ccbbaa7f0000 00807766557f0000"
			"00100000 0000 0000 0000000000000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, crcgen)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_crcgen(d, IDXD_OP_FLAG_FENCE, CR, SRC, 4096, 0xdeadbeef);
	expect_bytes(d, "00000000 0d0000 10 60443322117f0000 00d0ccbbaa7f0000 0000000000000000"
			"00100000 0000 0000 efbeadde00000000 0000000000000000 0000000000000000");
}

Test(dsa_desc, copy_crc)
{
	struct dsa_hw_desc *d = dirty_desc();

	dsa_desc_copy_crc(d, 0, CR, DST, SRC, 4096, 0x01020304);
	expect_bytes(d, "00000000 0c0000 11 60443322117f0000 00d0ccbbaa7f0000 00807766557f0000"
			"00100000 0000 0000 0403020100000000 0000000000000000 0000000000000000");
}

/* A completion record from a device: status 0x83, result 1, 0x1200 bytes, page 7f…8000. */
Test(dsa_desc, completion_record)
{
	static const uint8_t raw[32]
		__attribute__((aligned(32))) = {0x83, 0x01, 0x06, 0x00, 0x00, 0x12, 0x00,
						0x00, 0x00, 0x80, 0x77, 0x66, 0x55, 0x7f,
						0x00, 0x00, 0xef, 0xbe, 0xad, 0xde};
	const struct dsa_completion_record *cr = (const void *)raw;

	cr_expect_eq(dsa_cr_status(cr), 0x83);
	cr_expect_eq(dsa_status_code(dsa_cr_status(cr)), 0x03);
	cr_expect(dsa_status_is_partial(dsa_cr_status(cr)));
	cr_expect_eq(cr->result, 1);
	cr_expect_eq(cr->bytes_completed, 0x1200);
	cr_expect_eq(cr->fault_addr, 0x7f5566778000UL);
	cr_expect_eq((uint32_t)cr->crc_val, 0xdeadbeef);
}

Test(dsa_desc, opcodes_have_names)
{
	cr_expect_str_eq(dsa_opcode_name(0x03), "memmove");
	cr_expect_str_eq(dsa_opcode_name(0x11), "copy with CRC");
	cr_expect_str_eq(dsa_opcode_name(0x0b), "unknown");
	cr_expect_str_eq(dsa_opcode_name(0xee), "unknown");
}
