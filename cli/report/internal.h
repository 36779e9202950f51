/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this folder share: a report's output formats. */
#ifndef MIGBENCH_REPORT_INTERNAL_H
#define MIGBENCH_REPORT_INTERNAL_H

#include <stdio.h>

struct cell;
struct column;
struct report;
struct table;

/* 0 or -errno. */
int emit_tables(const struct report *report, FILE *to);
int emit_json(const struct report *report, FILE *to);
int emit_csv(const struct report *report, FILE *to);

/* Frees the cells. */
void table_close(struct table *table);

/* A cell as text, without its spread; "" if it is not set. buf has CELL_TEXT_BYTES. */
void cell_format(const struct column *column, const struct cell *cell, char *buf);

#endif
