// SPDX-License-Identifier: LGPL-2.1-or-later
/* Keeps a list of the open contexts, for what concerns all of them: forks and plain calls. */
#include "base/sys.h"
#include "lib/api/contexts.h"

static struct futex_lock contexts_lock;
static struct ferry *contexts;

void contexts_add(struct ferry *ferry)
{
	futex_lock(&contexts_lock);
	ferry->next = contexts;
	contexts = ferry;
	futex_unlock(&contexts_lock);
}

void contexts_remove(struct ferry *ferry)
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

void contexts_drain(void)
{
	futex_lock(&contexts_lock);
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next)
		gate_shut(&ferry->in_flight_gate);
}

void contexts_resume(void)
{
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next)
		gate_open(&ferry->in_flight_gate);
	futex_unlock(&contexts_lock);
}

void contexts_forget(void)
{
	for (struct ferry *ferry = contexts; ferry; ferry = ferry->next) {
		atomic_store(&ferry->forked, true);
		if (ferry->uffd >= 0)
			sys(SYS_close, ferry->uffd);
		ferry->uffd = -1;
	}
	contexts = NULL;
	atomic_store(&contexts_lock.word, 0);
}
