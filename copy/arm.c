// SPDX-License-Identifier: LGPL-2.1-or-later
#if defined(__aarch64__)
#include "copy/arch.h"

/*
 * Copies 64 bytes per iteration through pairs of Q registers. stnp tells the CPU that the
 * destination is not read again soon; ordinary barriers and releases order it, so it needs no
 * fence.
 */
/* clang-format off */
#define COPY_BY_64(store, to, from, nr_turns)                           \
	__asm__ volatile("1:\n\t"                                       \
			 "ldp q0, q1, [%1]\n\t"                         \
			 "ldp q2, q3, [%1, #32]\n\t"                    \
			 store " q0, q1, [%0]\n\t"                      \
			 store " q2, q3, [%0, #32]\n\t"                 \
			 "add %1, %1, #64\n\t"                          \
			 "add %0, %0, #64\n\t"                          \
			 "subs %2, %2, #1\n\t"                          \
			 "b.ne 1b"                                      \
			 : "+r"(to), "+r"(from), "+r"(nr_turns)         \
			 :                                              \
			 : "v0", "v1", "v2", "v3", "cc", "memory")
/* clang-format on */

void copy_neon(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	size_t nr_turns = len_bytes / 64;

	if (nr_turns)
		COPY_BY_64("stp", dst, src, nr_turns);
	copy_generic(dst, src, len_bytes % 64);
}

void copy_neon_nt(void *restrict dst, const void *restrict src, size_t len_bytes)
{
	size_t nr_turns = len_bytes / 64;

	if (nr_turns)
		COPY_BY_64("stnp", dst, src, nr_turns);
	copy_generic(dst, src, len_bytes % 64);
}
#endif
