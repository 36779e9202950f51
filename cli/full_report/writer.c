// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>

#include "cli/full_report/writer.h"

static void put_formatted(const struct writer *writer, const char *term, bool is_item,
			  const char *fmt, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, args);
	if (is_item)
		writer->format->list_item(writer->to, term, text);
	else
		writer->format->text(writer->to, text);
}

void put_text(const struct writer *writer, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_formatted(writer, NULL, false, fmt, args);
	va_end(args);
}

void put_item(const struct writer *writer, const char *term, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_formatted(writer, term, true, fmt, args);
	va_end(args);
}
