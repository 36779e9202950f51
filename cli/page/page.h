/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A document with headings, text, tables and plots, written as HTML or as Markdown. */
#ifndef MIGBENCH_PAGE_H
#define MIGBENCH_PAGE_H

#include <stdio.h>

#include "cli/plot/plot.h"
#include "cli/report/report.h"

#define PAGE_COLUMNS_MAX 24

/* Some columns of a table, in an order of their own. */
struct page_columns {
	unsigned int v[PAGE_COLUMNS_MAX];
	unsigned int nr;
};

struct page_format {
	void (*begin)(FILE *to, const char *title);
	void (*heading)(FILE *to, const char *text);
	void (*text)(FILE *to, const char *text);
	/* A list: begin, any number of items, end. An item has a term, a text, or both. */
	void (*list_begin)(FILE *to);
	void (*list_item)(FILE *to, const char *term, const char *text);
	void (*list_end)(FILE *to);
	void (*table)(FILE *to, const struct table *table, const struct page_columns *columns);
	void (*plot)(FILE *to, const struct plot *plot); /* NULL: the format has none */
	void (*end)(FILE *to);
};

/* One file without scripts and outside resources; plots are inline SVG, drawn by gnuplot. */
extern const struct page_format page_html;
/* For mails: lines of 76 columns at most, but for tables; those are aligned. */
extern const struct page_format page_markdown;

/* The used columns among those with these keys; the list ends with NULL. */
struct page_columns page_columns_of(const struct table *table, const char *const *keys);

#endif
