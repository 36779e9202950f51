// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/dsa-portal-shim/chain.h"

#define EXPORT __attribute__((visibility("default")))

typedef int (*sigaction_fn)(int, const struct sigaction *, struct sigaction *);
typedef int (*sigmask_fn)(int, const sigset_t *, sigset_t *);

static chain_serve chain_served;
static atomic_flag chain_locked = ATOMIC_FLAG_INIT;
/* What the program has set for SIGILL and SIGSEGV; under the lock. */
static struct sigaction program_action[2];

static bool is_ours(int sig)
{
	return sig == SIGILL || sig == SIGSEGV;
}

static struct sigaction *action_of(int sig)
{
	return &program_action[sig == SIGSEGV];
}

static int real_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	static sigaction_fn next;

	if (!next)
		next = (sigaction_fn)dlsym(RTLD_NEXT, "sigaction");
	return next(sig, act, old);
}

static int real_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	static sigmask_fn next;

	if (!next)
		next = (sigmask_fn)dlsym(RTLD_NEXT, "pthread_sigmask");
	return next(how, set, old);
}

/* With all signals blocked, or a handler of this thread could wait for the lock for ever. */
static void chain_lock(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	real_sigmask(SIG_SETMASK, &all, old);
	while (atomic_flag_test_and_set_explicit(&chain_locked, memory_order_acquire))
		sched_yield();
}

static void chain_unlock(const sigset_t *old)
{
	atomic_flag_clear_explicit(&chain_locked, memory_order_release);
	real_sigmask(SIG_SETMASK, old, NULL);
}

/* Sets the program's action, unless act is NULL, and returns the one before. */
static struct sigaction program_action_swap(int sig, const struct sigaction *act)
{
	struct sigaction before;
	sigset_t old;

	chain_lock(&old);
	before = *action_of(sig);
	if (act)
		*action_of(sig) = *act;
	chain_unlock(&old);
	return before;
}

/*
 * Without a handler of the program the instruction faults again, with the default action, so that
 * the program dies of the signal. One that kill(2) sent is sent again.
 */
static void forward_default(int sig, const siginfo_t *info, bool ignored)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};

	if (info->si_code <= 0 && ignored)
		return;
	real_sigaction(sig, &dfl, NULL);
	if (info->si_code <= 0)
		syscall(SYS_tgkill, getpid(), gettid(), sig);
}

/* The kernel restores the mask when the shim's handler returns. */
static void forward(int sig, siginfo_t *info, void *context)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	struct sigaction act = program_action_swap(sig, NULL);
	sigset_t mask = act.sa_mask;

	if (act.sa_handler == SIG_DFL || act.sa_handler == SIG_IGN) {
		forward_default(sig, info, act.sa_handler == SIG_IGN);
		return;
	}
	if (act.sa_flags & SA_RESETHAND)
		program_action_swap(sig, &dfl);
	/* The program's handler may submit, too. */
	sigdelset(&mask, SIGILL);
	sigdelset(&mask, SIGSEGV);
	real_sigmask(SIG_BLOCK, &mask, NULL);
	if (act.sa_flags & SA_SIGINFO)
		act.sa_sigaction(sig, info, context);
	else
		act.sa_handler(sig);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	bool served = info->si_code > 0 && chain_served(sig, context);

	errno = saved;
	if (!served)
		forward(sig, info, context);
}

void chain_install(chain_serve serve)
{
	struct sigaction act = {.sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	sigset_t both;

	if (chain_served)
		return;
	chain_served = serve;
	for (int i = 0; i < 2; i++)
		real_sigaction(i ? SIGSEGV : SIGILL, &act, &program_action[i]);
	sigemptyset(&both);
	sigaddset(&both, SIGILL);
	sigaddset(&both, SIGSEGV);
	real_sigmask(SIG_UNBLOCK, &both, NULL);
}

/* ---- what the program calls --------------------------------------------------------------- */

EXPORT int sigaction(int sig, const struct sigaction *restrict act, struct sigaction *restrict old)
{
	struct sigaction before;

	if (!is_ours(sig) || !chain_served)
		return real_sigaction(sig, act, old);
	before = program_action_swap(sig, act);
	if (old)
		*old = before;
	return 0;
}

EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

	return sigaction(sig, &act, &old) ? SIG_ERR : old.sa_handler;
}

/* The kernel kills a program that blocks the signal of its own fault, so neither is blocked. */
static int mask_signals(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t but_ours;

	if (!set || how == SIG_UNBLOCK)
		return real_sigmask(how, set, old);
	but_ours = *set;
	sigdelset(&but_ours, SIGILL);
	sigdelset(&but_ours, SIGSEGV);
	return real_sigmask(how, &but_ours, old);
}

EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return mask_signals(how, set, old);
}

EXPORT int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	int err = mask_signals(how, set, old);

	errno = err ? err : errno;
	return err ? -1 : 0;
}
