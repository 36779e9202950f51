// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The portal shim's decoder: the assembler encodes each form of the instructions, and the decoder
 * must find the same operands.
 */
#include <criterion/criterion.h>

#include "base/base.h"
#include "tools/dsa-portal-shim/insn.c" /* NOLINT(bugprone-suspicious-include) */

#ifdef __x86_64__

#define RIP 0x7f0000401000UL

/* The bytes of an instruction, from name_from to name_to. */
#define FORM(name, text)                                                                           \
	__asm__(".pushsection .rodata\n.globl " #name "_from, " #name "_to\n" #name "_from: " text \
		"\n" #name "_to:\n.popsection");                                                   \
	extern const uint8_t name##_from[], name##_to[]

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Distinct, and with upper halves, so that a wrong or a shortened register shows. */
static uint64_t regs[INSN_NR_REGS];

static void set_registers(void)
{
	for (uint64_t i = 0; i < INSN_NR_REGS; i++)
		regs[i] = 0x7a0000000000 + (i << 36) + 0x10100 * (i + 1);
}

TestSuite(portal_insn, .init = set_registers);

static struct insn decode(const uint8_t *from, const uint8_t *to)
{
	uint8_t code[INSN_MAX_BYTES];

	/* What follows is of no account. */
	memset(code, 0xa5, sizeof(code));
	memcpy(code, from, (size_t)(to - from));
	return insn_decode(code, sizeof(code), RIP, regs);
}

#define EXPECT(name, kind_, portal_, source_)                                           \
	do {                                                                            \
		struct insn got = decode(name##_from, name##_to);                       \
		cr_expect_eq(got.kind, (kind_), #name ": kind %d", (int)got.kind);      \
		cr_expect_eq(got.len_bytes, (uint64_t)(name##_to - name##_from),        \
			     #name ": %zu bytes", (size_t)got.len_bytes);               \
		cr_expect_eq(got.portal, (portal_), #name ": portal %#lx", got.portal); \
		cr_expect_eq(got.source, (source_), #name ": source %#lx", got.source); \
	} while (0)

FORM(plain, "enqcmd (%rcx), %rax");
FORM(store, "movdir64b (%rdi), %rsi");
FORM(both_extended, "enqcmd (%r9), %r15");
FORM(portal_extended, "movdir64b (%rbx), %r8");
FORM(source_extended, "enqcmd (%r14), %rbp");

Test(portal_insn, registers)
{
	EXPECT(plain, INSN_ENQCMD, regs[RAX], regs[RCX]);
	EXPECT(store, INSN_MOVDIR64B, regs[RSI], regs[RDI]);
	EXPECT(both_extended, INSN_ENQCMD, regs[R15], regs[R9]);
	EXPECT(portal_extended, INSN_MOVDIR64B, regs[R8], regs[RBX]);
	EXPECT(source_extended, INSN_ENQCMD, regs[RBP], regs[R14]);
}

FORM(disp8, "enqcmd 0x40(%rdx), %rax");
FORM(disp8_negative, "movdir64b -0x40(%rbp), %rax");
FORM(disp32, "enqcmd 0x12345(%r11), %rax");
FORM(disp32_negative, "movdir64b -0x12345(%rsi), %r10");
FORM(rip_relative, "enqcmd 0x2000(%rip), %rax");
FORM(rip_negative, "movdir64b -0x2000(%rip), %r12");

Test(portal_insn, displacements)
{
	EXPECT(disp8, INSN_ENQCMD, regs[RAX], regs[RDX] + 0x40);
	EXPECT(disp8_negative, INSN_MOVDIR64B, regs[RAX], regs[RBP] - 0x40);
	EXPECT(disp32, INSN_ENQCMD, regs[RAX], regs[R11] + 0x12345);
	EXPECT(disp32_negative, INSN_MOVDIR64B, regs[R10], regs[RSI] - 0x12345);
	EXPECT(rip_relative, INSN_ENQCMD, regs[RAX],
	       RIP + (uint64_t)(rip_relative_to - rip_relative_from) + 0x2000);
	EXPECT(rip_negative, INSN_MOVDIR64B, regs[R12],
	       RIP + (uint64_t)(rip_negative_to - rip_negative_from) - 0x2000);
}

FORM(stack, "enqcmd (%rsp), %rax");
FORM(stack_disp, "movdir64b 0x80(%rsp), %rax");
FORM(base_r12, "enqcmd (%r12), %rax");
FORM(base_r13, "enqcmd (%r13), %rax");
FORM(base_rbp, "enqcmd (%rbp,%rax,2), %rbx");
FORM(index_r12, "enqcmd (%rax,%r12), %rbx");
FORM(index_4, "movdir64b 8(%r13,%r14,4), %r15");
FORM(index_8, "enqcmd -0x1000(%rdx,%rcx,8), %rbx");
FORM(index_only, "enqcmd 0x100(,%rdi,8), %rbx");
FORM(absolute, "movdir64b 0x7fff0000, %rbx");
FORM(absolute_negative, "movdir64b -0x1000, %rbx");

Test(portal_insn, scaled_index)
{
	EXPECT(stack, INSN_ENQCMD, regs[RAX], regs[RSP]);
	EXPECT(stack_disp, INSN_MOVDIR64B, regs[RAX], regs[RSP] + 0x80);
	EXPECT(base_r12, INSN_ENQCMD, regs[RAX], regs[R12]);
	EXPECT(base_r13, INSN_ENQCMD, regs[RAX], regs[R13]);
	EXPECT(base_rbp, INSN_ENQCMD, regs[RBX], regs[RBP] + 2 * regs[RAX]);
	EXPECT(index_r12, INSN_ENQCMD, regs[RBX], regs[RAX] + regs[R12]);
	EXPECT(index_4, INSN_MOVDIR64B, regs[R15], regs[R13] + 4 * regs[R14] + 8);
	EXPECT(index_8, INSN_ENQCMD, regs[RBX], regs[RDX] + 8 * regs[RCX] - 0x1000);
	EXPECT(index_only, INSN_ENQCMD, regs[RBX], 8 * regs[RDI] + 0x100);
	EXPECT(absolute, INSN_MOVDIR64B, regs[RBX], 0x7fff0000UL);
	EXPECT(absolute_negative, INSN_MOVDIR64B, regs[RBX], -0x1000UL);
}

FORM(narrow, "enqcmd (%ecx), %eax");
FORM(narrow_sum, "movdir64b 0x7fffffff(%r9d,%edx,8), %r8d");
FORM(narrow_rip, "enqcmd 0x20(%eip), %eax");

Test(portal_insn, addresses_of_32_bits)
{
	EXPECT(narrow, INSN_ENQCMD, (uint32_t)regs[RAX], (uint32_t)regs[RCX]);
	EXPECT(narrow_sum, INSN_MOVDIR64B, (uint32_t)regs[R8],
	       (uint32_t)(regs[R9] + 8 * regs[RDX] + 0x7fffffff));
	EXPECT(narrow_rip, INSN_ENQCMD, (uint32_t)regs[RAX],
	       (uint32_t)(RIP + (uint64_t)(narrow_rip_to - narrow_rip_from) + 0x20));
}

FORM(no_effect, ".byte 0x2e, 0x3e; enqcmd (%rcx), %rax");
FORM(both_prefixes, ".byte 0x66; enqcmd (%rcx), %rax");
FORM(wide, ".byte 0xf2, 0x48, 0x0f, 0x38, 0xf8, 0x01"); /* REX.W */
FORM(stale_rex, ".byte 0x4f, 0xf2, 0x0f, 0x38, 0xf8, 0x01");

Test(portal_insn, prefixes)
{
	EXPECT(no_effect, INSN_ENQCMD, regs[RAX], regs[RCX]);
	EXPECT(both_prefixes, INSN_ENQCMD, regs[RAX], regs[RCX]);
	EXPECT(wide, INSN_ENQCMD, regs[RAX], regs[RCX]);
	EXPECT(stale_rex, INSN_ENQCMD, regs[RAX], regs[RCX]);
}

FORM(umonitor, "umonitor %rax");
FORM(umonitor_r9, "umonitor %r9");
FORM(umwait, "umwait %ecx");
FORM(tpause, "tpause %r10d");

Test(portal_insn, waits)
{
	EXPECT(umonitor, INSN_WAIT, 0, 0);
	EXPECT(umonitor_r9, INSN_WAIT, 0, 0);
	EXPECT(umwait, INSN_WAIT, 0, 0);
	EXPECT(tpause, INSN_WAIT, 0, 0);
}

FORM(enqcmds, ".byte 0xf3, 0x0f, 0x38, 0xf8, 0x01");
FORM(no_prefix, ".byte 0x0f, 0x38, 0xf8, 0x01");
FORM(register_form, ".byte 0xf2, 0x0f, 0x38, 0xf8, 0xc1");
FORM(by_fs, ".byte 0x64; enqcmd (%rcx), %rax");
FORM(by_gs, ".byte 0x65; movdir64b (%rcx), %rax");
FORM(locked, ".byte 0xf0; enqcmd (%rcx), %rax");
FORM(ud2, "ud2");
FORM(mfence, "mfence");
FORM(clwb, "clwb (%rax)");
FORM(movdiri, "movdiri %rax, (%rcx)");
FORM(load, "mov (%rax), %rcx");

#define EXPECT_OTHER(name) cr_expect_eq(decode(name##_from, name##_to).kind, INSN_OTHER, #name)

Test(portal_insn, others_are_left_alone)
{
	EXPECT_OTHER(enqcmds);
	EXPECT_OTHER(no_prefix);
	EXPECT_OTHER(register_form);
	EXPECT_OTHER(by_fs);
	EXPECT_OTHER(by_gs);
	EXPECT_OTHER(locked);
	EXPECT_OTHER(ud2);
	EXPECT_OTHER(mfence);
	EXPECT_OTHER(clwb);
	EXPECT_OTHER(movdiri);
	EXPECT_OTHER(load);
}

/* At the end of what is mapped there are fewer bytes than the longest instruction has. */
Test(portal_insn, cut_short)
{
	size_t len = (size_t)(index_8_to - index_8_from);

	cr_expect_eq(insn_decode(index_8_from, len, RIP, regs).kind, INSN_ENQCMD);
	for (size_t nr = 0; nr < len; nr++)
		cr_expect_eq(insn_decode(index_8_from, nr, RIP, regs).kind, INSN_OTHER,
			     "%zu of %zu bytes", nr, len);
}

#endif
