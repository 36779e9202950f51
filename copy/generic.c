// SPDX-License-Identifier: LGPL-2.1-or-later
#include "copy/arch.h"

typedef uint64_t __attribute__((may_alias, aligned(1))) any_u64;

/* Keeps the compiler from turning the loop into a call of memcpy. */
#define KEEP_LOOP() __asm__ volatile("" : : : "memory")

/* Keeps words in general registers: emulated vector registers are slow. */
#define KEEP_WORDS(a, b, c, d) __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d))

static inline void copy_32_bytes(char *to, const char *from)
{
	uint64_t a = ((const any_u64 *)from)[0];
	uint64_t b = ((const any_u64 *)from)[1];
	uint64_t c = ((const any_u64 *)from)[2];
	uint64_t d = ((const any_u64 *)from)[3];

	KEEP_WORDS(a, b, c, d);
	((any_u64 *)to)[0] = a;
	((any_u64 *)to)[1] = b;
	((any_u64 *)to)[2] = c;
	((any_u64 *)to)[3] = d;
}

void copy_generic(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	const char *from = src;
	char *to = dst;

	for (; len_bytes >= 64; len_bytes -= 64, to += 64, from += 64) {
		copy_32_bytes(to, from);
		copy_32_bytes(to + 32, from + 32);
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

/* The least number of entries in an emulator's direct-mapped translation cache. */
#define CACHED_PAGES 256

static bool pages_collide(const void *a, const void *b)
{
	return !(((uintptr_t)a ^ (uintptr_t)b) & (CACHED_PAGES - 1) * PAGE_BYTES);
}

/*
 * For emulators with a direct-mapped translation cache: a source and a destination that share an
 * entry evict each other with every access, so they are copied through the stack, a page at a time.
 */
void copy_emulated(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	char page[PAGE_BYTES] __attribute__((aligned(CACHELINE)));
	const char *from = src;
	char *to = dst;

	if (!pages_collide(dst, src)) {
		copy_generic(dst, src, len_bytes);
		return;
	}
	while (len_bytes) {
		size_t piece = MIN(len_bytes, sizeof(page));

		copy_generic(page, from, piece);
		copy_generic(to, page, piece);
		from += piece;
		to += piece;
		len_bytes -= piece;
	}
}
