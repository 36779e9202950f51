// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * No fork(2) happens while pages are out: the child would see holes. (A child made without libc's
 * fork, by a bare clone(2), is served by the watcher where EVENT_FORK was granted.)
 *
 * In the child a context is only a copy of the parent's: its threads do not exist, its userfaultfd
 * acts on the parent. A child that libc did not make is known by a page that is wiped in it.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/vault.h"
#include "lib/core/claims.h"
#include "lib/api/fork.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;
static struct futex_lock contexts_lock;
static struct ferry *contexts;
static atomic_uint *here; /* 1, or 0 in a child that has not forgotten its parent yet */

void contexts_bring_in(void)
{
	futex_lock(&contexts_lock);
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next)
		gate_shut(&ferry->outs);
}

void contexts_let_out(void)
{
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next)
		gate_open(&ferry->outs);
	futex_unlock(&contexts_lock);
}

static void before_fork(void)
{
	contexts_bring_in();
	vault_freeze();
}

static void after_in_parent(void)
{
	vault_thaw(false);
	contexts_let_out();
}

static void forget_parent(void)
{
	vault_thaw(true);
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next) {
		atomic_store(&ferry->forked, true);
		if (ferry->uffd >= 0)
			sys(SYS_close, ferry->uffd);
		ferry->uffd = -1;
	}
	contexts = NULL;
	pagemap_forget();
	mappings_forget();
	claims_forget();
	atomic_store(&contexts_lock.word, 0);
	atomic_store(here, 1);
}

static void after_in_child(void)
{
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next)
		gate_open(&ferry->outs);
	forget_parent();
}

static int mark_here(void)
{
	long page = sys(SYS_mmap, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long err = page;

	if (!sys_is_error(page))
		err = sys(SYS_madvise, page, PAGE_BYTES, MADV_WIPEONFORK);
	if (err)
		return (int)-err;
	here = (atomic_uint *)page;
	atomic_store(here, 1);
	return 0;
}

static void install(void)
{
	once_error = mark_here();
	if (!once_error)
		once_error = pthread_atfork(before_fork, after_in_parent, after_in_child);
}

int fork_watch(void)
{
	pthread_once(&once, install);
	if (!once_error && !atomic_load(here))
		forget_parent();
	return -once_error;
}

bool fork_is_parents(const struct ferry *ferry)
{
	return atomic_load(&ferry->forked) || !atomic_load_explicit(here, memory_order_relaxed);
}

void fork_add(struct ferry *ferry)
{
	futex_lock(&contexts_lock);
	ferry->next = contexts;
	contexts = ferry;
	futex_unlock(&contexts_lock);
}

void fork_remove(struct ferry *ferry)
{
	futex_lock(&contexts_lock);
	for (struct ferry **link = &contexts; *link; link = &(*link)->next) {
		if (*link == ferry) {
			*link = ferry->next;
			break;
		}
	}
	futex_unlock(&contexts_lock);
}
