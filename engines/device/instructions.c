// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdatomic.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/clock.h"
#include "engines/device/instructions.h"

#if defined(__x86_64__)

static bool cpu_has_feature(unsigned int bit)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx >> bit & 1);
}

bool device_cpu_has_enqcmd(void)
{
	return cpu_has_feature(29);
}

bool device_cpu_has_movdir64b(void)
{
	return cpu_has_feature(28);
}

bool device_cpu_has_waitpkg(void)
{
	return cpu_has_feature(5);
}

bool device_enqcmd(void *portal, const void *desc)
{
	bool retry;

	__asm__ volatile("enqcmd (%2), %1" : "=@ccz"(retry) : "r"(portal), "r"(desc) : "memory");
	return !retry;
}

void device_movdir64b(void *portal, const void *desc)
{
	__asm__ volatile("movdir64b (%1), %0" : : "r"(portal), "r"(desc) : "memory");
}

void device_umwait(const void *line, uint64_t max_cycles)
{
	uint64_t until = __builtin_ia32_rdtsc() + max_cycles;

	__asm__ volatile("umonitor %0" : : "r"(line) : "memory");
	if (__atomic_load_n((const uint8_t *)line, __ATOMIC_ACQUIRE))
		return;
	/* C0.1 wakes up in half the time of C0.2. */
	__asm__ volatile("umwait %0"
			 :
			 : "r"(1), "a"((uint32_t)until), "d"((uint32_t)(until >> 32))
			 : "cc", "memory");
}

void device_fence(void)
{
	__asm__ volatile("sfence" : : : "memory");
}

#else

bool device_cpu_has_enqcmd(void)
{
	return false;
}

bool device_cpu_has_movdir64b(void)
{
	return false;
}

bool device_cpu_has_waitpkg(void)
{
	return false;
}

bool device_enqcmd(void *portal, const void *desc)
{
	(void)portal;
	(void)desc;
	return false;
}

void device_movdir64b(void *portal, const void *desc)
{
	(void)portal;
	(void)desc;
}

void device_umwait(const void *line, uint64_t max_cycles)
{
	(void)line;
	(void)max_cycles;
	cpu_relax();
}

void device_fence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

#endif
