// SPDX-License-Identifier: LGPL-2.1-or-later
#include "preload/context.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "lib/api/preload.h"

enum state {
	STATE_EARLY, /* the constructor hasn't run */
	STATE_CLOSED,
	STATE_OPENING, /* by one thread; nobody waits for it */
	STATE_OPEN,    /* for good */
	STATE_OFF,     /* for good */
};

static _Atomic enum state state;
static _Atomic(struct ferry *) context;
static struct ferry *inherited; /* the parent's, to be freed before a new one is opened */
static atomic_bool fresh_frames;

/*
 * libc registers a robust futex list for each of its threads, and the kernel clears it in every
 * new task. Without one this is a vfork child, or a thread or process made by a raw clone, which
 * must not run code that depends on its thread descriptor.
 */
static bool is_libc_thread(void)
{
	struct robust_list_head *head = NULL;
	size_t len = 0;

	return sys(SYS_get_robust_list, 0, &head, &len) == 0 && head;
}

/*
 * A handler that runs blocks its own signal (unless SA_NODEFER). So with no signal blocked that has
 * a handler, this is none.
 */
static bool may_be_in_handler(void)
{
	struct sigaction action;
	sigset_t blocked;

	if (pthread_sigmask(SIG_BLOCK, NULL, &blocked))
		return true;
	for (int sig = 1; sig < NSIG; sig++) {
		if (sigismember(&blocked, sig) == 1 && !sigaction(sig, NULL, &action) &&
		    action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)
			return true;
	}
	return false;
}

static struct ferry *open_context(const struct settings *settings)
{
	struct ferry_options options = {
		.size = sizeof(options),
		.engine = settings->engine[0] ? settings->engine : NULL,
		.nr_workers = (unsigned int)settings->nr_workers,
		.chunk_bytes = settings->chunk_bytes,
		.stall_bound_ns = settings->stall_us * 1000,
		.pool_cap_bytes = settings->pool_cap_bytes,
	};
	struct ferry *ferry;
	int err;

	if (settings->mover == MOVER_KERNEL)
		options.flags |= FERRY_OPEN_KERNEL_ONLY;
	if (settings->fresh_frames)
		options.flags |= FERRY_OPEN_FRESH_FRAMES;

	err = ferry_open(&ferry, &options);
	if ((err == -ENOENT || err == -ENODEV) && options.engine) {
		say(STDERR_FILENO, "PAGEFERRY_ENGINE=%s: %s; using the default", options.engine,
		    ferry_open_error());
		options.engine = NULL;
		err = ferry_open(&ferry, &options);
	}
	if (err && settings->log)
		say(STDERR_FILENO, "not in use: %s: %s", strerrordesc_np(-err), ferry_open_error());
	return err ? NULL : ferry;
}

static struct ferry *try_open(const struct settings *settings, enum plain *why)
{
	enum state expected = STATE_CLOSED;
	struct ferry *ferry;

	if (may_be_in_handler()) {
		*why = PLAIN_SIGNAL;
		return NULL;
	}
	if (!atomic_compare_exchange_strong(&state, &expected, STATE_OPENING)) {
		*why = PLAIN_OPENING;
		return NULL;
	}
	ferry_close(inherited);
	inherited = NULL;
	ferry = open_context(settings);
	atomic_store(&context, ferry);
	atomic_store(&state, ferry ? STATE_OPEN : STATE_OFF);
	if (ferry && atomic_load(&fresh_frames))
		ferry_fresh_frames(ferry);
	*why = PLAIN_OFF;
	return ferry;
}

struct ferry *context_get(const struct settings *settings, enum plain *why)
{
	enum state now = atomic_load_explicit(&state, memory_order_acquire);

	switch (now) {
	case STATE_EARLY:
		*why = PLAIN_EARLY;
		return NULL;
	case STATE_OFF:
		*why = PLAIN_OFF;
		return NULL;
	case STATE_OPENING:
		*why = PLAIN_OPENING;
		return NULL;
	case STATE_CLOSED:
	case STATE_OPEN:
		break;
	}
	if (!is_libc_thread()) {
		*why = PLAIN_THREAD;
		return NULL;
	}
	return now == STATE_OPEN ? atomic_load(&context) : try_open(settings, why);
}

struct ferry *context_peek(void)
{
	return atomic_load(&state) == STATE_OPEN ? atomic_load(&context) : NULL;
}

void context_allow(bool enabled)
{
	atomic_store(&state, enabled ? STATE_CLOSED : STATE_OFF);
}

void context_use_fresh_frames(void)
{
	struct ferry *ferry;

	if (atomic_exchange(&fresh_frames, true))
		return;
	ferry = context_peek();
	if (ferry)
		ferry_fresh_frames(ferry);
}

void context_forget(void)
{
	enum state now = atomic_load(&state);

	if (now != STATE_OPEN && now != STATE_OPENING)
		return;
	if (now == STATE_OPEN)
		inherited = atomic_load(&context);
	atomic_store(&context, NULL);
	atomic_store(&state, STATE_CLOSED);
}
