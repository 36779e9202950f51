/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The userfaultfd calls of the exchange mover. All return 0 or -errno. */
#ifndef FERRY_UFFD_H
#define FERRY_UFFD_H

#include "base/base.h"

/* What is missing for a full userfaultfd with MOVE. */
enum uffd_lack {
	UFFD_LACK_NONE,
	UFFD_LACK_SYSCALL,   /* the kernel has no userfaultfd */
	UFFD_LACK_PRIVILEGE, /* the process may handle user-mode faults only */
	UFFD_LACK_KERNEL,    /* the kernel lacks fixes that MOVE needs */
	UFFD_LACK_FEATURE,   /* the kernel lacks MOVE, PROCMAP_QUERY or PAGEMAP_SCAN */
	UFFD_LACK_PROBE,     /* MOVE of private pages gave a wrong result */
};

struct uffd_caps {
	enum uffd_lack lack;
	int error;          /* positive errno of what failed */
	bool events_fork;   /* the kernel grants EVENT_FORK */
	bool batched_flush; /* MOVE flushes TLBs once per call */
	int kernel[3];      /* major, minor, patch */
};

/*
 * Opens a full-mode, non-blocking userfaultfd with MOVE. On failure caps->lack and caps->error say
 * what is missing.
 */
int __must_check uffd_open(int *out_fd, struct uffd_caps *caps);

int __must_check uffd_register(int fd, uintptr_t start, size_t len_bytes);
int uffd_unregister(int fd, uintptr_t start, size_t len_bytes);

/*
 * Moves pages from src to dst. *moved_bytes is how far it came, also on failure. Without `holes` it
 * stops at the first hole, with -ENOENT.
 */
int __must_check uffd_move(int fd, uintptr_t dst, uintptr_t src, size_t len_bytes, bool holes,
			   size_t *moved_bytes);
/* Copies one page into a hole, whatever the protection of its mapping. */
int __must_check uffd_copy_page(int fd, uintptr_t dst, uintptr_t src);
/* Makes every later access to the page, which is a hole, a SIGBUS. */
int __must_check uffd_poison_page(int fd, uintptr_t dst);
/* Maps the zero page into a hole. -EEXIST: a page is there already. */
int uffd_zero_page(int fd, uintptr_t dst);
/* True if a thread that has changed a registered mapping waits until its event is read. */
bool uffd_has_unread_event(int fd);
/* Wakes the threads that wait for pages of the range. */
int uffd_wake(int fd, uintptr_t start, size_t len_bytes);

#endif
