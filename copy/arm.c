// SPDX-License-Identifier: LGPL-2.1-or-later
#if defined(__aarch64__)
#include "copy/lines.h"

/*
 * Pairs of Q registers. stnp tells the CPU that the destination is not read again soon; ordinary
 * barriers and releases order it, so it needs no fence.
 */
#define COPY_LINE(store, to, from)                                                   \
	__asm__ volatile("ldp q0, q1, [%1]\n\t"                                      \
			 "ldp q2, q3, [%1, #32]\n\t" store " q0, q1, [%0]\n\t" store \
			 " q2, q3, [%0, #32]"                                        \
			 :                                                           \
			 : "r"(to), "r"(from)                                        \
			 : "v0", "v1", "v2", "v3", "memory")

TEMPLATE void neon_stream(char *to, const char *from)
{
	COPY_LINE("stnp", to, from);
}

TEMPLATE void neon_store(char *to, const char *from)
{
	COPY_LINE("stp", to, from);
}

TEMPLATE void fence_stream(void)
{
}

TEMPLATE void fence_store(void)
{
}

#define TARGET_neon
LINE_KERNELS(DEFINE_LINE_KERNEL)
#endif
