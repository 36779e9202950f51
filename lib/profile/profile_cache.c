// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/vault.h"
#include "lib/profile/profile_cache.h"

#define SYSTEM_PATH "/var/cache/pageferry/profile"

/* ---- paths ---- */

/* The specification of XDG directories tells to ignore a path that is not absolute. */
static bool path_of_user(char path[PROFILE_PATH_BYTES])
{
	const char *cache = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
	int len;

	if (cache && *cache == '/')
		len = snprintf(path, PROFILE_PATH_BYTES, "%s/pageferry/profile", cache);
	else if (home && *home == '/')
		len = snprintf(path, PROFILE_PATH_BYTES, "%s/.cache/pageferry/profile", home);
	else
		return false;
	return len < PROFILE_PATH_BYTES;
}

unsigned int profile_cache_paths(char paths[PROFILE_PATHS_MAX][PROFILE_PATH_BYTES])
{
	unsigned int nr = 0;

	if (geteuid() && !getauxval(AT_SECURE) && path_of_user(paths[0]))
		nr = 1;
	strcpy(paths[nr], SYSTEM_PATH);
	return nr + 1;
}

/* ---- a file ---- */

static int file_refuse(int err, const char *what, char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "%s", what);
	return err;
}

/* The type comes first: for anything but a file, owner and mode do not matter. */
static int file_check(int fd, char *why, size_t why_bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return file_refuse(-errno, "its owner cannot be determined", why, why_bytes);
	if (!S_ISREG(st.st_mode))
		return file_refuse(-EINVAL, "it is no regular file", why, why_bytes);
	if (st.st_uid && st.st_uid != geteuid())
		return file_refuse(-EPERM, "it belongs to another user", why, why_bytes);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return file_refuse(-EPERM, "others may write to it: chmod go-w", why, why_bytes);
	if (st.st_size > (off_t)PROFILE_TEXT_BYTES)
		return file_refuse(-EFBIG, "it is too large for a profile", why, why_bytes);
	return 0;
}

static long file_read(int fd, char *text, size_t text_bytes)
{
	size_t len = 0;

	while (len < text_bytes) {
		long got = sys(SYS_read, fd, text + len, text_bytes - len);

		if (got == -EINTR)
			continue;
		if (got < 0)
			return got;
		if (!got)
			break;
		len += (size_t)got;
	}
	return (long)len;
}

static int file_load(int fd, struct profile *profile, struct profile_key *key, char *why,
		     size_t why_bytes)
{
	void *text;
	long len;
	int err = file_check(fd, why, why_bytes);

	if (err)
		return err;
	err = vault_alloc(PROFILE_TEXT_BYTES, &text);
	if (err)
		return file_refuse(err, "there is no memory for it", why, why_bytes);
	len = file_read(fd, text, PROFILE_TEXT_BYTES);
	if (len < 0)
		err = file_refuse((int)len, "it cannot be read", why, why_bytes);
	else
		err = profile_parse(text, (size_t)len, profile, key, why, why_bytes);
	vault_free(text, PROFILE_TEXT_BYTES);
	return err;
}

int profile_cache_read(const char *path, struct profile *profile, struct profile_key *key,
		       char *why, size_t why_bytes)
{
	/* O_NONBLOCK: the path may name a FIFO. */
	long fd = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err;

	if (fd == -ELOOP)
		return file_refuse(-ELOOP, "it is a symbolic link", why, why_bytes);
	if (fd < 0) {
		snprintf(why, why_bytes, "%s", strerrordesc_np((int)-fd));
		return (int)fd;
	}
	err = file_load((int)fd, profile, key, why, why_bytes);
	sys(SYS_close, fd);
	return err;
}

/* ---- the profile of this machine ---- */

/* True: the search ends here. */
static bool found_try(struct profile_found *out, const char *path, const struct profile_key *here,
		      bool named)
{
	struct profile_key key;
	char why[200] = "";
	const char *differs;
	int err = profile_cache_read(path, &out->profile, &key, why, sizeof(why));

	if ((err == -ENOENT || err == -ENOTDIR) && !named)
		return false;
	differs = err ? NULL : profile_key_differs(&key, here);
	out->found = !err && !differs;
	snprintf(out->path, sizeof(out->path), "%s", path);
	if (out->found) {
		snprintf(out->note, sizeof(out->note), "the profile %.300s holds", path);
		out->refused = false;
		return true;
	}
	/* Of several files, the note is about the first. */
	if (!out->refused && differs)
		snprintf(out->note, sizeof(out->note),
			 "%.200s is ignored: it is for another %s; run `migbench calibrate`", path,
			 differs);
	else if (!out->refused)
		snprintf(out->note, sizeof(out->note), "%.200s is ignored: %.150s", path, why);
	out->refused = true;
	return false;
}

void profile_cache_find(const char *wanted, const struct profile_key *here,
			struct profile_found *out)
{
	char paths[PROFILE_PATHS_MAX][PROFILE_PATH_BYTES];
	unsigned int nr;

	*out = (struct profile_found){.found = false};
	if (!wanted)
		wanted = secure_getenv(PROFILE_VARIABLE);
	if (wanted && !strcmp(wanted, PROFILE_OFF)) {
		snprintf(out->note, sizeof(out->note), "profiles are switched off");
		return;
	}
	if (wanted && *wanted) {
		found_try(out, wanted, here, true);
		return;
	}
	snprintf(out->note, sizeof(out->note),
		 "this machine has no profile; `migbench calibrate` makes one");
	nr = profile_cache_paths(paths);
	for (unsigned int i = 0; i < nr; i++)
		if (found_try(out, paths[i], here, false))
			return;
}
