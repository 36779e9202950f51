/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to copy/: the loops and CPU checks behind the table in kernels.c, by architecture. */
#ifndef FERRY_COPY_ARCH_H
#define FERRY_COPY_ARCH_H

#include "base/base.h"

void copy_generic(void *restrict dst, const void *restrict src, size_t len_bytes);
void copy_emulated(void *restrict dst, const void *restrict src, size_t len_bytes);

#if defined(__x86_64__)
void copy_movsb(void *restrict dst, const void *restrict src, size_t len_bytes);
void copy_avx2_nt(void *restrict dst, const void *restrict src, size_t len_bytes);
void copy_avx512_nt(void *restrict dst, const void *restrict src, size_t len_bytes);
void copy4_avx2_nt(char *const to[4], const char *const from[4], size_t len_bytes);
void copy4_avx512_nt(char *const to[4], const char *const from[4], size_t len_bytes);
bool cpu_has_fast_movsb(void);
bool cpu_has_avx2(void);
bool cpu_has_avx512(void);
#elif defined(__aarch64__)
void copy_neon(void *restrict dst, const void *restrict src, size_t len_bytes);
void copy_neon_nt(void *restrict dst, const void *restrict src, size_t len_bytes);
#endif

#endif
