// SPDX-License-Identifier: LGPL-2.1-or-later
/* Keeps a signal handler from entering the library where its thread already is. */
#include <signal.h>
#include <stdatomic.h>

#include "base/sys.h"
#include "lib/api/call.h"

/*
 * Set while this thread is in the library. A signal handler that calls the library then must not
 * wait for locks that its own thread holds.
 */
static __thread atomic_bool call_inside __attribute__((tls_model("initial-exec")));

bool call_enter(void)
{
	if (atomic_load_explicit(&call_inside, memory_order_relaxed))
		return false;
	atomic_store_explicit(&call_inside, true, memory_order_relaxed);
	return true;
}

void call_leave(void)
{
	atomic_store_explicit(&call_inside, false, memory_order_relaxed);
}

uint64_t call_block_signals(void)
{
	uint64_t all = ~0ULL, before = 0;

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	return before;
}

void call_unblock_signals(uint64_t before)
{
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
}
