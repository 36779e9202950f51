// SPDX-License-Identifier: LGPL-2.1-or-later
/* Keeps a list of the open contexts, for what concerns all of them: forks and plain calls. */
#include "base/sys.h"
#include "lib/api/call.h"
#include "lib/api/contexts.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/pagemap.h"
#include "lib/nodes/threads.h"

static struct futex_lock contexts_lock;
static struct ferry *contexts;
static unsigned int nr_bars; /* threads that keep pages from being taken out */

/* A signal handler that forks must not find the lock held by its own thread. */
static uint64_t contexts_enter(void)
{
	uint64_t signals = call_block_signals();

	futex_lock(&contexts_lock);
	return signals;
}

static void contexts_leave(uint64_t signals)
{
	futex_unlock(&contexts_lock);
	call_unblock_signals(signals);
}

void contexts_add(struct ferry *ferry)
{
	uint64_t signals = contexts_enter();

	for (unsigned int i = 0; i < nr_bars; i++)
		gate_bar(&ferry->in_flight_gate);
	ferry->next = contexts;
	contexts = ferry;
	contexts_leave(signals);
}

void contexts_remove(struct ferry *ferry)
{
	uint64_t signals = contexts_enter();

	for (struct ferry **link = &contexts; *link; link = &(*link)->next) {
		if (*link == ferry) {
			*link = ferry->next;
			break;
		}
	}
	contexts_leave(signals);
}

void contexts_drain(void)
{
	uint64_t signals = contexts_enter();

	nr_bars++;
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next)
		gate_bar(&ferry->in_flight_gate);
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next)
		gate_await_leavers(&ferry->in_flight_gate);
	contexts_leave(signals);
}

void contexts_resume(void)
{
	uint64_t signals = contexts_enter();

	/* 0 in a child, if a signal handler forked amid another fork of its thread. */
	if (nr_bars) {
		nr_bars--;
		for (struct ferry *ferry = contexts; ferry; ferry = ferry->next)
			gate_unbar(&ferry->in_flight_gate);
	}
	contexts_leave(signals);
}

void contexts_keep_files(struct ferry *ferry)
{
	if (ferry->uffd >= 0) {
		pagemap_open();
		mappings_open();
	}
	if (ferry->threads)
		threads_keep_open(ferry->threads);
	kernel_file_keep_open(&ferry->vmstat, "/proc/vmstat");
}

void contexts_forget(void)
{
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next) {
		atomic_store(&ferry->forked, true);
		own_fd_drop(&ferry->uffd_keeper.here);
		ferry->uffd = -1;
	}
	uffd_keeper_forget_all();
	contexts = NULL;
	nr_bars = 0;
	atomic_store(&contexts_lock.word, 0);
}
