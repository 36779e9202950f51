/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the idxd driver knows of a write() and CUSE does not pass on: whose memory the caller has,
 * and into which parts its writev() divides the bytes.
 */
#ifndef DSA_CALLER_H
#define DSA_CALLER_H

#include <linux/kcmp.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>

#include "tests/vm/guest/dsa_mirror.h"

#define MAX_LOOKS 1000000

/* A thread, or a child of vfork(). The memory of before an exec is gone, and its pagemap empty. */
static inline bool caller_has_memory_of(const struct client *c, uint32_t thread)
{
	uint64_t entry;

	return syscall(SYS_kcmp, c->pid, thread, KCMP_VM, 0, 0) == 0 &&
	       pread(c->pagemap, &entry, sizeof(entry), 0) == sizeof(entry);
}

/* The system call that the thread waits in; -1 if it is not known. */
static inline long caller_syscall(uint32_t thread, uint64_t args[3])
{
	char path[64], line[256] = "running";
	long nr = -1;

	snprintf(path, sizeof(path), "/proc/%u/syscall", thread);
	/* It may be on its way to sleep. */
	for (int i = 0; i < MAX_LOOKS && !strncmp(line, "running", 7); i++) {
		FILE *f = fopen(path, "re");

		if (!f || !fgets(line, sizeof(line), f))
			line[0] = '\0';
		if (f)
			fclose(f);
		sched_yield();
	}
	if (sscanf(line, "%ld %lx %lx %lx", &nr, &args[0], &args[1], &args[2]) != 4)
		return -1;
	return nr;
}

/*
 * How many bytes the driver takes at most: it serves each part by itself, rounded down to whole
 * descriptors, and stops after one that was rounded.
 */
static inline uint64_t caller_bytes(const struct client *c, uint32_t thread, uint64_t len_bytes)
{
	uint64_t args[3], sum = 0;
	long nr = caller_syscall(thread, args);

	if (nr != SYS_writev && nr != SYS_pwritev && nr != SYS_pwritev2)
		return ALIGN_DOWN(len_bytes, DSA_DESC_BYTES);
	for (uint64_t i = 0; i < args[2]; i++) {
		struct iovec part;

		if (!client_read(c, &part, args[1] + i * sizeof(part), sizeof(part)))
			break;
		sum += ALIGN_DOWN(part.iov_len, DSA_DESC_BYTES);
		if (part.iov_len % DSA_DESC_BYTES)
			break;
	}
	return sum;
}

#endif
