/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A command's results: tables of typed cells, written as text, JSON and CSV. A cell that was never
 * set is absent in all of them; the text omits a column without cells.
 */
#ifndef MIGBENCH_REPORT_H
#define MIGBENCH_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/args/args.h"

enum column_type { COLUMN_TEXT, COLUMN_COUNT, COLUMN_REAL, COLUMN_BYTES, COLUMN_BOOL };

struct column {
	const char *key; /* JSON; a dot nests: "stall_us.p50" */
	const char *title;
	enum column_type type;
	unsigned char digits; /* after the decimal point, in text */
	bool data_only;       /* in JSON and CSV, not in the text table */
};

struct cell {
	bool set, has_spread;
	double spread; /* median absolute deviation; JSON: key_mad */
	union {
		char *text;
		int64_t count;
		double real;
		bool yes;
	};
};

struct table {
	const char *key;     /* JSON name of the array: "results" */
	const char *caption; /* line above the text table; NULL: none */
	const struct column *columns;
	unsigned int nr_columns;
	struct cell *cells;
	unsigned int nr_rows, rows_cap;
	bool text_only; /* not in JSON and CSV */
};

#define REPORT_TABLES_MAX 4

struct report {
	const char *command;
	struct table tables[REPORT_TABLES_MAX];
	unsigned int nr_tables;
	json_t *facts; /* members added at the top of the JSON */
	json_t *notes; /* strings; also printed under the tables */
};

/* command names the report in JSON. */
void report_open(struct report *report, const char *command);
void report_close(struct report *report);
/* Adds a table; the report owns it. At most REPORT_TABLES_MAX. */
struct table *report_table(struct report *report, const char *key, const char *caption,
			   const struct column *columns, unsigned int nr_columns);
void report_note(struct report *report, const char *fmt, ...) __printf(2, 3);

/* Begins a row; the setters below set cells of the latest row. */
void table_row(struct table *table);
/* Longer text is cut. */
#define CELL_TEXT_BYTES 512
void table_text(struct table *table, unsigned int column, const char *fmt, ...) __printf(3, 4);
void table_count(struct table *table, unsigned int column, int64_t value);
void table_real(struct table *table, unsigned int column, double value);
void table_spread(struct table *table, unsigned int column, double value, double spread);
void table_bool(struct table *table, unsigned int column, bool value);
struct cell *table_cell(const struct table *table, unsigned int row, unsigned int column);

/* Adds a row for each object of an array that report_write() has written as JSON. */
void table_add_json(struct table *table, const json_t *rows);

/* The index of a column by its key; -1 if there is none. */
int table_find_column(const struct table *table, const char *key);
/* Has any row this cell? */
bool table_column_used(const struct table *table, unsigned int column);
/*
 * A cell as text, with its spread behind plus_minus; "" if it is not set. buf has
 * CELL_TEXT_BYTES + 40.
 */
void table_cell_text(const struct table *table, unsigned int row, unsigned int column,
		     const char *plus_minus, char *buf);

/*
 * Writes the files that output names, and text to stdout unless JSON or CSV goes there. Returns 0,
 * or -errno after a message.
 */
int report_write(const struct report *report, const struct output_options *output);

#endif
