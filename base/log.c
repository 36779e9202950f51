// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"

struct log_sink {
	log_fn fn;
	void *arg;
};

/*
 * A sequence count over the two words: it is odd while a writer changes them, and a reader retries
 * if it was odd or has changed.
 */
static atomic_uint log_generation;
static _Atomic(log_fn) log_callback;
static _Atomic(void *) log_arg;

void log_set(log_fn fn, void *arg)
{
	atomic_fetch_add(&log_generation, 1);
	atomic_store(&log_callback, fn);
	atomic_store(&log_arg, arg);
	atomic_fetch_add(&log_generation, 1);
}

static struct log_sink log_get(void)
{
	struct log_sink sink;
	unsigned int before;

	do {
		before = atomic_load(&log_generation);
		sink.fn = atomic_load(&log_callback);
		sink.arg = atomic_load(&log_arg);
	} while ((before & 1) || before != atomic_load(&log_generation));
	return sink;
}

void log_message(enum log_level level, const char *fmt, ...)
{
	struct log_sink sink = log_get();
	int saved_errno = errno;
	char text[512];
	va_list ap;

	if (!sink.fn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sink.fn(sink.arg, level, text);
	errno = saved_errno;
}
