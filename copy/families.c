// SPDX-License-Identifier: LGPL-2.1-or-later
#include "copy/families.h"

#define VENDOR_AMD   0x68747541U /* "Auth"enticAMD */
#define VENDOR_INTEL 0x756e6547U /* "Genu"ineIntel */
#define VENDOR_HYGON 0x6f677948U /* "Hygo"nGenuine */
#define VENDOR_ARM   0x41U

/* Narrower ones follow, because a hypervisor may hide AVX. */
#if defined(__x86_64__)
static const char *const linear64[] = {"stream64", "stream32", "stream16", NULL};
static const char *const linear32[] = {"stream32", "stream16", NULL};
static const char *const steps4[] = {"stream32x4", "stream16x4", NULL};
static const char *const steps8[] = {"stream32x8", "stream16x4", NULL};
#elif defined(__aarch64__)
static const char *const linear32[] = {"stream32", NULL};
#endif

struct cpu_family {
	const char *name;
	uint32_t vendor, family;
	uint32_t first_model, last_model;
	bool (*has)(void); /* a feature that it has, too; NULL: any */
	const char *const *kernels;
};

/*
 * The first row that fits wins. "as": not measured; the line is that of the CPU named, which it
 * resembles.
 *
 * Zen 5 copies huge pages at 28 GB/s with a linear loop and at 14.5 with four pages in step (one
 * worker, 2 vCPUs). Sapphire Rapids copies them at 7.6 with a linear loop, at 11.1 with four pages
 * in step and at 11.7 with eight, and with registers of 32 bytes as fast as of 64 (one worker,
 * 2 vCPUs; two workers twice that). glibc takes pages in step since 2.34: its authors found that a
 * clear gain with registers of 16 and 32 bytes, and not with 64.
 */
static const struct cpu_family families[] = {
#if defined(__x86_64__)
	{"Zen 5", VENDOR_AMD, 0x1a, 0x00, 0xff, NULL, linear64},
	{"Zen 4, as Zen 5", VENDOR_AMD, 0x19, 0x10, 0x1f, NULL, linear64},
	{"Zen 4, as Zen 5", VENDOR_AMD, 0x19, 0x60, 0xaf, NULL, linear64},
	{"Zen 3, as Zen 5", VENDOR_AMD, 0x19, 0x00, 0x5f, NULL, linear32},
	{"Zen 1 and 2, as Zen 5", VENDOR_AMD, 0x17, 0x00, 0xff, NULL, linear32},
	{"Hygon Dhyana, as Zen 5", VENDOR_HYGON, 0x18, 0x00, 0xff, NULL, linear32},
	{"Skylake-SP, Cascade Lake", VENDOR_INTEL, 6, 0x55, 0x55, NULL, steps4},
	{"Ice Lake-SP", VENDOR_INTEL, 6, 0x6a, 0x6c, NULL, steps4},
	{"Sapphire Rapids", VENDOR_INTEL, 6, 0x8f, 0x8f, NULL, steps8},
	{"Emerald Rapids, as Sapphire Rapids", VENDOR_INTEL, 6, 0xcf, 0xcf, NULL, steps8},
	{"Granite Rapids, as Sapphire Rapids", VENDOR_INTEL, 6, 0xad, 0xae, NULL, steps8},
	/* A hypervisor may invent the model, but cannot invent AMX. */
	{"Sapphire Rapids and later", VENDOR_INTEL, 6, 0x00, 0xff, cpu_has_amx, steps8},
	{"other x86-64", 0, 0, 0, 0, NULL, steps4},
#elif defined(__aarch64__)
	/* By Arm's manuals these notice themselves that whole lines are written. */
	{"Neoverse N1", VENDOR_ARM, 0, 0xd0c, 0xd0c, NULL, linear32},
	{"Neoverse V1", VENDOR_ARM, 0, 0xd40, 0xd40, NULL, linear32},
	{"Neoverse N2", VENDOR_ARM, 0, 0xd49, 0xd49, NULL, linear32},
	{"Neoverse V2", VENDOR_ARM, 0, 0xd4f, 0xd4f, NULL, linear32},
	{"other aarch64", 0, 0, 0, 0, NULL, linear32},
#endif
};

static bool family_fits(const struct cpu_family *family, const struct cpu_id *id)
{
	if (!family->vendor)
		return true;
	return family->vendor == id->vendor && family->family == id->family &&
	       id->model >= family->first_model && id->model <= family->last_model &&
	       (!family->has || family->has());
}

const char *const *cpu_family_kernels(const struct cpu_id *id)
{
	unsigned int i = 0;

	while (!family_fits(&families[i], id))
		i++;
	return families[i].kernels;
}
