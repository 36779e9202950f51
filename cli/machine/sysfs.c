// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/machine/sysfs.h"

static int read_first_line(char *buf, size_t buf_bytes, const char *path)
{
	FILE *file = fopen(path, "re");

	buf[0] = '\0';
	if (!file)
		return -errno;
	if (!fgets(buf, (int)buf_bytes, file))
		buf[0] = '\0';
	fclose(file);
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int sysfs_line(char *buf, size_t buf_bytes, const char *path_fmt, ...)
{
	char path[256];
	va_list args;

	va_start(args, path_fmt);
	vsnprintf(path, sizeof(path), path_fmt, args);
	va_end(args);
	return read_first_line(buf, buf_bytes, path);
}

int sysfs_number(uint64_t *out, const char *path_fmt, ...)
{
	char path[256], line[64], *end;
	va_list args;
	int err;

	va_start(args, path_fmt);
	vsnprintf(path, sizeof(path), path_fmt, args);
	va_end(args);
	err = read_first_line(line, sizeof(line), path);
	if (err)
		return err;
	*out = strtoull(line, &end, 0);
	return end == line ? -EINVAL : 0;
}

void sysfs_each(const char *list, void (*fn)(void *arg, int number), void *arg)
{
	while (*list) {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			return;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		for (long i = first; i <= last; i++)
			fn(arg, (int)i);
		list = *end == ',' ? end + 1 : end;
	}
}

struct list_search {
	int number;
	bool found;
};

static void search_compare(void *arg, int number)
{
	struct list_search *search = arg;

	search->found |= number == search->number;
}

bool sysfs_list_has(const char *list, int number)
{
	struct list_search search = {.number = number};

	sysfs_each(list, search_compare, &search);
	return search.found;
}

const char *sysfs_choice(const char *line, char *word, size_t word_bytes)
{
	const char *open = strchr(line, '[');
	const char *close = open ? strchr(open, ']') : NULL;

	word[0] = '\0';
	if (close)
		snprintf(word, word_bytes, "%.*s", (int)(close - open - 1), open + 1);
	return word;
}
