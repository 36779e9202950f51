/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log messages go to one callback per process. By default there is none: messages are dropped. */
#ifndef FERRY_LOG_H
#define FERRY_LOG_H

#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

typedef void (*log_fn)(void *arg, int level, const char *message);

/* NULL drops all messages. Messages may be logged meanwhile; concurrent calls must not overlap. */
void log_set(log_fn fn, void *arg);

/*
 * Must not be called while pages are in flight: formatting and the callback may access any memory.
 * Preserves errno.
 */
void log_message(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define log_error(...) log_message(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_message(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

#endif
