/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Monotonic time and the CPU time of the calling thread, in nanoseconds.
 *
 * These are system calls, not the vDSO's functions: those read a page that the kernel maps at the
 * first use, and since Linux 7.3 migrate_pages(2) counts that page among those that it could not
 * move. A program that never reads a clock would get another answer because of us.
 */
#ifndef FERRY_CLOCK_H
#define FERRY_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/sys.h"

#define NS_PER_SEC 1000000000ULL
#define NS_PER_MS  1000000ULL
#define NS_PER_US  1000ULL

static inline uint64_t clock_read_ns(clockid_t id)
{
	struct timespec ts;

	if (sys(SYS_clock_gettime, id, &ts)) /* a seccomp filter */
		clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

static inline uint64_t thread_cpu_ns(void)
{
	return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
