// SPDX-License-Identifier: LGPL-2.1-or-later
/* The names of statuses, beside the table of the specification. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/base.h"
#include "hw/dsa/status.h"

/* Every code of the specification for completion records. */
static const struct {
	uint8_t status;
	const char *key, *name;
} table[] = {
	{0x00, "none", "not completed"},
	{0x01, "success", "success"},
	{0x02, "predicate_false", "success, predicate false"},
	{0x03, "page_fault", "page fault"},
	{0x83, "page_fault.write", "page fault on write"},
	{0x04, "page_request_refused", "page request refused"},
	{0x84, "page_request_refused.write", "page request for write refused"},
	{0x05, "batch_failed", "a descriptor of the batch failed"},
	{0x06, "list_page_fault", "page fault on the descriptor list"},
	{0x86, "list_page_fault.write", "page fault on the descriptor list, on write"},
	{0x07, "delta_order", "delta record offsets do not rise"},
	{0x08, "delta_offset", "delta record offset out of range"},
	{0x09, "dif_error", "data integrity field error"},
	{0x10, "bad_opcode", "unsupported opcode"},
	{0x11, "bad_flags", "invalid flags"},
	{0x12, "reserved_not_zero", "reserved field not zero"},
	{0x13, "bad_size", "transfer size out of range"},
	{0x14, "bad_count", "descriptor count out of range"},
	{0x15, "delta_size", "delta record size out of range"},
	{0x16, "overlap", "buffers overlap"},
	{0x17, "dualcast_mismatch", "dualcast destinations differ in their low 12 bits"},
	{0x18, "list_misaligned", "descriptor list misaligned"},
	{0x19, "bad_interrupt", "invalid interrupt handle"},
	{0x1a, "record_unmapped", "completion record address not mapped"},
	{0x9a, "record_unmapped.write", "completion record address not mapped for writing"},
	{0x1b, "record_misaligned", "completion record address misaligned"},
	{0x1c, "misaligned", "address misaligned"},
	{0x1d, "bad_privilege", "privilege violation"},
	{0x1e, "bad_traffic_class", "traffic class misconfigured"},
	{0x1f, "readback_page_fault", "page fault on drain readback"},
	{0x9f, "readback_page_fault.write", "page fault on drain readback, on write"},
	{0x20, "hw_error.read", "hardware error on read"},
	{0x21, "hw_error.write", "hardware error on write"},
	{0x22, "translation_failed", "address translation failed"},
};

static int row_of(unsigned int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].status == status)
			return (int)i;
	return -1;
}

Test(dsa_status, every_byte_has_its_name)
{
	char key[DSA_STATUS_KEY_BYTES], hex[8];

	for (unsigned int status = 0; status < 256; status++) {
		int row = row_of(status);

		snprintf(hex, sizeof(hex), "0x%02x", status);
		cr_expect_str_eq(dsa_status_name((uint8_t)status),
				 row < 0 ? "unknown status" : table[row].name, "%s", hex);
		cr_expect_str_eq(dsa_status_key((uint8_t)status, key),
				 row < 0 ? hex : table[row].key, "%s", hex);
	}
}

/* A report could not distinguish two codes with one name. */
Test(dsa_status, keys_differ)
{
	char a[DSA_STATUS_KEY_BYTES], b[DSA_STATUS_KEY_BYTES];

	for (unsigned int i = 0; i < 256; i++)
		for (unsigned int j = 0; j < i; j++)
			cr_expect_str_neq(dsa_status_key((uint8_t)i, a),
					  dsa_status_key((uint8_t)j, b));
}
