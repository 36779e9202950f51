/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Readers of sysfs files; private to this folder. */
#ifndef MIGBENCH_SYSFS_H
#define MIGBENCH_SYSFS_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

#define SYSFS_NODE  "/sys/devices/system/node"
#define SYSFS_TIERS "/sys/devices/virtual/memory_tiering"
#define SYSFS_THP   "/sys/kernel/mm/transparent_hugepage"

/* The first line of a file, without its newline. 0, or -errno and buf is "". */
int sysfs_line(char *buf, size_t buf_bytes, const char *path_fmt, ...) __printf(3, 4);
/* The first line as a number. 0 or -errno. */
int sysfs_number(uint64_t *out, const char *path_fmt, ...) __printf(2, 3);

/* "0-3,8": calls fn for each number. */
void sysfs_each(const char *list, void (*fn)(void *arg, int number), void *arg);
bool sysfs_list_has(const char *list, int number);

/* Copies the word in brackets ("always [madvise] never") to word, "" if none. Returns word. */
const char *sysfs_choice(const char *line, char *word, size_t word_bytes);

#endif
