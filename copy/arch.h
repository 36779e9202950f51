/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to copy/: the loops and CPU checks behind the table in kernels.c, by architecture. */
#ifndef FERRY_COPY_ARCH_H
#define FERRY_COPY_ARCH_H

#include "base/base.h"

void copy_generic(void *restrict dst, const void *restrict src, size_t len_bytes);
void copy_emulated(void *restrict dst, const void *restrict src, size_t len_bytes);
/* For what the architecture guarantees. */
bool cpu_always(void);

/* What a CPU says of itself. Under a hypervisor the model may be an invention. */
struct cpu_id {
	uint32_t vendor;        /* x86: EBX of CPUID leaf 0. Arm: the implementer */
	uint32_t family, model; /* Arm: family is 0, the model is the part number */
};

struct cpu_id cpu_identify(void);

/*
 * The loops over whole cache lines. "stream" stores bypass the caches, which saves reading the
 * destination first; "store" is an ordinary one. The number is the bytes of an instruction, xN the
 * number of pages in step.
 *
 *	name, instruction set, kind, pages in step, bytes that a line is requested ahead
 */
#if defined(__x86_64__)
#define LINE_KERNELS(K)                           \
	K(stream64, avx512, stream, 1, 0)         \
	K(stream64x2, avx512, stream, 2, 0)       \
	K(stream64x4, avx512, stream, 4, 0)       \
	K(stream64x8, avx512, stream, 8, 0)       \
	K(stream64ahead, avx512, stream, 1, 1024) \
	K(store64, avx512, store, 1, 0)           \
	K(stream32, avx2, stream, 1, 0)           \
	K(stream32x2, avx2, stream, 2, 0)         \
	K(stream32x4, avx2, stream, 4, 0)         \
	K(stream32x8, avx2, stream, 8, 0)         \
	K(stream32ahead, avx2, stream, 1, 1024)   \
	K(store32, avx2, store, 1, 0)             \
	K(stream16, sse2, stream, 1, 0)           \
	K(stream16x4, sse2, stream, 4, 0)         \
	K(store16, sse2, store, 1, 0)

#define NEEDS_sse2   "SSE2"
#define NEEDS_avx2   "AVX2"
#define NEEDS_avx512 "AVX-512F"
#define cpu_has_sse2 cpu_always
bool cpu_has_avx2(void);
bool cpu_has_avx512(void);
bool cpu_has_fast_movsb(void);
bool cpu_has_amx(void);
void copy_movsb(void *restrict dst, const void *restrict src, size_t len_bytes);
#elif defined(__aarch64__)
#define LINE_KERNELS(K)                         \
	K(stream32, neon, stream, 1, 0)         \
	K(stream32x2, neon, stream, 2, 0)       \
	K(stream32x4, neon, stream, 4, 0)       \
	K(stream32ahead, neon, stream, 1, 1024) \
	K(store32, neon, store, 1, 0)           \
	K(store32x4, neon, store, 4, 0)         \
	K(store32ahead, neon, store, 1, 1024)

static inline bool cpu_has_fast_movsb(void)
{
	return false;
}

#define NEEDS_neon   "Advanced SIMD"
#define cpu_has_neon cpu_always
#else
#define LINE_KERNELS(K)
#endif

#define DECLARE_LINE_KERNEL(name, isa, kind, nr_streams, ahead_bytes)                     \
	void copy_##name(void *restrict dst, const void *restrict src, size_t len_bytes); \
	void copy4_##name(char *const to[4], const char *const from[4], size_t len_bytes);
LINE_KERNELS(DECLARE_LINE_KERNEL)

#endif
