/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's threads. Stack, control block and thread-local storage lie in vault memory, with a
 * guard page below the stack. Every signal is blocked in them.
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

/* 0, -ENOMEM, -EAGAIN (the system can create no more threads). */
int __must_check thread_start(struct thread *thread, void *(*run)(void *arg), void *arg);
/* Waits for the thread to end and frees its stack. Ignores a thread that was never started. */
void thread_join(struct thread *thread);
/*
 * Lowers the calling thread's nice value by 10, if the process may do that. A thread that faults on
 * a page in flight waits for a worker; without the boost it also waits for every thread that runs
 * on the worker's CPU.
 */
void thread_boost(void);
/* Frees the stack without joining: for a forked child, in which the thread does not exist. */
void thread_forget(struct thread *thread);

#endif
