// SPDX-License-Identifier: LGPL-2.1-or-later
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "copy/arch.h"
#include "copy/kernels.h"

/* Shorter copies lose more to the head, tail and fence of streaming stores than they gain. */
#define STREAM_MIN_BYTES 512

/* The hypervisor signature of QEMU without KVM: "TCGTCGTCGTCG". */
#define TCG_ebx 0x54474354U
#define TCG_ecx 0x43544743U
#define TCG_edx 0x47435447U

/* CPUID leaf 7: ERMS is EBX bit 9, FSRM is EDX bit 4. Without either, rep movsb copies by bytes. */
bool cpu_has_fast_movsb(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx >> 9 & 1 || edx >> 4 & 1);
}

/* The compiler's check includes whether the OS saves the registers on a context switch. */
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

bool cpu_is_emulated(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 31 & 1))
		return false;
	__cpuid(0x40000000, eax, ebx, ecx, edx);
	return ebx == TCG_ebx && ecx == TCG_ecx && edx == TCG_edx;
}

void copy_movsb(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(len_bytes) : : "memory");
}

/*
 * The hardware prefetcher starts anew at every page. Large copies go through four pages in step,
 * which hides that.
 */
static const size_t step_bytes = 4 * PAGE_BYTES;

/* Copies one cache line; the loops around it are the same for all vector widths. */
typedef void line_fn(char *to, const char *from);

#define TEMPLATE static inline __attribute__((always_inline))

TEMPLATE void copy_streaming(char *to, const char *from, size_t len_bytes, line_fn *line)
{
	size_t head = -(uintptr_t)to % CACHELINE;

	if (len_bytes < STREAM_MIN_BYTES) {
		copy_generic(to, from, len_bytes);
		return;
	}
	copy_generic(to, from, head);
	to += head;
	from += head;
	len_bytes -= head;
	for (; len_bytes >= step_bytes; len_bytes -= step_bytes) {
		for (size_t at = 0; at < PAGE_BYTES; at += CACHELINE)
			for (size_t page = 0; page < step_bytes; page += PAGE_BYTES)
				line(to + page + at, from + page + at);
		to += step_bytes;
		from += step_bytes;
	}
	for (; len_bytes >= CACHELINE; len_bytes -= CACHELINE, to += CACHELINE, from += CACHELINE)
		line(to, from);
	copy_generic(to, from, len_bytes);
	_mm_sfence();
}

TEMPLATE void copy4_streaming(char *const to[4], const char *const from[4], size_t len_bytes,
			      line_fn *line)
{
	for (size_t at = 0; at < len_bytes; at += CACHELINE)
		for (unsigned int i = 0; i < 4; i++)
			line(to[i] + at, from[i] + at);
	_mm_sfence();
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline void line_avx2(char *to, const char *from)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)from);
	__m256i high = _mm256_loadu_si256((const __m256i *)(from + 32));

	_mm256_stream_si256((__m256i *)to, low);
	_mm256_stream_si256((__m256i *)(to + 32), high);
}

AVX2 void copy_avx2_nt(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	copy_streaming(dst, src, len_bytes, line_avx2);
}

AVX2 void copy4_avx2_nt(char *const to[4], const char *const from[4], size_t len_bytes)
{
	copy4_streaming(to, from, len_bytes, line_avx2);
}

#define AVX512 __attribute__((target("avx512f")))

AVX512 static inline void line_avx512(char *to, const char *from)
{
	_mm512_stream_si512((__m512i *)to, _mm512_loadu_si512(from));
}

AVX512 void copy_avx512_nt(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	copy_streaming(dst, src, len_bytes, line_avx512);
}

AVX512 void copy4_avx512_nt(char *const to[4], const char *const from[4], size_t len_bytes)
{
	copy4_streaming(to, from, len_bytes, line_avx512);
}
#endif
