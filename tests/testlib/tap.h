/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TAP: tap_plan(n), then n times tap_ok(…) or tap_skip(…), then return tap_done(). */
#ifndef FERRY_TAP_H
#define FERRY_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_planned, tap_seen, tap_failed;

static inline void tap_plan(int nr_tests)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	tap_planned = nr_tests;
	printf("1..%d\n", nr_tests);
}

static inline void tap_vline(bool ok, const char *skip_reason, const char *fmt, va_list args)
{
	printf("%s %d - ", ok ? "ok" : "not ok", ++tap_seen);
	vprintf(fmt, args);
	printf(skip_reason ? " # SKIP %s\n" : "\n", skip_reason);
	tap_failed += !ok;
}

__attribute__((format(printf, 2, 3))) static inline bool tap_ok(bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tap_vline(ok, NULL, fmt, args);
	va_end(args);
	return ok;
}

__attribute__((format(printf, 2, 3))) static inline void tap_skip(const char *reason,
								  const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tap_vline(true, reason, fmt, args);
	va_end(args);
}

/* Says more about the test that comes next. */
#define tap_note(...) (printf("# "), printf(__VA_ARGS__), printf("\n"))

/* The exit status: as many tests as planned, and none failed. */
static inline int tap_done(void)
{
	return tap_failed || tap_seen != tap_planned;
}

#endif
