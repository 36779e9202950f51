// SPDX-License-Identifier: LGPL-2.1-or-later
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "engines/cpu/kernels.h"
#include "engines/cpu/kernels_arch.h"

/* Below this the streaming stores' head, tail and fence cost more than they save. */
#define STREAM_MIN_BYTES 512

/* CPUID leaf 7: ERMS is EBX bit 9, FSRM is EDX bit 4. Without either, rep movsb copies by bytes. */
/* "TCGTCGTCGTCG" */
#define TCG_ebx 0x54474354U
#define TCG_ecx 0x43544743U
#define TCG_edx 0x47435447U

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

/* QEMU without KVM says who it is where hypervisors do. */
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
 * A core copies faster from several places at once: the hardware prefetcher starts anew at every
 * page, and four streams hide that. So large copies go through four pages in step.
 */
static const size_t step_bytes = 4 * PAGE_BYTES;

/* How one line goes from memory to memory; the loops around it are the same for all widths. */
typedef void line_fn(char *to, const char *from);

#define TEMPLATE static inline __attribute__((always_inline))

TEMPLATE void stream(char *to, const char *from, size_t len_bytes, line_fn *line)
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

TEMPLATE void stream4(char *const to[4], const char *const from[4], size_t len_bytes, line_fn *line)
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
	stream(dst, src, len_bytes, line_avx2);
}

AVX2 void copy4_avx2_nt(char *const to[4], const char *const from[4], size_t len_bytes)
{
	stream4(to, from, len_bytes, line_avx2);
}

#define AVX512 __attribute__((target("avx512f")))

AVX512 static inline void line_avx512(char *to, const char *from)
{
	_mm512_stream_si512((__m512i *)to, _mm512_loadu_si512(from));
}

AVX512 void copy_avx512_nt(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	stream(dst, src, len_bytes, line_avx512);
}

AVX512 void copy4_avx512_nt(char *const to[4], const char *const from[4], size_t len_bytes)
{
	stream4(to, from, len_bytes, line_avx512);
}
#endif
