/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table of options per sub-command: it drives getopt_long and --help, and a test compares the
 * man page with it.
 */
#ifndef MIGBENCH_OPTIONS_H
#define MIGBENCH_OPTIONS_H

#include "cli/common/common.h"
#include "cli/args/parse.h"

enum opt_type {
	OPT_FLAG,  /* bool */
	OPT_TEXT,  /* const char * */
	OPT_UINT,  /* uint64_t */
	OPT_SIZE,  /* uint64_t, bytes */
	OPT_TIME,  /* uint64_t, ns */
	OPT_NODE,  /* int: one node in numactl's grammar */
	OPT_UINTS, /* struct uint_list */
	OPT_SIZES, /* struct uint_list, bytes */
	OPT_TEXTS, /* struct text_list */
};

struct opt {
	const char *name;
	enum opt_type type;
	size_t offset; /* in the command's options structure */
	const char *metavar;
	const char *help;
	uint64_t min, max; /* of numbers; max 0: no limits */
	bool power_of_two;
	const char *const *words; /* of OPT_TEXT and OPT_TEXTS: what is allowed; NULL: anything */
};

/* What follows the help text are further members: .min = 1, .max = 9 */
#define OPT(kind, option, owner, member, meta, ...)                                           \
	{                                                                                     \
		.name = option, .type = OPT_##kind, .offset = offsetof(struct owner, member), \
		.metavar = meta, .help = __VA_ARGS__                                          \
	}

/* The first member of every command's options. */
struct output_options {
	const char *json; /* file, "-" for stdout, NULL for none */
	const char *csv;
	const char *plot;
	bool quiet;
};

/*
 * Fills the command's options from argv (argv[0] is the command's name). 0 to go on; else
 * *exit_code says how to end: after --help, or after a bad option that has been reported.
 */
int options_parse(const struct command *command, int argc, char **argv, int *exit_code);

#endif
