// SPDX-License-Identifier: LGPL-2.1-or-later
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "copy/kernels.h"
#include "copy/lines.h"

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

/* CPUID leaf 7, EDX bit 24: AMX-TILE. */
bool cpu_has_amx(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && edx >> 24 & 1;
}

/* Intel's manual, CPUID leaf 1: families from 15 and models of 6 and 15 on have more digits. */
struct cpu_id cpu_identify(void)
{
	unsigned int eax, ebx, ecx, edx;
	struct cpu_id id;

	__cpuid(0, eax, ebx, ecx, edx);
	id.vendor = ebx;
	__cpuid(1, eax, ebx, ecx, edx);
	id.family = eax >> 8 & 15;
	id.model = eax >> 4 & 15;
	if (id.family == 6 || id.family == 15)
		id.model |= eax >> 12 & 0xf0;
	if (id.family == 15)
		id.family += eax >> 20 & 0xff;
	return id;
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

TEMPLATE void fence_stream(void)
{
	_mm_sfence();
}

TEMPLATE void fence_store(void)
{
}

#define TARGET_sse2
#define TARGET_avx2   __attribute__((target("avx2")))
#define TARGET_avx512 __attribute__((target("avx512f")))

/* Copies one line by registers of `vector`, of which `nr` make a line. */
#define DEFINE_LINE(isa, kind, vector, nr, load, store)                          \
	TARGET_##isa static inline void isa##_##kind(char *to, const char *from) \
	{                                                                        \
		vector line[nr];                                                 \
                                                                                 \
		for (unsigned int i = 0; i < nr; i++)                            \
			line[i] = load((const vector *)from + i);                \
		for (unsigned int i = 0; i < nr; i++)                            \
			store((vector *)to + i, line[i]);                        \
	}

DEFINE_LINE(sse2, stream, __m128i, 4, _mm_loadu_si128, _mm_stream_si128)
DEFINE_LINE(sse2, store, __m128i, 4, _mm_loadu_si128, _mm_store_si128)
DEFINE_LINE(avx2, stream, __m256i, 2, _mm256_loadu_si256, _mm256_stream_si256)
DEFINE_LINE(avx2, store, __m256i, 2, _mm256_loadu_si256, _mm256_store_si256)
DEFINE_LINE(avx512, stream, __m512i, 1, _mm512_loadu_si512, _mm512_stream_si512)
DEFINE_LINE(avx512, store, __m512i, 1, _mm512_loadu_si512, _mm512_store_si512)

LINE_KERNELS(DEFINE_LINE_KERNEL)
#endif
