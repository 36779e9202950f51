// SPDX-License-Identifier: LGPL-2.1-or-later
#if defined(__aarch64__)
#include <sys/auxv.h>

#include "copy/arch.h"

/* HWCAP_CPUID of asm/hwcap.h: the kernel emulates reads of MIDR_EL1. */
#define HAS_CPUID (1UL << 11)

struct cpu_id cpu_identify(void)
{
	uint64_t midr;

	if (!(getauxval(AT_HWCAP) & HAS_CPUID))
		return (struct cpu_id){0};
	__asm__("mrs %0, midr_el1" : "=r"(midr));
	return (struct cpu_id){.vendor = midr >> 24 & 0xff, .model = midr >> 4 & 0xfff};
}
#endif
