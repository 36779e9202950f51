// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/common.h"
#include "cli/profile/profile_file.h"

#define SCHEMA         "pageferry-profile/1"
#define FILE_MAX_BYTES (1UL << 20)

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

/* All of it is on the disk before the file gets its name. */
static int file_write(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t done = write(fd, text, len);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			text += done;
			len -= (size_t)done;
		}
	}
	/* Whatever the umask is: every user of the machine may read what root has measured. */
	return fchmod(fd, 0644) || fsync(fd) ? -errno : 0;
}

/*
 * Writes another file of the directory and renames it, so that a reader never sees half of it. A
 * symbolic link at the path is replaced and not followed.
 */
static int file_replace(int directory, const char *name, const char *text)
{
	char *temporary = cli_format(".%s.%d.new", name, (int)getpid());
	int fd, err;

	fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	if (fd < 0) {
		err = -errno;
		free(temporary);
		return err;
	}
	err = file_write(fd, text);
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(directory, temporary, directory, name))
		err = -errno;
	if (err)
		unlinkat(directory, temporary, 0);
	free(temporary);
	return err;
}

/* Opens the directory of the path and tells the name in it. */
static int directory_open(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char *directory =
		slash ? cli_format("%.*s", (int)MAX(slash - path, 1L), path) : cli_format(".");
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = fd < 0 ? -errno : 0;

	*name = slash ? slash + 1 : path;
	free(directory);
	return err ? err : fd;
}

int profile_file_save(const char *path, const struct profile *profile,
		      const struct profile_key *key)
{
	json_t *json = path_is_json(path) ? profile_to_json(profile, key) : NULL;
	char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(10))
			  : profile_to_text(profile, key);
	const char *name;
	int directory = directory_open(path, &name);
	int err = directory;

	if (directory >= 0) {
		err = text ? file_replace(directory, name, text) : -EINVAL;
		close(directory);
	}
	json_decref(json);
	free(text);
	return err;
}

/* ---- the cache ---- */

/*
 * Makes the directories above the last one: those of a user for that user alone, as the
 * specification of XDG directories tells, those of the system for all.
 */
static void directories_make(const char *path)
{
	char *copy = cli_format("%s", path);

	for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(copy, geteuid() ? 0700 : 0755);
		*at = '/';
	}
	free(copy);
}

/* A directory that others may write to is no place for a file that the library trusts. */
static int directory_check(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) ? -EPERM : 0;
}

static int directory_prepare(const char *path)
{
	directories_make(path);
	if (!mkdir(path, 0755)) {
		/* Whatever the umask is. */
		if (chmod(path, 0755))
			return -errno;
	} else if (errno != EEXIST) {
		return -errno;
	}
	return directory_check(path);
}

int profile_file_save_cached(const char *path, const struct profile *profile,
			     const struct profile_key *key)
{
	char *directory = cli_format("%.*s", (int)(strrchr(path, '/') - path), path);
	char *json_path = cli_format("%s.json", path);
	int err = directory_prepare(directory);

	if (!err)
		err = profile_file_save(json_path, profile, key);
	if (!err)
		err = profile_file_save(path, profile, key);
	free(json_path);
	free(directory);
	return err;
}
