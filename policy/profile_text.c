// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads and writes numbers by itself: strtod() and printf() follow the program's locale, which may
 * write 0,5 for a half.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/profile_text.h"

#define MAGIC "pageferry-profile 1"

/* Digits after the point. A rate in ns per byte needs the most of them. */
#define FRACTION_DIGITS 6
#define FRACTION_SCALE  UINT64_C(1000000)

static const struct key_part {
	const char *name;
	size_t offset;
} key_parts[] = {
	{"topology", offsetof(struct profile_key, topology)},
	{"kernel", offsetof(struct profile_key, kernel)},
	{"library", offsetof(struct profile_key, library)},
};

const char *profile_key_differs(const struct profile_key *a, const struct profile_key *b)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(key_parts); i++)
		if (strcmp((const char *)a + key_parts[i].offset,
			   (const char *)b + key_parts[i].offset))
			return key_parts[i].name;
	return NULL;
}

/* ---- writing ---- */

size_t profile_format(const struct profile *profile, const struct profile_key *key, char *text,
		      size_t text_bytes)
{
	size_t len = (size_t)snprintf(text, text_bytes, "%s\n", MAGIC);

	for (unsigned int i = 0; i < ARRAY_SIZE(key_parts) && len < text_bytes; i++) {
		const char *value = (const char *)key + key_parts[i].offset;

		if (strpbrk(value, "\n"))
			return 0;
		len += (size_t)snprintf(text + len, text_bytes - len, "%s %s\n", key_parts[i].name,
					value);
	}
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS && len < text_bytes; at++) {
		double value = profile_get(profile, at);
		uint64_t scaled = (uint64_t)(value * (double)FRACTION_SCALE + 0.5);
		struct profile_field field;

		profile_field(at, &field);
		len += (size_t)snprintf(text + len, text_bytes - len,
					"%s %" PRIu64 ".%0*" PRIu64 "\n", field.name,
					scaled / FRACTION_SCALE, FRACTION_DIGITS,
					scaled % FRACTION_SCALE);
	}
	return len < text_bytes ? len : 0;
}

/* ---- reading ---- */

struct reader {
	const char *at, *end;
	unsigned int line; /* for messages */
	char *why;
	size_t why_bytes;
};

/* A line without its line break, cut at the first space. */
struct line {
	const char *name, *value;
	size_t name_len, value_len;
};

static int reader_fails(const struct reader *reader, const char *what)
{
	snprintf(reader->why, reader->why_bytes, "line %u: %s", reader->line, what);
	return -EINVAL;
}

/* False at the end of the text. */
static bool reader_next(struct reader *reader, struct line *out)
{
	const char *stop, *space;
	size_t len = (size_t)(reader->end - reader->at);

	if (!len)
		return false;
	reader->line++;
	stop = memchr(reader->at, '\n', len);
	if (!stop)
		stop = reader->end;
	space = memchr(reader->at, ' ', (size_t)(stop - reader->at));
	*out = (struct line){.name = reader->at, .name_len = (size_t)(stop - reader->at)};
	if (space) {
		out->name_len = (size_t)(space - reader->at);
		out->value = space + 1;
		out->value_len = (size_t)(stop - out->value);
	}
	reader->at = stop < reader->end ? stop + 1 : stop;
	return true;
}

static bool line_is(const struct line *line, const char *name)
{
	return line->name_len == strlen(name) && !memcmp(line->name, name, line->name_len);
}

/* Digits, and a point with digits behind it. */
static bool number_parse(const char *text, size_t len, double *out)
{
	double value = 0, unit = 1;
	bool point = false, digit = false;

	if (len > 24)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && !point && digit) {
			point = true;
			digit = false;
			continue;
		}
		if (text[i] < '0' || text[i] > '9')
			return false;
		digit = true;
		value = value * 10 + (text[i] - '0');
		if (point)
			unit *= 10;
	}
	*out = value / unit;
	return digit;
}

static int key_parse(struct reader *reader, struct profile_key *key)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(key_parts); i++) {
		char *to = (char *)key + key_parts[i].offset;
		struct line line;

		if (!reader_next(reader, &line) || !line_is(&line, key_parts[i].name))
			return reader_fails(reader, "topology, kernel and library belong here");
		if (!line.value || line.value_len >= PROFILE_KEY_BYTES ||
		    memchr(line.value, 0, line.value_len))
			return reader_fails(reader, "text of less than 160 bytes belongs here");
		memcpy(to, line.value, line.value_len);
	}
	return 0;
}

static int numbers_parse(struct reader *reader, struct profile *profile)
{
	bool seen[PROFILE_NR_FIELDS] = {0};
	unsigned int nr_seen = 0;
	struct line line;

	while (reader_next(reader, &line)) {
		/* A text that was written by profile_format() has the numbers in this order. */
		struct profile_field field = {.name = ""};
		unsigned int at = nr_seen;
		double value;

		if (at < PROFILE_NR_FIELDS)
			profile_field(at, &field);
		if (!line_is(&line, field.name))
			at = profile_find(line.name, line.name_len);
		if (at >= PROFILE_NR_FIELDS)
			return reader_fails(reader, "no number has this name");
		if (seen[at])
			return reader_fails(reader, "this number is there twice");
		if (!number_parse(line.value, line.value_len, &value))
			return reader_fails(reader, "a number such as 12.5 belongs here");
		seen[at] = true;
		nr_seen++;
		profile_set(profile, at, value);
	}
	return nr_seen == PROFILE_NR_FIELDS ? 0 : reader_fails(reader, "numbers are missing");
}

int profile_parse(const char *text, size_t len, struct profile *profile, struct profile_key *key,
		  char *why, size_t why_bytes)
{
	struct reader reader = {text, text + len, 0, why, why_bytes};
	struct profile_key new_key = {.topology = ""};
	struct profile new_profile;
	struct line line;
	int err;

	if (!reader_next(&reader, &line) || (size_t)(reader.at - text) != sizeof(MAGIC) ||
	    memcmp(text, MAGIC "\n", sizeof(MAGIC)))
		return reader_fails(&reader,
				    "this is no profile: it must begin with \"" MAGIC "\"");
	err = key_parse(&reader, &new_key);
	if (!err)
		err = numbers_parse(&reader, &new_profile);
	if (!err)
		err = profile_check(&new_profile, why, why_bytes);
	if (err)
		return err;
	*profile = new_profile;
	*key = new_key;
	return 0;
}
