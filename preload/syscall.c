// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * syscall(2). It jumps to preload_syscall for the few numbers that the drop-in handles. All others
 * go to the kernel with all six arguments, by the same instructions as libc's syscall(): without a
 * stack frame, so that a clone onto another stack returns there, and without access to thread-local
 * storage except errno. C guarantees none of that, so this is assembly.
 */
#include <sys/syscall.h>

#define STR_(x) #x
#define STR(x)  STR_(x)

/* clang-format off */
#if defined(__x86_64__)

#define OURS(nr) "	cmpq	$" STR(nr) ", %rdi\n	je	preload_syscall\n"

__asm__("	.text\n"
	"	.p2align 4\n"
	"	.globl	syscall\n"
	"	.type	syscall, @function\n"
	"	.hidden	preload_syscall\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	OURS(SYS_move_pages)
	OURS(SYS_migrate_pages)
	OURS(SYS_vmsplice)
	OURS(SYS_setsockopt)
	OURS(SYS_io_uring_setup)
	"	movq	%rdi, %rax\n"
	"	movq	%rsi, %rdi\n"
	"	movq	%rdx, %rsi\n"
	"	movq	%rcx, %rdx\n"
	"	movq	%r8, %r10\n"
	"	movq	%r9, %r8\n"
	"	movq	8(%rsp), %r9\n"
	"	syscall\n"
	"	cmpq	$-4095, %rax\n"
	"	jae	1f\n"
	"	ret\n"
	"1:	negq	%rax\n"
	"	pushq	%rax\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call	__errno_location@PLT\n"
	"	popq	%rdx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	movl	%edx, (%rax)\n"
	"	movq	$-1, %rax\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size	syscall, .-syscall\n");

#elif defined(__aarch64__)

#define OURS(nr) "	cmp	x0, #" STR(nr) "\n	b.eq	preload_syscall\n"

__asm__("	.text\n"
	"	.p2align 4\n"
	"	.globl	syscall\n"
	"	.type	syscall, %function\n"
	"	.hidden	preload_syscall\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	hint	#34\n" /* bti c */
	OURS(SYS_move_pages)
	OURS(SYS_migrate_pages)
	OURS(SYS_vmsplice)
	OURS(SYS_setsockopt)
	OURS(SYS_io_uring_setup)
	"	mov	x8, x0\n"
	"	mov	x0, x1\n"
	"	mov	x1, x2\n"
	"	mov	x2, x3\n"
	"	mov	x3, x4\n"
	"	mov	x4, x5\n"
	"	mov	x5, x6\n"
	"	svc	#0\n"
	"	cmn	x0, #4095\n"
	"	b.hs	1f\n"
	"	ret\n"
	"1:	neg	w0, w0\n"
	"	stp	x30, x0, [sp, #-16]!\n"
	"	.cfi_adjust_cfa_offset 16\n"
	"	.cfi_rel_offset x30, 0\n"
	"	bl	__errno_location\n"
	"	ldp	x30, x1, [sp], #16\n"
	"	.cfi_adjust_cfa_offset -16\n"
	"	.cfi_restore x30\n"
	"	str	w1, [x0]\n"
	"	mov	x0, #-1\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size	syscall, .-syscall\n");

#else
#error "the drop-in implements the system call conventions of x86-64 and aarch64 only"
#endif
