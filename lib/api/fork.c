// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fork handlers: fork(2) waits until no pages are in flight, because the child would see holes.
 * (A bare clone(2) runs no handlers. The watcher serves its child if the kernel grants EVENT_FORK.)
 *
 * In the child a context is only a copy of the parent's: its threads do not exist, and its
 * userfaultfd acts on the parent. The child of a bare clone(2) finds that out by a page that the
 * kernel clears in every child.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/vault.h"
#include "lib/api/contexts.h"
#include "lib/api/fork.h"
#include "lib/core/claims.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static int fork_once_error;
static atomic_uint *fork_here; /* 1; 0 in a child that has not forgotten its parent yet */

static void fork_before(void)
{
	contexts_drain();
	vault_freeze();
}

static void fork_after_in_parent(void)
{
	vault_thaw(false);
	contexts_resume();
}

static void fork_forget_parent(void)
{
	vault_thaw(true);
	contexts_forget();
	pagemap_forget();
	mappings_forget();
	claim_forget_all();
	atomic_store(fork_here, 1);
}

static void fork_after_in_child(void)
{
	contexts_resume();
	fork_forget_parent();
}

static int fork_mark_here(void)
{
	long page = sys(SYS_mmap, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long err = page;

	if (!sys_is_error(page))
		err = sys(SYS_madvise, page, PAGE_BYTES, MADV_WIPEONFORK);
	if (err) {
		if (!sys_is_error(page))
			sys(SYS_munmap, page, PAGE_BYTES);
		return (int)-err;
	}
	fork_here = (atomic_uint *)page;
	atomic_store(fork_here, 1);
	return 0;
}

static void fork_install(void)
{
	fork_once_error = fork_mark_here();
	if (!fork_once_error)
		fork_once_error =
			pthread_atfork(fork_before, fork_after_in_parent, fork_after_in_child);
}

int fork_watch(void)
{
	pthread_once(&fork_once, fork_install);
	if (!fork_once_error && !atomic_load(fork_here))
		fork_forget_parent();
	return -fork_once_error;
}

bool fork_is_copy(const struct ferry *ferry)
{
	/* There is no page if it could not be mapped; then no context is ever open. */
	return atomic_load(&ferry->forked) ||
	       (fork_here && !atomic_load_explicit(fork_here, memory_order_relaxed));
}
