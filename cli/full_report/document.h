/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a report says, in which order. */
#ifndef MIGBENCH_DOCUMENT_H
#define MIGBENCH_DOCUMENT_H

#include <jansson.h>
#include <stdio.h>

#include "cli/page/page.h"

struct document {
	const json_t *results;
	const json_t *other; /* to compare with; NULL: none */
};

void document_write(const struct document *document, const struct page_format *format, FILE *to);

#endif
