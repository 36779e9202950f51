/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Profiles in files: as JSON, for people and tools, or as the text that the library can read
 * (policy/profile_text.h). Both hold the same numbers and the same key.
 */
#ifndef MIGBENCH_PROFILE_FILE_H
#define MIGBENCH_PROFILE_FILE_H

#include "policy/profile_text.h"

/* 0, or -errno with a sentence in why: -ENOENT, or the file is damaged. */
int __must_check profile_file_load(const char *path, struct profile *profile,
				   struct profile_key *key, char *why, size_t why_bytes);

/* JSON if the name ends in .json, otherwise text. The file is replaced at once. 0 or -errno. */
int __must_check profile_file_save(const char *path, const struct profile *profile,
				   const struct profile_key *key);

/*
 * Writes both forms, the text at path and JSON beside it as path.json, and makes the directories
 * that are missing. 0 or -errno; -EPERM: the directory belongs to another user, or others may write
 * to it.
 */
int __must_check profile_file_save_cached(const char *path, const struct profile *profile,
					  const struct profile_key *key);

#endif
