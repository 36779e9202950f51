// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fork handlers: fork(2) waits until no pages are in flight, because the child would see holes.
 * (A bare clone(2) runs no handlers. The watcher serves its child if the kernel grants EVENT_FORK.)
 *
 * From the first handler to the last, no lock is held, and no call of the library waits for the end
 * of the fork. Handlers of the program run in between, and may wait for a lock of the program whose
 * holder is in the library.
 *
 * So the child may get the library's lists and locks amid a change by another thread. It walks only
 * the lists of contexts and of vault memory, which each change leaves whole by a single store, and
 * it resets the locks. Of each other thread the child has all stores up to some moment and none of
 * the later ones.
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

static void fork_forget_parent(void)
{
	vault_forget_parent();
	contexts_forget();
	pagemap_forget();
	mappings_forget();
	claim_forget_all();
	atomic_store(fork_here, 1);
}

static int fork_mark_here(void)
{
	void *page;
	int err = vault_alloc(PAGE_BYTES, &page);

	if (err)
		return -err;
	err = (int)sys(SYS_madvise, page, PAGE_BYTES, MADV_WIPEONFORK);
	if (err) {
		vault_free(page, PAGE_BYTES);
		return -err;
	}
	fork_here = page;
	atomic_store(fork_here, 1);
	return 0;
}

static void fork_install(void)
{
	fork_once_error = fork_mark_here();
	if (!fork_once_error)
		fork_once_error =
			pthread_atfork(contexts_drain, contexts_resume, fork_forget_parent);
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
