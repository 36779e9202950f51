/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MIGBENCH_SYSFS_H
#define MIGBENCH_SYSFS_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* The first line of a file, without its newline. 0 or -errno; buf is "" then. */
int sysfs_line(char *buf, size_t buf_bytes, const char *path_fmt, ...) __printf(3, 4);
/* The first line as a number. 0, -errno. */
int sysfs_number(uint64_t *out, const char *path_fmt, ...) __printf(2, 3);

/* "0-3,8": calls fn for each number. */
void sysfs_each(const char *list, void (*fn)(void *arg, int number), void *arg);
bool sysfs_list_has(const char *list, int number);

/* "always [madvise] never": the word in brackets, into word. Returns word, "" if there is none. */
const char *sysfs_choice(const char *line, char *word, size_t word_bytes);

#endif
