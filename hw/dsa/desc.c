// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hw/dsa/desc.h"

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

const char *dsa_opcode_name(uint8_t opcode)
{
	return opcode < ARRAY_SIZE(opcode_names) && opcode_names[opcode] ? opcode_names[opcode]
									 : "unknown";
}
