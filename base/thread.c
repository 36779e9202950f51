// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/sys.h"
#include "base/thread.h"
#include "base/vault.h"

/*
 * Static TLS lies on the stack too. Its size is known only to pthread_create, which fails with
 * EINVAL if the stack is too small: then it is doubled. Increasing the minimum saves such attempts
 * in programs with much static TLS; decreasing it saves address space.
 */
#ifdef __SANITIZE_THREAD__
#define STACK_MIN_BYTES (2UL << 20)
#else
#define STACK_MIN_BYTES (256UL << 10)
#endif
#define STACK_MAX_BYTES (8UL << 20)

static int thread_create(struct thread *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int err;

	sigfillset(&all);
	pthread_attr_init(&attr);
	err = pthread_attr_setstack(&attr, (char *)thread->stack + PAGE_BYTES,
				    thread->stack_bytes - PAGE_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!err)
		err = pthread_create(&thread->id, &attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

int thread_start(struct thread *thread, void *(*run)(void *arg), void *arg)
{
	int err = EINVAL;

	for (size_t len = STACK_MIN_BYTES; err == EINVAL && len <= STACK_MAX_BYTES; len *= 2) {
		if (vault_alloc_guarded(len, &thread->stack))
			return -ENOMEM;
		thread->stack_bytes = len;
		err = thread_create(thread, run, arg);
		if (err)
			thread_forget(thread);
	}
	return err ? -EAGAIN : 0;
}

void thread_join(struct thread *thread)
{
	if (thread->stack)
		pthread_join(thread->id, NULL);
	thread_forget(thread);
}

void thread_forget(struct thread *thread)
{
	vault_free_guarded(thread->stack, thread->stack_bytes);
	thread->stack = NULL;
}

/*
 * Nice levels; ten of them are about ten times the share of a CPU. Increasing this shortens the
 * time that pages are in flight on a busy machine, at the cost of the program's other threads.
 */
#define BOOST_NICE 10

void thread_boost(void)
{
	/* The raw system call returns 20 - nice, which is never negative. */
	int nice = 20 - (int)sys(SYS_getpriority, PRIO_PROCESS, 0);

	sys(SYS_setpriority, PRIO_PROCESS, 0, nice - BOOST_NICE);
}
