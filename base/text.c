// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/text.h"

#include <string.h>

bool text_add(char *text, size_t text_bytes, const char *more)
{
	size_t len = strlen(text), more_len = strlen(more), room = text_bytes - len - 1;
	size_t taken = MIN(more_len, room);

	memcpy(text + len, more, taken);
	text[len + taken] = '\0';
	return taken == more_len;
}

bool text_add_number(char *text, size_t text_bytes, uint64_t number)
{
	char digits[21];
	char *first = &digits[sizeof(digits) - 1];

	*first = '\0';
	do
		*--first = (char)('0' + number % 10);
	while (number /= 10);
	return text_add(text, text_bytes, first);
}

uint64_t text_read_number(const char **at)
{
	uint64_t number = 0;

	while (**at >= '0' && **at <= '9')
		number = number * 10 + (uint64_t)(*(*at)++ - '0');
	return number;
}

uint64_t text_number(const char *text)
{
	text += strspn(text, " \t");
	return text_read_number(&text);
}
