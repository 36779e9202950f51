// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hw/dsa/status.h"

#include <stdio.h>

#include "hw/dsa/desc.h"

struct status_words {
	const char *key, *name;
	const char *name_of_write; /* with bit 7 set; NULL: the code never has it */
};

static const struct status_words statuses[] = {
	[DSA_COMP_NONE] = {"none", "not completed", NULL},
	[DSA_COMP_SUCCESS] = {"success", "success", NULL},
	[DSA_COMP_SUCCESS_PRED] = {"predicate_false", "success, predicate false", NULL},
	[DSA_COMP_PAGE_FAULT_NOBOF] = {"page_fault", "page fault", "page fault on write"},
	[DSA_COMP_PAGE_FAULT_IR] = {"page_request_refused", "page request refused",
				    "page request for write refused"},
	[DSA_COMP_BATCH_FAIL] = {"batch_failed", "a descriptor of the batch failed", NULL},
	[DSA_COMP_BATCH_PAGE_FAULT] = {"list_page_fault", "page fault on the descriptor list",
				       "page fault on the descriptor list, on write"},
	[DSA_COMP_DR_OFFSET_NOINC] = {"delta_order", "delta record offsets do not rise", NULL},
	[DSA_COMP_DR_OFFSET_ERANGE] = {"delta_offset", "delta record offset out of range", NULL},
	[DSA_COMP_DIF_ERR] = {"dif_error", "data integrity field error", NULL},
	[DSA_COMP_BAD_OPCODE] = {"bad_opcode", "unsupported opcode", NULL},
	[DSA_COMP_INVALID_FLAGS] = {"bad_flags", "invalid flags", NULL},
	[DSA_COMP_NOZERO_RESERVE] = {"reserved_not_zero", "reserved field not zero", NULL},
	[DSA_COMP_XFER_ERANGE] = {"bad_size", "transfer size out of range", NULL},
	[DSA_COMP_DESC_CNT_ERANGE] = {"bad_count", "descriptor count out of range", NULL},
	[DSA_COMP_DR_ERANGE] = {"delta_size", "delta record size out of range", NULL},
	[DSA_COMP_OVERLAP_BUFFERS] = {"overlap", "buffers overlap", NULL},
	[DSA_COMP_DCAST_ERR] = {"dualcast_mismatch",
				"dualcast destinations differ in their low 12 bits", NULL},
	[DSA_COMP_DESCLIST_ALIGN] = {"list_misaligned", "descriptor list misaligned", NULL},
	[DSA_COMP_INT_HANDLE_INVAL] = {"bad_interrupt", "invalid interrupt handle", NULL},
	[DSA_COMP_CRA_XLAT] = {"record_unmapped", "completion record address not mapped",
			       "completion record address not mapped for writing"},
	[DSA_COMP_CRA_ALIGN] = {"record_misaligned", "completion record address misaligned", NULL},
	[DSA_COMP_ADDR_ALIGN] = {"misaligned", "address misaligned", NULL},
	[DSA_COMP_PRIV_BAD] = {"bad_privilege", "privilege violation", NULL},
	[DSA_COMP_TRAFFIC_CLASS_CONF] = {"bad_traffic_class", "traffic class misconfigured", NULL},
	[DSA_COMP_PFAULT_RDBA] = {"readback_page_fault", "page fault on drain readback",
				  "page fault on drain readback, on write"},
	[DSA_COMP_HW_ERR1] = {"hw_error.read", "hardware error on read", NULL},
	[DSA_COMP_HW_ERR_DRB] = {"hw_error.write", "hardware error on write", NULL},
	[DSA_COMP_TRANSLATION_FAIL] = {"translation_failed", "address translation failed", NULL},
};

static const struct status_words *status_find(uint8_t status)
{
	uint8_t code = status & (uint8_t)~DSA_COMP_STATUS_WRITE;

	if (code >= ARRAY_SIZE(statuses) || !statuses[code].key)
		return NULL;
	if ((status & DSA_COMP_STATUS_WRITE) && !statuses[code].name_of_write)
		return NULL;
	return &statuses[code];
}

const char *dsa_status_name(uint8_t status)
{
	const struct status_words *known = status_find(status);

	if (!known)
		return "unknown status";
	return status & DSA_COMP_STATUS_WRITE ? known->name_of_write : known->name;
}

const char *dsa_status_key(uint8_t status, char buf[DSA_STATUS_KEY_BYTES])
{
	const struct status_words *known = status_find(status);

	if (known)
		snprintf(buf, DSA_STATUS_KEY_BYTES, "%s%s", known->key,
			 status & DSA_COMP_STATUS_WRITE ? ".write" : "");
	else
		snprintf(buf, DSA_STATUS_KEY_BYTES, "0x%02x", status);
	return buf;
}
