/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The userfaultfd calls of the exchange mover. All return 0 or -errno. */
#ifndef FERRY_UFFD_H
#define FERRY_UFFD_H

#include "base/base.h"

/* Why a full userfaultfd with MOVE could not be had. */
enum uffd_lack {
	UFFD_LACK_NONE,
	UFFD_LACK_SYSCALL,   /* no userfaultfd in this kernel */
	UFFD_LACK_PRIVILEGE, /* only user-mode faults would be allowed */
	UFFD_LACK_KERNEL,    /* kernel older than the fixes that MOVE needs */
	UFFD_LACK_FEATURE, /* kernel built without MOVE, or PROCMAP_QUERY or PAGEMAP_SCAN missing */
	UFFD_LACK_PROBE,   /* tried on private pages, and it did not do what it should */
};

struct uffd_caps {
	enum uffd_lack lack;
	int error;          /* the errno behind it, positive */
	bool events_fork;   /* EVENT_FORK was granted */
	bool batched_flush; /* MOVE flushes TLBs once per call */
	int kernel[3];      /* major, minor, patch */
};

/* A full-mode, non-blocking userfaultfd with MOVE; says in caps why not. */
int __must_check uffd_open(int *out_fd, struct uffd_caps *caps);

int __must_check uffd_register(int fd, uintptr_t start, size_t len_bytes);
int uffd_unregister(int fd, uintptr_t start, size_t len_bytes);

/*
 * Moves pages src → dst; *moved_bytes tells how far it came, also on failure. Stops at holes unless
 * holes is set.
 */
int __must_check uffd_move(int fd, uintptr_t dst, uintptr_t src, size_t len_bytes, bool holes,
			   size_t *moved_bytes);
/* Copies one page into a hole, whatever the protection of its mapping. */
int __must_check uffd_copy_page(int fd, uintptr_t dst, uintptr_t src);
/* From now on to touch the page, which is a hole, is SIGBUS. */
int __must_check uffd_poison_page(int fd, uintptr_t dst);
int uffd_zero_page(int fd, uintptr_t dst);
int uffd_wake(int fd, uintptr_t start, size_t len_bytes);

#endif
