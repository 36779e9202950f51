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
	STATE_EARLY, /* before the constructor */
	STATE_CLOSED,
	STATE_OPENING, /* by one thread; the others make the plain system call */
	STATE_OPEN,    /* final */
	STATE_OFF,     /* final */
};

static _Atomic enum state state;
static _Atomic(struct ferry *) context;
static struct ferry *inherited; /* the parent's, closed before the child opens its own */
static atomic_bool fresh_frames;

/*
 * libc registers a robust futex list for each thread that it creates, and the kernel clears the
 * list in every new task. A caller without one is a vfork child, or a thread or process created by
 * a raw clone. It must not run code that depends on libc's thread descriptor.
 */
static bool caller_is_libc_thread(void)
{
	struct robust_list_head *head = NULL;
	size_t len = 0;

	return sys(SYS_get_robust_list, 0, &head, &len) == 0 && head;
}

/*
 * The kernel blocks a signal while its handler runs, unless the handler has SA_NODEFER. So the
 * caller is no handler if no blocked signal has one.
 */
static bool caller_may_be_handler(void)
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

static void context_choose_profile(const struct settings *settings)
{
	char why[400];

	if (settings->profile[0] && !ferry_use_profile(settings->profile, why, sizeof(why))) {
		message_write(STDERR_FILENO, "PAGEFERRY_PROFILE=%.64s: %s; using the default",
			      settings->profile, why);
		ferry_use_profile("none", why, sizeof(why));
	}
}

static struct ferry *context_open(const struct settings *settings)
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

	context_choose_profile(settings);
	err = ferry_open(&ferry, &options);
	if ((err == -ENOENT || err == -ENODEV) && options.engine) {
		message_write(STDERR_FILENO, "PAGEFERRY_ENGINE=%s: %s; using the default",
			      options.engine, ferry_open_error());
		options.engine = NULL;
		err = ferry_open(&ferry, &options);
	}
	if (err && settings->log)
		message_write(STDERR_FILENO, "no context, calls go to the kernel: %s: %s",
			      strerrordesc_np(-err), ferry_open_error());
	return err ? NULL : ferry;
}

static struct ferry *context_try_open(const struct settings *settings, enum plain *why)
{
	enum state expected = STATE_CLOSED;
	struct ferry *ferry;

	if (caller_may_be_handler()) {
		*why = PLAIN_SIGNAL;
		return NULL;
	}
	if (!atomic_compare_exchange_strong(&state, &expected, STATE_OPENING)) {
		*why = PLAIN_OPENING;
		return NULL;
	}
	ferry_close(inherited);
	inherited = NULL;
	ferry = context_open(settings);
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
	if (!caller_is_libc_thread()) {
		*why = PLAIN_THREAD;
		return NULL;
	}
	return now == STATE_OPEN ? atomic_load(&context) : context_try_open(settings, why);
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
