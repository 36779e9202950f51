// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engines/dsa/desc.h"

static const char *const status_names[] = {
	[DSA_COMP_NONE] = "not completed",
	[DSA_COMP_SUCCESS] = "success",
	[DSA_COMP_SUCCESS_PRED] = "success, predicate false",
	[DSA_COMP_PAGE_FAULT_NOBOF] = "page fault",
	[DSA_COMP_PAGE_FAULT_IR] = "page request refused",
	[DSA_COMP_BATCH_FAIL] = "a descriptor of the batch failed",
	[DSA_COMP_BATCH_PAGE_FAULT] = "page fault on the descriptor list",
	[DSA_COMP_DR_OFFSET_NOINC] = "delta record offsets do not rise",
	[DSA_COMP_DR_OFFSET_ERANGE] = "delta record offset out of range",
	[DSA_COMP_DIF_ERR] = "data integrity field error",
	[DSA_COMP_BAD_OPCODE] = "unsupported opcode",
	[DSA_COMP_INVALID_FLAGS] = "invalid flags",
	[DSA_COMP_NOZERO_RESERVE] = "reserved field not zero",
	[DSA_COMP_XFER_ERANGE] = "transfer size out of range",
	[DSA_COMP_DESC_CNT_ERANGE] = "descriptor count out of range",
	[DSA_COMP_DR_ERANGE] = "delta record size out of range",
	[DSA_COMP_OVERLAP_BUFFERS] = "buffers overlap",
	[DSA_COMP_DCAST_ERR] = "dualcast destinations differ in their low 12 bits",
	[DSA_COMP_DESCLIST_ALIGN] = "descriptor list misaligned",
	[DSA_COMP_INT_HANDLE_INVAL] = "invalid interrupt handle",
	[DSA_COMP_CRA_XLAT] = "completion record address not mapped",
	[DSA_COMP_CRA_ALIGN] = "completion record address misaligned",
	[DSA_COMP_ADDR_ALIGN] = "address misaligned",
	[DSA_COMP_PRIV_BAD] = "privilege violation",
	[DSA_COMP_TRAFFIC_CLASS_CONF] = "traffic class misconfigured",
	[DSA_COMP_PFAULT_RDBA] = "page fault on drain readback",
	[DSA_COMP_HW_ERR1] = "hardware error on read",
	[DSA_COMP_HW_ERR_DRB] = "hardware error on write",
	[DSA_COMP_TRANSLATION_FAIL] = "address translation failed",
};

static const char *const opcode_names[] = {
	[DSA_OPCODE_NOOP] = "noop",
	[DSA_OPCODE_BATCH] = "batch",
	[DSA_OPCODE_DRAIN] = "drain",
	[DSA_OPCODE_MEMMOVE] = "memmove",
	[DSA_OPCODE_MEMFILL] = "memfill",
	[DSA_OPCODE_COMPARE] = "compare",
	[DSA_OPCODE_COMPVAL] = "compare pattern",
	[DSA_OPCODE_CR_DELTA] = "create delta record",
	[DSA_OPCODE_AP_DELTA] = "apply delta record",
	[DSA_OPCODE_DUALCAST] = "dualcast",
	[DSA_OP_TRANSL_FETCH] = "translation fetch",
	[DSA_OPCODE_CRCGEN] = "CRC generation",
	[DSA_OPCODE_COPY_CRC] = "copy with CRC",
	[DSA_OPCODE_DIF_CHECK] = "DIF check",
	[DSA_OPCODE_DIF_INS] = "DIF insert",
	[DSA_OPCODE_DIF_STRP] = "DIF strip",
	[DSA_OPCODE_DIF_UPDT] = "DIF update",
	[DSA_OP_DIX_GEN] = "DIX generate",
	[DSA_OPCODE_CFLUSH] = "cache flush",
	[DSA_OP_UPDATE_WIN] = "update window",
};

static const char *name_in(const char *const *names, size_t nr_names, uint8_t index,
			   const char *unknown)
{
	return index < nr_names && names[index] ? names[index] : unknown;
}

/* The bit is defined for translation faults only; anywhere else it makes the code unknown. */
static bool may_be_write(uint8_t code)
{
	return code == DSA_COMP_PAGE_FAULT_NOBOF || code == DSA_COMP_PAGE_FAULT_IR ||
	       code == DSA_COMP_BATCH_PAGE_FAULT || code == DSA_COMP_CRA_XLAT ||
	       code == DSA_COMP_PFAULT_RDBA;
}

const char *dsa_status_name(uint8_t status)
{
	uint8_t code = status & 0x7f;

	if (status == (DSA_COMP_PAGE_FAULT_NOBOF | DSA_COMP_STATUS_WRITE))
		return "page fault on write";
	if (status == (DSA_COMP_PAGE_FAULT_IR | DSA_COMP_STATUS_WRITE))
		return "page request for write refused";
	if ((status & DSA_COMP_STATUS_WRITE) && !may_be_write(code))
		return "unknown status";
	return name_in(status_names, ARRAY_SIZE(status_names), code, "unknown status");
}

const char *dsa_opcode_name(uint8_t opcode)
{
	return name_in(opcode_names, ARRAY_SIZE(opcode_names), opcode, "unknown");
}
