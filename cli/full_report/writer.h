/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the parts of a document go. */
#ifndef MIGBENCH_WRITER_H
#define MIGBENCH_WRITER_H

#include <jansson.h>
#include <stdio.h>

#include "cli/page/page.h"

struct writer {
	const struct page_format *format;
	FILE *to;
	const json_t *results;
};

/* printf() into a paragraph or a list item. term may be NULL. */
void put_text(const struct writer *writer, const char *fmt, ...) __printf(2, 3);
void put_item(const struct writer *writer, const char *term, const char *fmt, ...) __printf(3, 4);

#endif
