/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every part of migbench uses: exit codes, error messages, the progress line, memory. */
#ifndef MIGBENCH_COMMON_H
#define MIGBENCH_COMMON_H

#include "base/base.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,       /* a check failed, or the run did */
	CLI_USAGE = 2,        /* wrong options */
	CLI_UNSUPPORTED = 77, /* this machine cannot do it; TAP harnesses read it as skipped */
};

/* Messages name the command. */
void cli_set_command(const char *name);
/* Prints "migbench copy: …" and a newline to stderr. */
void cli_error(const char *fmt, ...) __printf(1, 2);
/* cli_error() for a wrong option, with a pointer to --help. Returns CLI_USAGE. */
int cli_usage_error(const char *fmt, ...) __printf(1, 2);
/* Does this error of an open call mean that the engine's name or parameters are wrong? */
bool cli_is_spec_error(int err);

/* A line on stderr that the next one overwrites; printed only if stderr is a terminal. */
void cli_progress(const char *fmt, ...) __printf(1, 2);
void cli_progress_end(void);
void cli_set_quiet(bool quiet);

/* Is this program in a directory of PATH? */
bool cli_is_on_path(const char *program);

/* Zeroed memory; without memory the program ends. */
void *cli_alloc(size_t nr, size_t each_bytes);
/* printf into allocated memory; the caller frees it. */
char *cli_format(const char *fmt, ...) __printf(1, 2);

#endif
