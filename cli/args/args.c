// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args/args.h"
#include "cli/machine/machine.h"

#define MAX_OPTS 64

static const struct opt output_opts[] = {
	OPT(TEXT, "json", output_options, json, "FILE",
	    "write results and environment as JSON; - for standard output"),
	OPT(TEXT, "csv", output_options, csv, "FILE",
	    "write results as comma-separated values; - for standard output"),
	OPT(TEXT, "plot", output_options, plot, "FILE",
	    "draw results with gnuplot; FILE ends in .svg or .png"),
	OPT(FLAG, "quiet", output_options, quiet, NULL, "no progress line on the terminal"),
	{.name = "help", .type = OPT_FLAG, .help = "show this help"},
};

/* The command's own options and the output options, in the order of --help. */
static unsigned int command_opts(const struct command *command, const struct opt **all)
{
	unsigned int nr = 0;

	for (const struct opt *opt = command->opts; opt->name && nr < MAX_OPTS; opt++)
		all[nr++] = opt;
	for (unsigned int i = 0; i < ARRAY_SIZE(output_opts) && nr < MAX_OPTS; i++)
		all[nr++] = &output_opts[i];
	return nr;
}

/* Help texts start in column 32 and wrap at 79. */
static void help_print_wrapped(const char *text)
{
	const int indent = 32, width = 79 - indent;

	while (*text) {
		int len = (int)strlen(text);

		if (len > width) {
			len = width;
			while (len > 1 && text[len] != ' ')
				len--;
		}
		printf("%.*s\n", len, text);
		text += len;
		text += strspn(text, " ");
		if (*text)
			printf("%*s", indent, "");
	}
}

static void help_print(const struct command *command, const struct opt **all, unsigned int nr)
{
	printf("Usage: migbench %s [OPTION]...%s%s\n\n%s\n\nOptions:\n", command->name,
	       command->operand ? " " : "", command->operand ? command->operand : "",
	       command->about);
	for (unsigned int i = 0; i < nr; i++) {
		char left[64];

		snprintf(left, sizeof(left), "  --%s%s%s", all[i]->name, all[i]->metavar ? " " : "",
			 all[i]->metavar ? all[i]->metavar : "");
		printf("%-31s ", left);
		help_print_wrapped(all[i]->help);
	}
	fputs("\nSizes are binary: 4k, 2M, 1G. Rates are decimal: 1 GB/s is 1e9 bytes per second.\n"
	      "Commas separate list entries. Exit status: 0 success, 1 a check or the run\n"
	      "failed, 2 wrong options, 77 not possible on this machine.\n",
	      stdout);
}

static const char *parse_error_text(int err)
{
	switch (err) {
	case -ERANGE:
		return "too large";
	case -E2BIG:
		return "too many entries (at most 64)";
	default:
		return "not understood";
	}
}

static int opt_bad_value(const struct opt *opt, const char *text, const char *why)
{
	return cli_usage_error("--%s %s: %s; expected %s", opt->name, text, why, opt->help);
}

static int opt_check_number(const struct opt *opt, const char *text, uint64_t value)
{
	if (opt->power_of_two && (!value || value & (value - 1)))
		return cli_usage_error("--%s %s: %" PRIu64 " is not a power of two", opt->name,
				       text, value);
	if (opt->max && (value < opt->min || value > opt->max)) {
		char low[SIZE_TEXT_BYTES], high[SIZE_TEXT_BYTES];

		return cli_usage_error("--%s %s: must be from %s to %s", opt->name, text,
				       size_text(opt->min, low), size_text(opt->max, high));
	}
	return 0;
}

static int opt_set_number(const struct opt *opt, const char *text, uint64_t *out)
{
	uint64_t value = 0;
	int err;

	if (opt->type == OPT_SIZE)
		err = parse_size(text, &value);
	else if (opt->type == OPT_TIME)
		err = parse_time_ns(text, &value);
	else
		err = parse_uint(text, &value);
	if (err)
		return opt_bad_value(opt, text, parse_error_text(err));
	if (opt_check_number(opt, text, value))
		return CLI_USAGE;
	*out = value;
	return 0;
}

static int opt_set_numbers(const struct opt *opt, const char *text, struct uint_list *out)
{
	struct uint_list list = {0};
	int err = opt->type == OPT_SIZES ? parse_sizes(text, &list) : parse_uints(text, &list);

	if (err)
		return opt_bad_value(opt, text, parse_error_text(err));
	for (unsigned int i = 0; i < list.nr; i++) {
		if (opt_check_number(opt, text, list.v[i]))
			return CLI_USAGE;
	}
	*out = list;
	return 0;
}

static bool opt_allows(const struct opt *opt, const char *text)
{
	const char *const *word = opt->words;

	while (word && *word && strcmp(*word, text))
		word++;
	return !word || *word;
}

static int opt_set_texts(const struct opt *opt, char *text, struct text_list *out)
{
	struct text_list list;

	if (parse_texts(text, &list))
		return opt_bad_value(opt, text, "an entry is empty");
	for (unsigned int i = 0; i < list.nr; i++) {
		if (!opt_allows(opt, list.v[i]))
			return opt_bad_value(opt, list.v[i], "unknown");
	}
	*out = list;
	return 0;
}

static int opt_set_node(const struct opt *opt, const char *text, int *out)
{
	char why[160];

	if (machine_parse_node(text, out, why, sizeof(why)))
		return cli_usage_error("--%s %s: %s", opt->name, text, why);
	return 0;
}

/* 0 or CLI_USAGE. */
static int opt_set(const struct opt *opt, void *options, char *text)
{
	void *member = (char *)options + opt->offset;

	switch (opt->type) {
	case OPT_FLAG:
		*(bool *)member = true;
		return 0;
	case OPT_TEXT:
		if (!opt_allows(opt, text))
			return opt_bad_value(opt, text, "unknown");
		*(const char **)member = text;
		return 0;
	case OPT_UINT:
	case OPT_SIZE:
	case OPT_TIME:
		return opt_set_number(opt, text, member);
	case OPT_NODE:
		return opt_set_node(opt, text, member);
	case OPT_UINTS:
	case OPT_SIZES:
		return opt_set_numbers(opt, text, member);
	case OPT_TEXTS:
		return opt_set_texts(opt, text, member);
	}
	return 0;
}

static int output_check(const struct output_options *output)
{
	const char *dot;

	if (output->json && output->csv && !strcmp(output->json, "-") && !strcmp(output->csv, "-"))
		return cli_usage_error(
			"--json - and --csv -: only one can write to standard output");
	if (!output->plot)
		return 0;
	dot = strrchr(output->plot, '.');
	if (!dot || (strcmp(dot, ".svg") && strcmp(dot, ".png")))
		return cli_usage_error("--plot %s: the name must end in .svg or .png",
				       output->plot);
	return 0;
}

/* What follows the options: the command's operand, or nothing. 0 or CLI_USAGE. */
static int args_take_operand(const struct command *command, int argc, char **argv)
{
	if (command->operand && optind == argc)
		return cli_usage_error("%s is missing", command->operand);
	if (command->operand)
		*(const char **)((char *)command->options + command->operand_offset) =
			argv[optind++];
	if (optind < argc)
		return cli_usage_error("%s: unexpected argument; the command takes %s%s",
				       argv[optind],
				       command->operand ? "only options and " : "only options",
				       command->operand ? command->operand : "");
	return 0;
}

int args_parse(const struct command *command, int argc, char **argv, int *exit_code)
{
	const struct opt *all[MAX_OPTS];
	struct option longopts[MAX_OPTS + 1] = {0};
	unsigned int nr = command_opts(command, all);
	int index;

	for (unsigned int i = 0; i < nr; i++) {
		longopts[i].name = all[i]->name;
		longopts[i].has_arg = all[i]->type == OPT_FLAG ? no_argument : required_argument;
		longopts[i].val = (int)i + 256;
	}

	*exit_code = CLI_USAGE;
	opterr = 0;
	while ((index = getopt_long(argc, argv, ":h", longopts, NULL)) != -1) {
		if (index == ':') {
			cli_usage_error("%s: needs a value", argv[optind - 1]);
			return -EINVAL;
		}
		if (index == '?') {
			cli_usage_error("%s: unknown, ambiguous, or takes no value",
					argv[optind - 1]);
			return -EINVAL;
		}
		if (index == 'h' || !strcmp(all[index - 256]->name, "help")) {
			help_print(command, all, nr);
			*exit_code = CLI_OK;
			return -ECANCELED;
		}
		if (opt_set(all[index - 256], command->options, optarg))
			return -EINVAL;
	}
	if (args_take_operand(command, argc, argv))
		return -EINVAL;
	return output_check(command->options) ? -EINVAL : 0;
}
