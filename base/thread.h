/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads of our own: stack, control block and thread-local storage lie in the vault, below them a
 * page that guards the stack, and every signal is blocked.
 */
#ifndef FERRY_THREAD_H
#define FERRY_THREAD_H

#include <pthread.h>

#include "base/base.h"

struct thread {
	pthread_t id;
	void *stack; /* NULL: never started */
	size_t stack_bytes;
};

/* 0, -ENOMEM, -EAGAIN (no thread to be had). */
int __must_check thread_start(struct thread *thread, void *(*run)(void *arg), void *arg);
/* Waits for its end. Takes a thread that was never started. */
void thread_join(struct thread *thread);
/*
 * The calling thread runs ahead of others from now on (nice, less 10), if the process may do that:
 * threads that wait for a page that is out wait for whoever has the CPU of its worker, too.
 */
void thread_boost(void);
/* In a forked child, where it does not exist: frees its stack. */
void thread_forget(struct thread *thread);

#endif
