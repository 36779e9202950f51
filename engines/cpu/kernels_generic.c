// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engines/cpu/kernels_arch.h"

typedef uint64_t __attribute__((may_alias, aligned(1))) any_u64;

/* Keeps the compiler from seeing a loop that it could turn into a call of memcpy. */
#define KEEP_LOOP() __asm__ volatile("" : : : "memory")

void copy_generic(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	const char *from = src;
	char *to = dst;

	for (; len_bytes >= 32; len_bytes -= 32, to += 32, from += 32) {
		uint64_t a = ((const any_u64 *)from)[0];
		uint64_t b = ((const any_u64 *)from)[1];
		uint64_t c = ((const any_u64 *)from)[2];
		uint64_t d = ((const any_u64 *)from)[3];

		((any_u64 *)to)[0] = a;
		((any_u64 *)to)[1] = b;
		((any_u64 *)to)[2] = c;
		((any_u64 *)to)[3] = d;
		KEEP_LOOP();
	}
	for (; len_bytes >= 8; len_bytes -= 8, to += 8, from += 8) {
		*(any_u64 *)to = *(const any_u64 *)from;
		KEEP_LOOP();
	}
	for (; len_bytes; len_bytes--) {
		*to++ = *from++;
		KEEP_LOOP();
	}
}
