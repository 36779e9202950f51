/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copy kernels: the loops that move bytes. Chosen at run time by what the CPU can do.
 *
 * Each is complete in itself (streaming stores are fenced before it returns), takes any alignment
 * and length, and touches no memory but source, destination and stack, "libc" excepted.
 */
#ifndef FERRY_KERNELS_H
#define FERRY_KERNELS_H

#include "base/base.h"

typedef void (*copy_fn)(void *restrict dst, const void *restrict src, size_t len_bytes);

/*
 * Four copies of one length in step, which hides the latency of scattered small pages. Destinations
 * are aligned to a cache line, and the length is a multiple of one.
 */
typedef void (*copy4_fn)(char *const to[4], const char *const from[4], size_t len_bytes);

struct copy_kernel {
	const char
		*name; /* "libc", "movsb", "avx2-nt", "avx512-nt", "neon", "neon-nt", "generic" */
	const char *needs; /* CPU flags in words, for doctor */
	copy_fn copy;
	copy4_fn copy4; /* NULL: no faster than one by one */
	bool (*usable)(void);
	bool streaming;  /* goes around the caches */
	bool vault_safe; /* may run while pages are out ("libc" reads libc's own .bss) */
};

extern const struct copy_kernel copy_kernels[];
extern const unsigned int nr_copy_kernels;

/* Is this QEMU without KVM? Where that can't be told, no. Takes microseconds in virtual machines.
 */
#if defined(__x86_64__)
bool cpu_is_emulated(void);
#else
static inline bool cpu_is_emulated(void)
{
	return false;
}
#endif

/* By name; NULL: unknown or not usable on this CPU. */
const struct copy_kernel *copy_kernel_find(const char *name);

/*
 * The default for items of this length when nr_threads copy at once; always vault_safe. To be asked
 * once: it asks the CPU, which in a virtual machine takes microseconds.
 */
const struct copy_kernel *copy_kernel_best(size_t len_bytes, unsigned int nr_threads);

#endif
