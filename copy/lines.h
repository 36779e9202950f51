/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Private to copy/: the access patterns that loops over whole cache lines share. An architecture
 * provides a function that copies one line, and the compiler inlines it into the pattern.
 */
#ifndef FERRY_COPY_LINES_H
#define FERRY_COPY_LINES_H

#include "copy/arch.h"

/* Shorter copies lose more to the head and tail than whole lines gain. */
#define LINES_MIN_BYTES 512

/* Copies one cache line to an aligned destination. */
typedef void line_fn(char *to, const char *from);

/* Waits for the streaming stores before it. */
typedef void fence_fn(void);

#define TEMPLATE static inline __attribute__((always_inline))

/* ahead_bytes: how far before its use a line is requested; 0 leaves that to the hardware. */
TEMPLATE void copy_line(char *to, const char *from, size_t ahead_bytes, line_fn *line)
{
	if (ahead_bytes)
		__builtin_prefetch(from + ahead_bytes);
	line(to, from);
}

/* Four lines a turn, because the loop's own instructions cost as much as a line's. */
#define TURN_BYTES (4UL * CACHELINE)

TEMPLATE void copy_linear(char *to, const char *from, size_t len_bytes, size_t ahead_bytes,
			  line_fn *line)
{
	for (; len_bytes >= TURN_BYTES; len_bytes -= TURN_BYTES) {
#pragma GCC unroll 4
		for (size_t at = 0; at < TURN_BYTES; at += CACHELINE)
			copy_line(to + at, from + at, ahead_bytes, line);
		to += TURN_BYTES;
		from += TURN_BYTES;
	}
	for (; len_bytes; len_bytes -= CACHELINE, to += CACHELINE, from += CACHELINE)
		copy_line(to, from, ahead_bytes, line);
}

/*
 * Takes nr_streams consecutive pages in step: a hardware prefetcher starts anew at every page,
 * which several pages at a time hide.
 */
TEMPLATE void copy_lines(char *to, const char *from, size_t len_bytes, unsigned int nr_streams,
			 size_t ahead_bytes, line_fn *line, fence_fn *fence)
{
	size_t head = -(uintptr_t)to % CACHELINE, step = nr_streams * PAGE_BYTES;

	if (len_bytes < LINES_MIN_BYTES) {
		copy_generic(to, from, len_bytes);
		return;
	}
	copy_generic(to, from, head);
	to += head;
	from += head;
	len_bytes -= head;
	for (; nr_streams > 1 && len_bytes >= step; len_bytes -= step, to += step, from += step)
		for (size_t at = 0; at < PAGE_BYTES; at += CACHELINE)
#pragma GCC unroll 8
			for (size_t page = 0; page < step; page += PAGE_BYTES)
				copy_line(to + page + at, from + page + at, ahead_bytes, line);
	step = ALIGN_DOWN(len_bytes, CACHELINE);
	copy_linear(to, from, step, ahead_bytes, line);
	copy_generic(to + step, from + step, len_bytes - step);
	fence();
}

/* The same for four buffers, of which nr_streams, but not more than four, are copied in step. */
TEMPLATE void copy4_lines(char *const to[4], const char *const from[4], size_t len_bytes,
			  unsigned int nr_streams, size_t ahead_bytes, line_fn *line,
			  fence_fn *fence)
{
	unsigned int step = MIN(nr_streams, 4U);

	for (unsigned int i = 0; i < 4; i += step) {
		if (step == 1) {
			copy_linear(to[i], from[i], len_bytes, ahead_bytes, line);
			continue;
		}
		for (size_t at = 0; at < len_bytes; at += CACHELINE)
#pragma GCC unroll 4
			for (unsigned int s = i; s < i + step; s++)
				copy_line(to[s] + at, from[s] + at, ahead_bytes, line);
	}
	fence();
}

/* Defines copy_NAME() and copy4_NAME() for a row of LINE_KERNELS. */
#define DEFINE_LINE_KERNEL(name, isa, kind, nr_streams, ahead_bytes)                    \
	TARGET_##isa void copy_##name(void *restrict dst, const void *restrict src,     \
				      size_t len_bytes)                                 \
	{                                                                               \
		copy_lines(dst, src, len_bytes, nr_streams, ahead_bytes, isa##_##kind,  \
			   fence_##kind);                                               \
	}                                                                               \
	TARGET_##isa void copy4_##name(char *const to[4], const char *const from[4],    \
				       size_t len_bytes)                                \
	{                                                                               \
		copy4_lines(to, from, len_bytes, nr_streams, ahead_bytes, isa##_##kind, \
			    fence_##kind);                                              \
	}

#endif
