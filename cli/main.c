// SPDX-License-Identifier: LGPL-2.1-or-later
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/args/args.h"
#include "pageferry.h"

static const struct command *const commands[] = {
	&topo_command, &doctor_command, &copy_command, &move_command, &verify_command,
};

static void print_help(void)
{
	fputs("Usage: migbench COMMAND [OPTION]...\n\n"
	      "Measures and checks how fast memory pages move between NUMA nodes.\n\n"
	      "Commands:\n",
	      stdout);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n'migbench COMMAND --help' lists a command's options; migbench(1) has it all.\n"
	      "A good start: migbench doctor, then migbench move.\n",
	      stdout);
}

int main(int argc, char **argv)
{
	int exit_code;

	/* Tables have a ± in them, wherever this runs. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (argc < 2)
		return cli_usage_error("which command? topo, doctor, copy, move or verify");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help();
		return CLI_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("migbench %s\n", ferry_version());
		return CLI_OK;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i]->name))
			continue;
		cli_set_command(commands[i]->name);
		if (options_parse(commands[i], argc - 1, argv + 1, &exit_code))
			return exit_code;
		cli_set_quiet(((struct output_options *)commands[i]->options)->quiet);
		return commands[i]->run();
	}
	return cli_usage_error("%s: no such command", argv[1]);
}
