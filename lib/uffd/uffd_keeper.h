/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When the last descriptor of a userfaultfd is closed, the kernel forgets all its ranges and wakes
 * the threads that wait there: for pages in flight they would get zeros. The program may close all
 * its descriptors at any time. So one thread, the keeper, has a table of its own with another
 * descriptor, and others fetch a new one from there when theirs is gone.
 */
#ifndef FERRY_UFFD_KEEPER_H
#define FERRY_UFFD_KEEPER_H

#include <stdatomic.h>

#include "base/futex.h"
#include "base/own_fd.h"

struct uffd_keeper {
	struct uffd_keeper *next;
	struct futex_lock lock;
	atomic_int tid;     /* the keeper; 0: no thread is */
	int fd;             /* its number in the keeper's table, and at first in the program's */
	struct own_fd here; /* in the program's table */
};

/* From now on uffd_keeper_regain() knows the number. The keeper lies in vault memory. */
void uffd_keeper_add(struct uffd_keeper *keeper, int tid, int fd);
void uffd_keeper_remove(struct uffd_keeper *keeper);

/* In a forked child: none of the keepers is there. */
void uffd_keeper_forget_all(void);

/* A number that no keeper has had, and none below it; -1: any will do. */
int uffd_keeper_number(void);

/*
 * After a call on a descriptor failed with err, and its number may stand for another file now:
 * returns a number to try again with. Negative: the number is right, or there is no keeper.
 */
int uffd_keeper_regain(int fd, int err);

#endif
