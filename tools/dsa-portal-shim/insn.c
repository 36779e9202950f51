// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdbool.h>
#include <string.h>

#include "tools/dsa-portal-shim/insn.h"

#define NO_BASE 4 /* ModRM.rm: a SIB byte follows; SIB.index: none */
#define DISP32  5 /* with mod 0: no base, a displacement of 32 bits */

struct cursor {
	const uint8_t *code;
	size_t nr_bytes;
	size_t at;
	bool short_of; /* the bytes ended before the instruction did */
};

struct prefixes {
	uint8_t repeat; /* 0xf2, 0xf3, or 0 */
	bool operand_size;
	bool address_size;
	bool segment; /* FS or GS, whose bases are unknown here */
	bool lock;
	uint8_t rex;
};

static uint8_t cursor_next(struct cursor *c)
{
	if (c->at < c->nr_bytes)
		return c->code[c->at++];
	c->short_of = true;
	return 0;
}

static int32_t cursor_next32(struct cursor *c)
{
	uint32_t value = 0;

	for (int shift = 0; shift < 32; shift += 8)
		value |= (uint32_t)cursor_next(c) << shift;
	return (int32_t)value;
}

/* Returns the first byte that is no prefix. A REX prefix counts only if no other follows it. */
static uint8_t take_prefixes(struct cursor *c, struct prefixes *p)
{
	for (;;) {
		uint8_t byte = cursor_next(c);

		switch (byte) {
		case 0xf2:
		case 0xf3:
			p->repeat = byte;
			break;
		case 0x66:
			p->operand_size = true;
			break;
		case 0x67:
			p->address_size = true;
			break;
		case 0x64:
		case 0x65:
			p->segment = true;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			break; /* no effect in 64-bit mode */
		case 0xf0:
			p->lock = true;
			break;
		case 0x40 ... 0x4f:
			p->rex = byte;
			continue;
		default:
			return byte;
		}
		p->rex = 0;
	}
}

/* A register number of three bits, extended by a bit of the REX prefix. */
static uint8_t extend(uint8_t number, const struct prefixes *p, uint8_t rex_bit)
{
	return (uint8_t)((number & 7) | (p->rex & rex_bit ? 8 : 0));
}

/* The address that ModRM and what follows it describe; the cursor ends behind them. */
static uint64_t take_address(struct cursor *c, const struct prefixes *p, uint8_t modrm,
			     uint64_t rip, const uint64_t *regs)
{
	uint8_t mod = modrm >> 6, rm = modrm & 7, sib;
	uint64_t address = 0;
	bool based = true;

	if (rm == NO_BASE) {
		sib = cursor_next(c);
		if (extend(sib >> 3, p, 2) != NO_BASE)
			address = regs[extend(sib >> 3, p, 2)] << (sib >> 6);
		rm = sib & 7;
		based = mod || rm != DISP32;
	} else if (!mod && rm == DISP32) {
		int32_t disp = cursor_next32(c);

		return rip + c->at + (uint64_t)(int64_t)disp;
	}
	if (based)
		address += regs[extend(rm, p, 1)];
	if (mod == 1)
		address += (uint64_t)(int64_t)(int8_t)cursor_next(c);
	else if (mod == 2 || !based)
		address += (uint64_t)(int64_t)cursor_next32(c);
	return address;
}

static void decode_submission(struct cursor *c, const struct prefixes *p, uint64_t rip,
			      const uint64_t *regs, struct insn *insn)
{
	uint8_t modrm = cursor_next(c);
	uint64_t mask = p->address_size ? UINT32_MAX : UINT64_MAX;

	if (modrm >> 6 == 3 || p->segment || p->repeat == 0xf3)
		return;
	insn->source = take_address(c, p, modrm, rip, regs) & mask;
	insn->portal = regs[extend(modrm >> 3, p, 4)] & mask;
	if (p->repeat == 0xf2)
		insn->kind = INSN_ENQCMD;
	else if (p->operand_size)
		insn->kind = INSN_MOVDIR64B;
}

/* UMONITOR, UMWAIT and TPAUSE are one opcode with three prefixes; without any it is MFENCE. */
static void decode_wait(struct cursor *c, const struct prefixes *p, struct insn *insn)
{
	uint8_t modrm = cursor_next(c);

	if (modrm >> 6 == 3 && (modrm >> 3 & 7) == 6 && (p->repeat || p->operand_size))
		insn->kind = INSN_WAIT;
}

struct insn insn_decode(const uint8_t *code, size_t nr_bytes, uint64_t rip,
			const uint64_t regs[INSN_NR_REGS])
{
	struct cursor c = {.code = code, .nr_bytes = nr_bytes};
	struct prefixes p = {0};
	struct insn insn = {0};
	uint8_t opcode;

	if (take_prefixes(&c, &p) != 0x0f || p.lock)
		return insn;
	opcode = cursor_next(&c);
	if (opcode == 0xae)
		decode_wait(&c, &p, &insn);
	else if (opcode == 0x38 && cursor_next(&c) == 0xf8)
		decode_submission(&c, &p, rip, regs, &insn);
	if (c.short_of)
		insn.kind = INSN_OTHER;
	insn.len_bytes = c.at;
	return insn;
}
