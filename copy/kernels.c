// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "copy/arch.h"
#include "copy/kernels.h"

/*
 * Streaming stores win from one page on, and more so with several threads, where memory bandwidth
 * is the limit: the destination is not read first, which saves a third of the traffic.
 */
#define STREAM_ALONE_BYTES PAGE_BYTES
#define STREAM_THREADS     2

static void copy_libc(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	memcpy(dst, src, len_bytes);
}

static bool kernel_always_usable(void)
{
	return true;
}

/* Within the streaming kernels, and within the others, the best comes first. */
const struct copy_kernel copy_kernels[] = {
#if defined(__x86_64__)
	{"avx512-nt", "AVX-512F", copy_avx512_nt, copy4_avx512_nt, cpu_has_avx512, true, true},
	{"avx2-nt", "AVX2", copy_avx2_nt, copy4_avx2_nt, cpu_has_avx2, true, true},
	{"movsb", "ERMS or FSRM", copy_movsb, NULL, cpu_has_fast_movsb, false, true},
#elif defined(__aarch64__)
	{"neon-nt", "Advanced SIMD", copy_neon_nt, NULL, kernel_always_usable, true, true},
	{"neon", "Advanced SIMD", copy_neon, NULL, kernel_always_usable, false, true},
#endif
	{"generic", "any CPU", copy_generic, NULL, kernel_always_usable, false, true},
	{"emulated", "QEMU without KVM", copy_emulated, NULL, cpu_is_emulated, false, true},
	{"libc", "any CPU", copy_libc, NULL, kernel_always_usable, false, false},
};
const unsigned int nr_copy_kernels = ARRAY_SIZE(copy_kernels);

const struct copy_kernel *copy_kernel_find(const char *name)
{
	for (unsigned int i = 0; i < nr_copy_kernels; i++)
		if (!strcmp(copy_kernels[i].name, name))
			return copy_kernels[i].usable() ? &copy_kernels[i] : NULL;
	return NULL;
}

static const struct copy_kernel *kernel_first_usable(bool streaming)
{
	for (unsigned int i = 0; i < nr_copy_kernels; i++) {
		const struct copy_kernel *kernel = &copy_kernels[i];

		if (kernel->streaming == streaming && kernel->vault_safe && kernel->usable())
			return kernel;
	}
	return NULL;
}

const struct copy_kernel *copy_kernel_best(size_t len_bytes, unsigned int nr_threads)
{
	bool stream = len_bytes >= STREAM_ALONE_BYTES || nr_threads >= STREAM_THREADS;
	const struct copy_kernel *kernel = stream ? kernel_first_usable(true) : NULL;

	/* Emulators model no caches, and vector registers cost ten times as much there. */
	if (cpu_is_emulated())
		return copy_kernel_find("emulated");
	return kernel ? kernel : kernel_first_usable(false);
}
