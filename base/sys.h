/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls without libc. They return -errno. They touch no thread-local storage, because errno
 * may lie on a page in flight. They cannot be interposed, so the drop-in never calls itself.
 *
 * In a build with FERRY_SYS_HOOKS (test builds only) every call first calls sys_hook, which may
 * answer in place of the kernel. Tests use this to make each system call of the mover fail in turn.
 */
#ifndef FERRY_SYS_H
#define FERRY_SYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#define SYS_MAX_ERRNO 4095

/* True if the result of a system call is -errno, as the kernel's IS_ERR_VALUE() tests it. */
static inline bool sys_is_error(long ret)
{
	return ret < 0 && ret >= -SYS_MAX_ERRNO;
}

static inline long sys_raw(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
#error "pageferry implements the system call conventions of x86-64 and aarch64 only"
#endif
}

#ifdef FERRY_SYS_HOOKS
/*
 * Returns true, with *ret set, to answer in place of the kernel; false to let the call through.
 * Must be async-signal-safe. Defined in sys_hook.c; NULL by default.
 */
typedef bool (*sys_hook_fn)(long nr, const long args[6], long *ret);
extern sys_hook_fn sys_hook;
#endif

static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
#ifdef FERRY_SYS_HOOKS
	const long args[6] = {a, b, c, d, e, f};
	sys_hook_fn hook = __atomic_load_n(&sys_hook, __ATOMIC_ACQUIRE);
	long ret;

	if (hook && hook(nr, args, &ret))
		return ret;
#endif
	return sys_raw(nr, a, b, c, d, e, f);
}

#define SYS_PICK(_1, _2, _3, _4, _5, _6, _7, n, ...) n
#define sys_call1(nr)                                sys_call6(nr, 0, 0, 0, 0, 0, 0)
#define sys_call2(nr, a)                             sys_call6(nr, (long)(a), 0, 0, 0, 0, 0)
#define sys_call3(nr, a, b)                          sys_call6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define sys_call4(nr, a, b, c)                       sys_call6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sys_call5(nr, a, b, c, d)                    sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define sys_call6_(nr, a, b, c, d, e) \
	sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define sys_call7(nr, a, b, c, d, e, f) \
	sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* sys(SYS_xxx, ...) takes up to six arguments of scalar or pointer type. The result or -errno. */
#define sys(...)                                                                                 \
	SYS_PICK(__VA_ARGS__, sys_call7, sys_call6_, sys_call5, sys_call4, sys_call3, sys_call2, \
		 sys_call1)                                                                      \
	(__VA_ARGS__)

#endif
