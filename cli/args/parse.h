/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text to numbers, and sizes back to text. Parsers return -EINVAL unless the whole text matches. */
#ifndef MIGBENCH_PARSE_H
#define MIGBENCH_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIST_MAX 64

struct uint_list {
	uint64_t v[LIST_MAX];
	unsigned int nr;
};

struct text_list {
	const char *v[LIST_MAX];
	unsigned int nr;
};

/* Decimal digits only. -ERANGE: more than 64 bits. */
int parse_uint(const char *text, uint64_t *out);
/* "4096", "4k", "2M", "1G", "2MiB": powers of 1024, upper or lower case. */
int parse_size(const char *text, uint64_t *out);
/* "500ms", "2s", "1.5", "3m", "20us": seconds if no unit is given. */
int parse_time_ns(const char *text, uint64_t *out);
/* "1,2,4" and "1-4", mixed. -E2BIG: more than LIST_MAX. */
int parse_uints(const char *text, struct uint_list *out);
/* "4k,64k,2M" */
int parse_sizes(const char *text, struct uint_list *out);
/* Splits text at its commas, in place. An empty entry is -EINVAL. */
int parse_texts(char *text, struct text_list *out);

bool text_list_has(const struct text_list *list, const char *text);

/* "4K", "2M", "1G" for whole multiples, otherwise the number. Returns buf. */
#define SIZE_TEXT_BYTES 24
const char *size_text(uint64_t bytes, char buf[SIZE_TEXT_BYTES]);

#endif
