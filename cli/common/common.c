// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/common.h"

static const char *command_name = "";
static bool quiet;
static bool progress_shown;

void cli_set_command(const char *name)
{
	command_name = name;
}

void cli_set_quiet(bool on)
{
	quiet = on;
}

static void print_error(const char *fmt, va_list args)
{
	cli_progress_end();
	fprintf(stderr, "migbench%s%s: ", *command_name ? " " : "", command_name);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void cli_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_error(fmt, args);
	va_end(args);
}

int cli_usage_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_error(fmt, args);
	va_end(args);
	fprintf(stderr, "Try 'migbench%s%s --help'.\n", *command_name ? " " : "", command_name);
	return CLI_USAGE;
}

bool cli_is_spec_error(int err)
{
	return err == -EINVAL || err == -ENOENT || err == -EPROTO;
}

void *cli_alloc(size_t nr, size_t each_bytes)
{
	void *memory = calloc(nr ? nr : 1, each_bytes);

	if (!memory) {
		cli_error("out of memory; try a smaller --total");
		exit(CLI_FAILED);
	}
	return memory;
}

char *cli_format(const char *fmt, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0) {
		cli_error("out of memory");
		exit(CLI_FAILED);
	}
	return text;
}

void cli_progress(const char *fmt, ...)
{
	va_list args;

	if (quiet || !isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fflush(stderr);
	progress_shown = true;
}

void cli_progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

bool cli_is_on_path(const char *program)
{
	const char *path = getenv("PATH");
	bool found = false;

	while (path && *path && !found) {
		size_t len = strcspn(path, ":");
		char *file = cli_format("%.*s/%s", (int)len, path, program);

		found = !access(file, X_OK);
		free(file);
		path += len + (path[len] == ':');
	}
	return found;
}
