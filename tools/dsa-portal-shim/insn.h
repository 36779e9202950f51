/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decodes the instructions that submit descriptors to a DSA portal, and those that wait for one. */
#ifndef SHIM_INSN_H
#define SHIM_INSN_H

#include <stddef.h>
#include <stdint.h>

#define INSN_MAX_BYTES 15
#define INSN_NR_REGS   16

enum insn_kind {
	INSN_OTHER,
	INSN_ENQCMD,
	INSN_MOVDIR64B,
	INSN_WAIT, /* UMONITOR, UMWAIT, TPAUSE */
};

struct insn {
	enum insn_kind kind;
	uint64_t len_bytes;
	uint64_t portal; /* of ENQCMD and MOVDIR64B: where the 64 bytes go */
	uint64_t source;
};

/*
 * Decodes one instruction of 64-bit mode. code: nr_bytes from `rip` on; regs: by their numbers in
 * the encoding. What it does not know, ENQCMDS and operands relative to FS or GS among it, is
 * INSN_OTHER.
 */
struct insn insn_decode(const uint8_t *code, size_t nr_bytes, uint64_t rip,
			const uint64_t regs[INSN_NR_REGS]);

#endif
