// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/common/common.h"
#include "cli/machine/machine.h"
#include "cli/profile/profile_file.h"
#include "pageferry.h"

#define SCHEMA         "pageferry-profile/1"
#define FILE_MAX_BYTES (1UL << 20)

/* ---- path and key ---- */

int profile_file_path(char path[PROFILE_PATH_BYTES])
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int len;

	/* The specification tells to ignore a path that is not absolute. */
	if (!geteuid())
		len = snprintf(path, PROFILE_PATH_BYTES, "/var/cache/pageferry/profile");
	else if (cache && *cache == '/')
		len = snprintf(path, PROFILE_PATH_BYTES, "%s/pageferry/profile", cache);
	else if (home && *home == '/')
		len = snprintf(path, PROFILE_PATH_BYTES, "%s/.cache/pageferry/profile", home);
	else
		return -ENOENT;
	return len < PROFILE_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static void key_topology(const struct placement *placement, char *out, size_t out_bytes)
{
	struct machine *machine = cli_alloc(1, sizeof(*machine));
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a, of all distances */
	int nr_l3 = 0;

	machine_read(machine);
	for (unsigned int i = 0; i < placement->nr_places; i++)
		nr_l3 = MAX(nr_l3, placement->places[i].l3 + 1);
	for (unsigned int i = 0; i < machine->nr; i++)
		for (unsigned int j = 0; j < machine->nr; j++)
			hash = (hash ^ (uint64_t)machine->distance[i][j]) * 0x100000001b3ULL;
	snprintf(out, out_bytes, "%u CPUs, %d L3, %u nodes, distances %08x", placement->nr_places,
		 nr_l3, machine->nr, (unsigned int)(hash ^ hash >> 32));
	free(machine);
}

void profile_file_key(const struct placement *placement, struct profile_key *out)
{
	struct utsname name = {.release = "unknown"};

	*out = (struct profile_key){.topology = ""};
	uname(&name);
	key_topology(placement, out->topology, sizeof(out->topology));
	snprintf(out->kernel, sizeof(out->kernel), "%s", name.release);
	snprintf(out->library, sizeof(out->library), "%s", ferry_version());
}

/* ---- JSON ---- */

/* The object that holds the last part of a name with dots, and that part. */
static json_t *json_descend(json_t *from, const char *name, bool create, const char **last)
{
	const char *dot;
	char part[PROFILE_NAME_BYTES];

	for (; from && (dot = strchr(name, '.')); name = dot + 1) {
		json_t *next;

		snprintf(part, sizeof(part), "%.*s", (int)(dot - name), name);
		next = json_object_get(from, part);
		if (!next && create) {
			json_object_set_new(from, part, json_object());
			next = json_object_get(from, part);
		}
		from = next;
	}
	*last = name;
	return from;
}

static size_t json_nr_leaves(json_t *from)
{
	size_t nr = 0;
	const char *name;
	json_t *value;

	if (!json_is_object(from))
		return 1;
	json_object_foreach(from, name, value) nr += json_nr_leaves(value);
	return nr;
}

static int profile_from_json(json_t *from, struct profile *out, char *why, size_t why_bytes)
{
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
		struct profile_field field;
		const char *last = field.name;
		json_t *value;

		profile_field(at, &field);
		value = json_descend(from, field.name, false, &last);
		value = json_object_get(value, last);
		if (!json_is_number(value)) {
			snprintf(why, why_bytes, "profile.%s must be there, and a number",
				 field.name);
			return -EINVAL;
		}
		profile_set(out, at, json_number_value(value));
	}
	if (json_nr_leaves(from) != PROFILE_NR_FIELDS) {
		snprintf(why, why_bytes, "\"profile\" has members that no number is called");
		return -EINVAL;
	}
	return profile_check(out, why, why_bytes);
}

static int key_from_json(json_t *from, const char *name, char *out, char *why, size_t why_bytes)
{
	const char *text = json_string_value(json_object_get(from, name));

	if (!text || strlen(text) >= PROFILE_KEY_BYTES) {
		snprintf(why, why_bytes, "key.%s must be there, and be text of less than %d bytes",
			 name, PROFILE_KEY_BYTES);
		return -EINVAL;
	}
	strcpy(out, text);
	return 0;
}

static int load_json(json_t *from, struct profile *profile, struct profile_key *key, char *why,
		     size_t why_bytes)
{
	const char *schema = json_string_value(json_object_get(from, "schema"));
	json_t *key_json = json_object_get(from, "key");
	int err;

	if (!schema || strcmp(schema, SCHEMA)) {
		snprintf(why, why_bytes, "schema must be \"%s\"", SCHEMA);
		return -EINVAL;
	}
	err = key_from_json(key_json, "topology", key->topology, why, why_bytes);
	if (!err)
		err = key_from_json(key_json, "kernel", key->kernel, why, why_bytes);
	if (!err)
		err = key_from_json(key_json, "library", key->library, why, why_bytes);
	if (!err)
		err = profile_from_json(json_object_get(from, "profile"), profile, why, why_bytes);
	return err;
}

static json_t *profile_to_json(const struct profile *profile, const struct profile_key *key)
{
	json_t *numbers = json_object();

	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
		struct profile_field field;
		const char *last = field.name;
		json_t *to;

		profile_field(at, &field);
		to = json_descend(numbers, field.name, true, &last);
		json_object_set_new(to, last, json_real(profile_get(profile, at)));
	}
	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o}", "schema", SCHEMA, "key", "topology",
			 key->topology, "kernel", key->kernel, "library", key->library, "profile",
			 numbers);
}

/* ---- files ---- */

static int file_read(const char *path, char **out, size_t *out_bytes)
{
	FILE *from = fopen(path, "re");
	int err = 0;

	if (!from)
		return -errno;
	*out = cli_alloc(FILE_MAX_BYTES + 1, 1);
	*out_bytes = fread(*out, 1, FILE_MAX_BYTES + 1, from);
	if (ferror(from))
		err = -EIO;
	else if (*out_bytes > FILE_MAX_BYTES)
		err = -EFBIG;
	fclose(from);
	if (err)
		free(*out);
	return err;
}

int profile_file_load(const char *path, struct profile *profile, struct profile_key *key, char *why,
		      size_t why_bytes)
{
	json_error_t error;
	json_t *json;
	size_t len = 0;
	char *text = NULL;
	int err = file_read(path, &text, &len);

	if (err) {
		snprintf(why, why_bytes, "%s", strerror(-err));
		return err;
	}
	if (len && *text == '{') {
		json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
		if (json) {
			err = load_json(json, profile, key, why, why_bytes);
		} else {
			snprintf(why, why_bytes, "line %d: %s", error.line, error.text);
			err = -EINVAL;
		}
		json_decref(json);
	} else {
		err = profile_parse(text, len, profile, key, why, why_bytes);
	}
	free(text);
	return err;
}

static char *profile_to_text(const struct profile *profile, const struct profile_key *key)
{
	char *text = cli_alloc(PROFILE_TEXT_BYTES, 1);

	if (profile_format(profile, key, text, PROFILE_TEXT_BYTES))
		return text;
	free(text);
	return NULL;
}

static bool path_is_json(const char *path)
{
	size_t len = strlen(path);

	return len >= 5 && !strcmp(path + len - 5, ".json");
}

/* Writes another file and renames it, so that a reader never sees half of it. */
static int file_replace(const char *path, const char *text)
{
	char *temporary = cli_format("%s.%d.new", path, (int)getpid());
	FILE *to = fopen(temporary, "wxe");
	int err = 0;

	if (!to) {
		err = -errno;
		free(temporary);
		return err;
	}
	fputs(text, to);
	if (ferror(to))
		err = -EIO;
	if (fclose(to) && !err)
		err = -errno;
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	free(temporary);
	return err;
}

int profile_file_save(const char *path, const struct profile *profile,
		      const struct profile_key *key)
{
	json_t *json = path_is_json(path) ? profile_to_json(profile, key) : NULL;
	char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(10))
			  : profile_to_text(profile, key);
	int err = text ? file_replace(path, text) : -EINVAL;

	json_decref(json);
	free(text);
	return err;
}
