// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>

#include "engines/engine.h"
#include "engines/spec.h"

size_t spec_name_len(const char *spec)
{
	return strcspn(spec, ":");
}

static bool engine_name_begins(const char *text)
{
	for (unsigned int i = 0; engine_table[i]; i++) {
		size_t len = strlen(engine_table[i]->name);

		if (!strncmp(text, engine_table[i]->name, len) &&
		    (!text[len] || strchr(":+)", text[len])))
			return true;
	}
	return false;
}

/* Does the '+' at this place join two engines? */
static bool spec_is_joined_at(const char *spec, size_t at)
{
	bool has_params = memchr(spec, ':', at);

	if (engine_name_begins(spec + at + 1))
		return true;
	/* The path of a shared object may contain any character. */
	return *spec != '/' && (!has_params || spec[at + 1] == '/');
}

size_t spec_first_len(const char *spec)
{
	unsigned int depth = 0;
	size_t at;

	for (at = 0; spec[at]; at++) {
		if (spec[at] == '(')
			depth++;
		else if (spec[at] == ')' && depth)
			depth--;
		else if (spec[at] == '+' && !depth && spec_is_joined_at(spec, at))
			break;
	}
	return at;
}

void spec_copier(const char *spec, char *name, size_t name_bytes)
{
	const char *inner, *slash;
	size_t len;

	while (!strncmp(spec, "fault", 5) && (!spec[5] || spec[5] == ':')) {
		inner = strstr(spec, "inner=");
		spec = inner ? inner + strlen("inner=") : "cpu";
	}
	len = spec_name_len(spec);
	if (*spec == '/') {
		slash = memrchr(spec, '/', len);
		len -= (size_t)(slash + 1 - spec);
		spec = slash + 1;
		len = MIN(len, strcspn(spec, "."));
	}
	snprintf(name, name_bytes, "%.*s", (int)len, spec);
}
