// SPDX-License-Identifier: LGPL-2.1-or-later
#include "preload/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

/*
 * Increasing this leaves more calls to the kernel; decreasing it lets more programs open a context,
 * which costs milliseconds and threads. (The library itself makes the plain call for small
 * requests.)
 */
#define DEFAULT_MIN_PAGES 64
#define LINE_BYTES        2048

enum kind {
	KIND_NUMBER,
	KIND_BYTES,        /* a number, with an optional suffix K, M or G */
	KIND_BYTES_POWER2, /* KIND_BYTES, and a power of two */
	KIND_CHOICE,       /* one word of a list; the value is its index */
	KIND_TEXT,
};

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t min, max;
	const char *expected; /* for messages; for KIND_CHOICE the words, separated by '|' */
};

#define FIELD(f) offsetof(struct settings, f)

static const struct setting settings_table[] = {
	{"PAGEFERRY_DISABLE", KIND_NUMBER, FIELD(disable), 0, 1, "0 or 1"},
	{"PAGEFERRY_ENGINE", KIND_TEXT, FIELD(engine), 1, 0, "an engine's name"},
	{"PAGEFERRY_MOVER", KIND_CHOICE, FIELD(mover), 0, 0, "auto|kernel|exchange"},
	{"PAGEFERRY_WORKERS", KIND_NUMBER, FIELD(nr_workers), 1, 63, "a number from 1 to 63"},
	{"PAGEFERRY_CHUNK", KIND_BYTES_POWER2, FIELD(chunk_bytes), PAGE_BYTES, HUGE_BYTES,
	 "a power of two from 4K to 2M"},
	{"PAGEFERRY_STALL_US", KIND_NUMBER, FIELD(stall_us), 1, 10000000,
	 "microseconds from 1 to 10000000"},
	{"PAGEFERRY_POOL_CAP", KIND_BYTES, FIELD(pool_cap_bytes), HUGE_BYTES, UINT64_MAX,
	 "bytes, at least 2M"},
	{"PAGEFERRY_MIN_PAGES", KIND_NUMBER, FIELD(min_pages), 0, ULONG_MAX, "a number of pages"},
	{"PAGEFERRY_FRESH_FRAMES", KIND_NUMBER, FIELD(fresh_frames), 0, 1, "0 or 1"},
	{"PAGEFERRY_STATS", KIND_TEXT, FIELD(stats), 1, 0, "1 or the name of a file"},
	{"PAGEFERRY_PROFILE", KIND_TEXT, FIELD(profile), 1, 0, "none or the path of a profile"},
	{"PAGEFERRY_LOG", KIND_CHOICE, FIELD(log), 0, 0, "off|error|warn|info|debug"},
};

void message_write(int fd, const char *fmt, ...)
{
	static const char prefix[] = "pageferry: ";
	char line[LINE_BYTES];
	size_t len = sizeof(prefix) - 1;
	va_list ap;
	int n;

	memcpy(line, prefix, len);
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = MIN(len + (size_t)n, sizeof(line) - 2);
	line[len++] = '\n';
	/* A failed write is ignored: there is no other place for a message. */
	if (write(fd, line, len) < 0)
		return;
}

static bool parse_number(const char *text, bool bytes, uint64_t *out)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;
	unsigned long long value;
	unsigned int shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (bytes && *end) {
		unit = strchr(units, *end & ~0x20);
		if (!unit || end[1])
			return false;
		shift = 10 * (unsigned int)(unit - units + 1);
	} else if (*end) {
		return false;
	}
	if (value > UINT64_MAX >> shift)
		return false;
	*out = value << shift;
	return true;
}

static bool parse_choice(const char *text, const char *words, uint64_t *out)
{
	size_t len = strlen(text);

	for (uint64_t i = 0; words; i++) {
		const char *end = strchrnul(words, '|');

		if ((size_t)(end - words) == len && memcmp(words, text, len) == 0) {
			*out = i;
			return true;
		}
		words = *end ? end + 1 : NULL;
	}
	return false;
}

static bool setting_parse(const struct setting *setting, const char *text,
			  struct settings *settings)
{
	char *field = (char *)settings + setting->offset;
	uint64_t value = 0;

	switch (setting->kind) {
	case KIND_TEXT:
		if (strlen(text) >= SETTING_TEXT_BYTES)
			return false;
		strcpy(field, text);
		return true;
	case KIND_CHOICE:
		if (!parse_choice(text, setting->expected, &value))
			return false;
		break;
	default:
		if (!parse_number(text, setting->kind != KIND_NUMBER, &value) ||
		    value < setting->min || value > setting->max)
			return false;
		if (setting->kind == KIND_BYTES_POWER2 && (value & (value - 1)))
			return false;
	}
	memcpy(field, &value, sizeof(value));
	return true;
}

void settings_load(struct settings *settings)
{
	int saved_errno = errno;

	*settings = (struct settings){.min_pages = DEFAULT_MIN_PAGES};
	for (size_t i = 0; i < ARRAY_SIZE(settings_table); i++) {
		const char *text = secure_getenv(settings_table[i].name);

		if (text && *text && !setting_parse(&settings_table[i], text, settings))
			message_write(STDERR_FILENO, "%s=%.64s: expected %s; using the default",
				      settings_table[i].name, text, settings_table[i].expected);
	}
	errno = saved_errno;
}
