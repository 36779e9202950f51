// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "base/base.h"
#include "base/sys.h"
#include "lib/uffd/uffd_keeper.h"

static struct futex_lock keepers_lock __never_in_flight;
static struct uffd_keeper *keepers __never_in_flight;

void uffd_keeper_add(struct uffd_keeper *keeper, int tid, int fd)
{
	keeper->fd = fd;
	atomic_store(&keeper->tid, tid);
	futex_lock(&keepers_lock);
	keeper->next = keepers;
	keepers = keeper;
	futex_unlock(&keepers_lock);
}

void uffd_keeper_remove(struct uffd_keeper *keeper)
{
	futex_lock(&keepers_lock);
	for (struct uffd_keeper **link = &keepers; *link; link = &(*link)->next) {
		if (*link == keeper) {
			*link = keeper->next;
			break;
		}
	}
	futex_unlock(&keepers_lock);
}

void uffd_keeper_forget_all(void)
{
	keepers = NULL;
	atomic_store(&keepers_lock.word, 0);
}

static struct uffd_keeper *uffd_keeper_of(int fd)
{
	struct uffd_keeper *keeper;

	futex_lock(&keepers_lock);
	for (keeper = keepers; keeper && keeper->fd != fd;)
		keeper = keeper->next;
	futex_unlock(&keepers_lock);
	return keeper;
}

int uffd_keeper_number(void)
{
	int number = -1;

	futex_lock(&keepers_lock);
	for (struct uffd_keeper *keeper = keepers; keeper; keeper = keeper->next)
		number = MAX(number, keeper->fd + 1);
	futex_unlock(&keepers_lock);
	return number;
}

/*
 * The new number is not that of any context's first descriptor, because those numbers are what the
 * contexts' calls are made with.
 */
int uffd_keeper_regain(int fd, int err)
{
	struct uffd_keeper *keeper = uffd_keeper_of(fd);
	int now = -EBADF;

	/* The keeper's own number is good always. */
	if (!keeper || atomic_load(&keeper->tid) == sys(SYS_gettid))
		return -EBADF;
	futex_lock(&keeper->lock);
	if (!own_fd_holds(&keeper->here)) {
		keeper->here.fd = uffd_keeper_number();
		own_fd_take(&keeper->here, own_fd_fetch(atomic_load(&keeper->tid), fd));
	} else if (keeper->here.fd == fd && err == -EINVAL) {
		futex_unlock(&keeper->lock);
		return -EBADF;
	}
	now = keeper->here.fd;
	futex_unlock(&keeper->lock);
	return now;
}
