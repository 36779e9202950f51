// SPDX-License-Identifier: LGPL-2.1-or-later
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "engines/cpu/kernels_arch.h"

/* Below this the streaming stores' head, tail and fence cost more than they save. */
#define STREAM_MIN_BYTES 512

/* CPUID leaf 7: ERMS is EBX bit 9, FSRM is EDX bit 4. Without either, rep movsb copies by bytes. */
bool cpu_has_fast_movsb(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx >> 9 & 1 || edx >> 4 & 1);
}

/* The compiler's check covers what the OS saves on a context switch too. */
bool cpu_has_avx2(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2");
}

bool cpu_has_avx512(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f");
}

void copy_movsb(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(len_bytes) : : "memory");
}

__attribute__((target("avx2"))) void copy_avx2_nt(void *restrict dst, const void *restrict src,
						  size_t len_bytes)
{
	size_t head = -(uintptr_t)dst & 31;
	const char *from = src;
	char *to = dst;

	if (len_bytes < STREAM_MIN_BYTES) {
		copy_generic(to, from, len_bytes);
		return;
	}
	copy_generic(to, from, head);
	to += head;
	from += head;
	len_bytes -= head;
	for (; len_bytes >= 128; len_bytes -= 128, to += 128, from += 128) {
		__m256i a = _mm256_loadu_si256((const __m256i *)from);
		__m256i b = _mm256_loadu_si256((const __m256i *)(from + 32));
		__m256i c = _mm256_loadu_si256((const __m256i *)(from + 64));
		__m256i d = _mm256_loadu_si256((const __m256i *)(from + 96));

		_mm256_stream_si256((__m256i *)to, a);
		_mm256_stream_si256((__m256i *)(to + 32), b);
		_mm256_stream_si256((__m256i *)(to + 64), c);
		_mm256_stream_si256((__m256i *)(to + 96), d);
	}
	copy_generic(to, from, len_bytes);
	_mm_sfence();
}

__attribute__((target("avx512f"))) void copy_avx512_nt(void *restrict dst, const void *restrict src,
						       size_t len_bytes)
{
	size_t head = -(uintptr_t)dst & 63;
	const char *from = src;
	char *to = dst;

	if (len_bytes < STREAM_MIN_BYTES) {
		copy_generic(to, from, len_bytes);
		return;
	}
	copy_generic(to, from, head);
	to += head;
	from += head;
	len_bytes -= head;
	for (; len_bytes >= 256; len_bytes -= 256, to += 256, from += 256) {
		__m512i a = _mm512_loadu_si512(from);
		__m512i b = _mm512_loadu_si512(from + 64);
		__m512i c = _mm512_loadu_si512(from + 128);
		__m512i d = _mm512_loadu_si512(from + 192);

		_mm512_stream_si512((__m512i *)to, a);
		_mm512_stream_si512((__m512i *)(to + 64), b);
		_mm512_stream_si512((__m512i *)(to + 128), c);
		_mm512_stream_si512((__m512i *)(to + 192), d);
	}
	copy_generic(to, from, len_bytes);
	_mm_sfence();
}
#endif
