/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every part of migbench shares: exit codes, sub-commands, how it says that it can't. */
#ifndef MIGBENCH_CLI_H
#define MIGBENCH_CLI_H

#include "base/base.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,       /* a check failed, or the run itself did */
	CLI_USAGE = 2,        /* bad options */
	CLI_UNSUPPORTED = 77, /* can't be done on this machine; TAP harnesses read it as skipped */
};

struct opt;

struct command {
	const char *name;
	const char *summary;    /* one line */
	const char *about;      /* what it does, for --help */
	const struct opt *opts; /* ends with a NULL name; the output options are added */
	void *options;          /* begins with struct output_options, holds the defaults */
	int (*run)(void);
};

extern const struct command topo_command;
extern const struct command doctor_command;
extern const struct command copy_command;
extern const struct command move_command;
extern const struct command verify_command;

/* "migbench copy: …" and a newline, to stderr. */
void cli_error(const char *fmt, ...) __printf(1, 2);
/* cli_error() for a bad option, with the way to the help. Returns CLI_USAGE. */
int cli_usage_error(const char *fmt, ...) __printf(1, 2);
void cli_set_command(const char *name);

/* Zeroed memory; ends the program when there is none. */
void *cli_alloc(size_t nr, size_t each_bytes);
/* printf into memory of its own, to be freed. */
char *cli_format(const char *fmt, ...) __printf(1, 2);

/* One line on stderr that is overwritten by the next; only if that is a terminal. */
void cli_progress(const char *fmt, ...) __printf(1, 2);
void cli_progress_end(void);
void cli_set_quiet(bool quiet);

#endif
