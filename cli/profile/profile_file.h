/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Profiles in files: as JSON, for people and tools, or as the text that the library can read
 * (policy/profile_text.h). Both hold the same numbers and the same key.
 */
#ifndef MIGBENCH_PROFILE_FILE_H
#define MIGBENCH_PROFILE_FILE_H

#include "crew/placement.h"
#include "policy/profile_text.h"

#define PROFILE_PATH_BYTES 512

/* /var/cache/pageferry/profile for root, otherwise below XDG_CACHE_HOME or ~/.cache. */
int __must_check profile_file_path(char path[PROFILE_PATH_BYTES]);

/* What a profile of this machine, this kernel and this library has as its key. */
void profile_file_key(const struct placement *placement, struct profile_key *out);

/* 0, or -errno with a sentence in why: -ENOENT, or the file is damaged. */
int __must_check profile_file_load(const char *path, struct profile *profile,
				   struct profile_key *key, char *why, size_t why_bytes);

/* JSON if the name ends in .json, otherwise text. 0 or -errno. */
int __must_check profile_file_save(const char *path, const struct profile *profile,
				   const struct profile_key *key);

#endif
