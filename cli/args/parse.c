// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/args/parse.h"

/* Reads the digits at *text and advances it past them. */
static int text_take_uint(const char **text, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	*out = strtoull(*text, &end, 10);
	if (errno)
		return -ERANGE;
	*text = end;
	return 0;
}

int parse_uint(const char *text, uint64_t *out)
{
	uint64_t value;
	int err = text_take_uint(&text, &value);

	if (err)
		return err;
	if (*text)
		return -EINVAL;
	*out = value;
	return 0;
}

int parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "kmgt";
	uint64_t value;
	unsigned int shift = 0;
	int err = text_take_uint(&text, &value);

	if (err)
		return err;
	if (*text) {
		const char *unit = strchr(units, tolower((unsigned char)*text));

		if (unit) {
			shift = 10 * (unsigned int)(unit - units + 1);
			text++;
			if (!strcasecmp(text, "ib"))
				text += 2;
		}
	}
	if (*text)
		return -EINVAL;
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*out = value << shift;
	return 0;
}

int parse_time_ns(const char *text, uint64_t *out)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9}};
	char *end;
	double value;

	/* strtod alone would also take "inf", "nan" and "0x1p3". */
	if (!isdigit((unsigned char)*text) || strpbrk(text, "xXpPeE"))
		return -EINVAL;
	value = strtod(text, &end);
	for (unsigned int i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name))
			continue;
		if (!(value * units[i].ns < 9e18))
			return -ERANGE;
		*out = (uint64_t)llround(value * units[i].ns);
		return 0;
	}
	return -EINVAL;
}

static int list_add(struct uint_list *list, uint64_t value)
{
	if (list->nr == LIST_MAX)
		return -E2BIG;
	list->v[list->nr++] = value;
	return 0;
}

int parse_uints(const char *text, struct uint_list *out)
{
	struct uint_list list = {0};

	for (;; text++) {
		uint64_t first, last;
		int err = text_take_uint(&text, &first);

		if (err)
			return err;
		last = first;
		if (*text == '-') {
			text++;
			err = text_take_uint(&text, &last);
			if (err)
				return err;
			if (last < first)
				return -EINVAL;
			if (last - first >= LIST_MAX)
				return -E2BIG;
		}
		for (uint64_t i = 0; i <= last - first && !err; i++)
			err = list_add(&list, first + i);
		if (err)
			return err;
		if (!*text)
			break;
		if (*text != ',')
			return -EINVAL;
	}
	*out = list;
	return 0;
}

int parse_sizes(const char *text, struct uint_list *out)
{
	struct uint_list list = {0};

	for (;;) {
		char part[32];
		size_t len = strcspn(text, ",");
		uint64_t value;
		int err;

		if (len >= sizeof(part))
			return -EINVAL;
		memcpy(part, text, len);
		part[len] = '\0';
		err = parse_size(part, &value);
		if (!err)
			err = list_add(&list, value);
		if (err)
			return err;
		if (!text[len])
			break;
		text += len + 1;
	}
	*out = list;
	return 0;
}

int parse_texts(char *text, struct text_list *out)
{
	struct text_list list = {0};

	for (;;) {
		char *comma = strchr(text, ',');

		if (comma)
			*comma = '\0';
		if (!*text)
			return -EINVAL;
		if (list.nr == LIST_MAX)
			return -E2BIG;
		list.v[list.nr++] = text;
		if (!comma)
			break;
		text = comma + 1;
	}
	*out = list;
	return 0;
}

bool text_list_has(const struct text_list *list, const char *text)
{
	for (unsigned int i = 0; i < list->nr; i++) {
		if (!strcmp(list->v[i], text))
			return true;
	}
	return false;
}

const char *size_text(uint64_t bytes, char buf[SIZE_TEXT_BYTES])
{
	static const char units[] = "KMGT";
	int unit = -1;

	while (bytes && bytes % 1024 == 0 && unit < 3) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, SIZE_TEXT_BYTES, "%" PRIu64 "%.*s", bytes, unit >= 0,
		 &units[unit < 0 ? 0 : unit]);
	return buf;
}
