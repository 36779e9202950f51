/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Futex waits and a small lock on top. libc's locks are avoided where pages may be out: these use
 * nothing but the word itself, which lives in memory of our own (vault.h).
 */
#ifndef FERRY_FUTEX_H
#define FERRY_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "base/sys.h"

#define FUTEX_FOREVER UINT64_MAX

/* Sleeps while *word == expected, at most wait_ns. 0, -EAGAIN, -EINTR or -ETIMEDOUT. */
static inline long futex_wait(atomic_uint *word, unsigned int expected, uint64_t wait_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(wait_ns / NS_PER_SEC),
		.tv_nsec = (long)(wait_ns % NS_PER_SEC),
	};

	return sys(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
		   wait_ns == FUTEX_FOREVER ? NULL : &ts);
}

static inline void futex_wake(atomic_uint *word, unsigned int nr_waiters)
{
	sys(SYS_futex, word, FUTEX_WAKE_PRIVATE, nr_waiters > INT_MAX ? INT_MAX : nr_waiters);
}

/*
 * Sleeps while *word == expected, until until_ns of now_ns() at the latest. Only wakes that share a
 * bit with bits end it. futex(2), FUTEX_WAIT_BITSET.
 */
static inline long futex_wait_bits(atomic_uint *word, unsigned int expected, unsigned int bits,
				   uint64_t until_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(until_ns / NS_PER_SEC),
		.tv_nsec = (long)(until_ns % NS_PER_SEC),
	};

	return sys(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
		   until_ns == FUTEX_FOREVER ? NULL : &ts, NULL, bits);
}

/* Returns how many were woken. */
static inline long futex_wake_bits(atomic_uint *word, unsigned int nr_waiters, unsigned int bits)
{
	return sys(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE,
		   nr_waiters > INT_MAX ? INT_MAX : nr_waiters, NULL, NULL, bits);
}

/* 0 free, 1 held, 2 held and somebody sleeps. All-zero memory is a free lock. */
struct futex_lock {
	atomic_uint word;
};

static inline void futex_lock(struct futex_lock *lock)
{
	unsigned int seen = 0;

	if (atomic_compare_exchange_strong_explicit(&lock->word, &seen, 1, memory_order_acquire,
						    memory_order_relaxed))
		return;
	while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
		futex_wait(&lock->word, 2, FUTEX_FOREVER);
}

static inline bool futex_trylock(struct futex_lock *lock)
{
	unsigned int free = 0;

	return atomic_compare_exchange_strong_explicit(&lock->word, &free, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static inline void futex_unlock(struct futex_lock *lock)
{
	if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
		futex_wake(&lock->word, 1);
}

#endif
