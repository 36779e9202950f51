/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copy kernels: the loops that copy bytes, chosen at run time by the features of the CPU.
 *
 * Each kernel takes any alignment and length, fences its streaming stores before it returns, and
 * touches no memory but source, destination and stack ("libc" excepted).
 */
#ifndef FERRY_COPY_KERNELS_H
#define FERRY_COPY_KERNELS_H

#include "base/base.h"

typedef void (*copy_fn)(void *restrict dst, const void *restrict src, size_t len_bytes);

/*
 * Copies four buffers of one length in step, which hides the latency of scattered small pages.
 * Destinations are aligned to a cache line; the length is a multiple of a cache line.
 */
typedef void (*copy4_fn)(char *const to[4], const char *const from[4], size_t len_bytes);

struct copy_kernel {
	const char *name;  /* as in copy_kernels[]: "stream32x4", "movsb", "generic" … */
	const char *needs; /* CPU features in words, for doctor */
	copy_fn copy;
	copy4_fn copy4; /* NULL: no other than four calls of copy */
	bool (*usable)(void);
	bool streaming;  /* non-temporal stores, which bypass the caches */
	bool vault_safe; /* may run while pages are in flight ("libc" reads libc's own .bss) */
};

/* In no order of merit. */
extern const struct copy_kernel copy_kernels[];
extern const unsigned int nr_copy_kernels;

/* True under QEMU without KVM, where that can be detected. CPUID takes microseconds in a guest. */
#if defined(__x86_64__)
bool cpu_is_emulated(void);
#else
static inline bool cpu_is_emulated(void)
{
	return false;
}
#endif

/* By its name or the one that it had before, such as "avx2-nt". NULL: unknown. */
const struct copy_kernel *copy_kernel_named(const char *name, size_t name_len);
/* NULL: unknown name, or not usable on this CPU. */
const struct copy_kernel *copy_kernel_find(const char *name);

/*
 * The default kernel for items of this length when nr_threads copy at once; always vault_safe. Call
 * it once and keep the result: it executes CPUID, which takes microseconds in a guest.
 */
const struct copy_kernel *copy_kernel_best(size_t len_bytes, unsigned int nr_threads);

#endif
