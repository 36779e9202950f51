// SPDX-License-Identifier: LGPL-2.1-or-later
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli/args/args.h"
#include "cli/calibrate/calibrate.h"
#include "cli/common/common.h"
#include "cli/copy/copy.h"
#include "cli/doctor/doctor.h"
#include "cli/explain/explain.h"
#include "cli/full_report/full_report.h"
#include "cli/move/move.h"
#include "cli/topo/topo.h"
#include "cli/verify/verify.h"
#include "pageferry.h"

static const struct command *const commands[] = {
	&topo_command,   &doctor_command,  &copy_command,      &move_command,
	&verify_command, &explain_command, &calibrate_command, &report_command,
};

static void print_help(void)
{
	fputs("Usage: migbench COMMAND [OPTION]...\n\n"
	      "Measures how fast memory pages move between NUMA nodes, and checks that they move\n"
	      "correctly.\n\n"
	      "Commands:\n",
	      stdout);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n'migbench COMMAND --help' lists the options of a command; see also migbench(1).\n"
	      "Start with 'migbench doctor', then 'migbench move'.\n",
	      stdout);
}

static int run_command(const struct command *command, int argc, char **argv)
{
	int exit_code;

	cli_set_command(command->name);
	if (args_parse(command, argc, argv, &exit_code))
		return exit_code;
	cli_set_quiet(((struct output_options *)command->options)->quiet);
	return command->run();
}

int main(int argc, char **argv)
{
	/* Tables contain "±", whatever the user's locale. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (argc < 2)
		return cli_usage_error("a command is missing: topo, doctor, copy, move, verify, "
				       "explain or report");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help();
		return CLI_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("migbench %s\n", ferry_version());
		return CLI_OK;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i]->name))
			return run_command(commands[i], argc - 1, argv + 1);
	}
	return cli_usage_error("%s: unknown command", argv[1]);
}
