/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands and their options. One table of options per command drives both getopt_long and --help;
 * a test compares the man page with it.
 */
#ifndef MIGBENCH_ARGS_H
#define MIGBENCH_ARGS_H

#include "cli/args/parse.h"
#include "cli/common/common.h"

enum opt_type {
	OPT_FLAG,  /* bool */
	OPT_TEXT,  /* const char * */
	OPT_UINT,  /* uint64_t */
	OPT_SIZE,  /* uint64_t, bytes */
	OPT_TIME,  /* uint64_t, ns */
	OPT_NODE,  /* int: one node in numactl's syntax */
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
	const char *const *words; /* allowed values of OPT_TEXT and OPT_TEXTS; NULL: any */
};

/* Arguments after the help text set further members: .min = 1, .max = 9 */
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

struct command {
	const char *name;
	const char *summary;    /* one line */
	const char *about;      /* for --help */
	const struct opt *opts; /* ends with a NULL name; args_parse() adds the output options */
	void *options;          /* begins with struct output_options, holds the defaults */
	const char *operand;    /* the name of the argument that the command needs; NULL: none */
	size_t operand_offset;  /* of its const char * in options */
	int (*run)(void);       /* returns an exit code */
};

/*
 * Fills the command's options from argv (argv[0] is the command's name). Returns 0 if the command
 * should run; otherwise *exit_code is the program's exit code: after --help, or after a wrong
 * option, which is reported.
 */
int args_parse(const struct command *command, int argc, char **argv, int *exit_code);

#endif
