// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/apart.h"
#include "base/base.h"
#include "base/sys.h"

/*
 * The kernel places mappings from the dynamic linker's downwards. The library takes a window this
 * far below. Increasing the distance keeps it out of the way of programs that map more; but
 * sanitizers allow mappings only within some 400 GiB below the linker.
 */
#define DISTANCE_BYTES (64UL << 30)
#define WINDOW_BYTES   (256UL << 30)
/* How far the stack is above the linker at most: 1 TiB is random. */
#define STACK_BYTES (5UL << 38)

/* Increasing this finds gaps in a crowded window; after so many tries the kernel chooses. */
#define MAX_TRIES 16

static atomic_size_t apart_used; /* bytes from the window's end; wraps around */

/* The end of the window; 0: there is no place for one. */
static uintptr_t apart_end(void)
{
	uintptr_t top = getauxval(AT_BASE);

	/* A static program has no dynamic linker. */
	if (!top && getauxval(AT_RANDOM) > STACK_BYTES)
		top = getauxval(AT_RANDOM) - STACK_BYTES;
	if (top < DISTANCE_BYTES + 2 * WINDOW_BYTES)
		return 0;
	return ALIGN_DOWN(top - DISTANCE_BYTES, HUGE_BYTES);
}

long apart_mmap(size_t len_bytes, int prot, int flags, int fd, long offset)
{
	size_t room = ALIGN_UP(len_bytes, PAGE_BYTES);
	uintptr_t end = apart_end();

	for (unsigned int tries = 0; end && room < WINDOW_BYTES / 2 && tries < MAX_TRIES; tries++) {
		size_t used = atomic_fetch_add(&apart_used, room) % WINDOW_BYTES;
		long addr = sys(SYS_mmap, end - used - room, len_bytes, prot,
				flags | MAP_FIXED_NOREPLACE, fd, offset);

		if (addr != -EEXIST)
			return addr;
	}
	return sys(SYS_mmap, NULL, len_bytes, prot, flags, fd, offset);
}
