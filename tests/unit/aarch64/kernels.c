// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The aarch64 kernels without a C library, which cross compilers often come without: every length
 * and offset around a loop's step; exits with 0, or with the line of the check that failed.
 */
#include "copy/arch.h"

#define AREA_BYTES 20480
#define CHECK(condition)                 \
	do {                             \
		if (!(condition))        \
			leave(__LINE__); \
	} while (0)

static uint8_t src[AREA_BYTES] __attribute__((aligned(64)));
static uint8_t dst[AREA_BYTES] __attribute__((aligned(64)));

void _start(void);

static void leave(long status)
{
	register long x8 __asm__("x8") = 94; /* exit_group */
	register long x0 __asm__("x0") = status;

	__asm__ volatile("svc 0" : : "r"(x8), "r"(x0) : "memory");
	__builtin_unreachable();
}

static void check(void (*copy)(void *restrict, const void *restrict, size_t), size_t to,
		  size_t from, size_t len)
{
	for (size_t i = 0; i < AREA_BYTES; i++) {
		dst[i] = 0x55;
		__asm__ volatile("" : : : "memory");
	}
	copy(dst + to, src + from, len);
	for (size_t i = 0; i < AREA_BYTES; i++)
		CHECK(dst[i] == (i >= to && i < to + len ? src[from + i - to] : 0x55));
}

/* Four buffers in step: apart, each with room around it. */
static void check4(void (*copy4)(char *const[4], const char *const[4], size_t), size_t len)
{
	char *to[4];
	const char *from[4];

	for (size_t i = 0; i < AREA_BYTES; i++) {
		dst[i] = 0x55;
		__asm__ volatile("" : : : "memory");
	}
	for (size_t b = 0; b < 4; b++) {
		to[b] = (char *)dst + 64 + (3 - b) * 4096;
		from[b] = (const char *)src + b * 1000 + 1;
	}
	copy4(to, from, len);
	for (size_t b = 0; b < 4; b++) {
		for (size_t i = 0; i < len; i++)
			CHECK(to[b][i] == from[b][i]);
		CHECK(to[b][-1] == 0x55 && to[b][len] == 0x55);
	}
}

static void check_all(void (*copy)(void *restrict, const void *restrict, size_t))
{
	for (size_t len = 0; len < 200; len++)
		check(copy, 64, 128, len);
	for (size_t at = 0; at < 66; at += 3) {
		check(copy, at, 0, 4096);
		check(copy, 0, at, 4097);
	}
	check(copy, 0, 0, AREA_BYTES);
	check(copy, 1, 2, AREA_BYTES - 2);
}

void _start(void)
{
	for (size_t i = 0; i < AREA_BYTES; i++)
		src[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
	check_all(copy_generic);
#define CHECK_KERNEL(name, isa, kind, nr_streams, ahead_bytes) \
	check_all(copy_##name);                                \
	check4(copy4_##name, 64);                              \
	check4(copy4_##name, 4032);
	LINE_KERNELS(CHECK_KERNEL)
	leave(0);
}
