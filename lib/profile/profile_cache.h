/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the profile of this machine lies, and whether a file there may be used.
 *
 * root                 /var/cache/pageferry/profile
 * others, first        $XDG_CACHE_HOME/pageferry/profile, or ~/.cache/pageferry/profile
 * others, then         /var/cache/pageferry/profile, which root has calibrated for all
 *
 * A set-user-ID program, or one that got capabilities from its file, reads only the last. A file is
 * used only if it belongs to root or to the user of the process, and nobody else may write to it.
 */
#ifndef FERRY_PROFILE_CACHE_H
#define FERRY_PROFILE_CACHE_H

#include "policy/profile_text.h"

#define PROFILE_PATH_BYTES 512
#define PROFILE_NOTE_BYTES 400
#define PROFILE_PATHS_MAX  2

#define PROFILE_VARIABLE "PAGEFERRY_PROFILE"
#define PROFILE_OFF      "none"

/* The paths in the order in which they are tried; calibrating writes the first. Their number. */
unsigned int profile_cache_paths(char paths[PROFILE_PATHS_MAX][PROFILE_PATH_BYTES]);

/*
 * Reads one file. 0; -ENOENT; -EPERM: its owner or mode; otherwise it is damaged or unreadable.
 * why says what is wrong.
 */
int __must_check profile_cache_read(const char *path, struct profile *profile,
				    struct profile_key *key, char *why, size_t why_bytes);

struct profile_found {
	bool found;
	bool refused; /* a profile was there or was named, and is not used */
	char path[PROFILE_PATH_BYTES];
	char note[PROFILE_NOTE_BYTES]; /* a sentence: which profile holds, or why none does */
	struct profile profile;
};

/*
 * Looks for the profile with this key. wanted: PROFILE_OFF, or the only file to look at; NULL: what
 * the environment variable says, otherwise the paths above.
 */
void profile_cache_find(const char *wanted, const struct profile_key *here,
			struct profile_found *out);

#endif
