/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's only way to say something: one process-wide callback, none by default. */
#ifndef FERRY_LOG_H
#define FERRY_LOG_H

#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

typedef void (*log_fn)(void *arg, int level, const char *message);

void log_set(log_fn fn, void *arg);

/* Never called while pages are out: formatting may touch any memory. Keeps errno. */
void log_message(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define log_error(...) log_message(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_message(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

#endif
