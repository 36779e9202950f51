/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile as text, one number a line, for the library: it reads this form without a JSON library.
 *
 *	pageferry-profile 1
 *	topology 4 CPUs, 1 L3, 1 node
 *	kernel 6.18.44
 *	library 0.1.0
 *	kernel.same.4k.fixed_ns 15000
 *	…
 */
#ifndef FERRY_PROFILE_TEXT_H
#define FERRY_PROFILE_TEXT_H

#include "policy/profile.h"

#define PROFILE_KEY_BYTES 160
#define PROFILE_TEXT_BYTES \
	(PROFILE_NR_FIELDS * (PROFILE_NAME_BYTES + 32UL) + 4UL * PROFILE_KEY_BYTES)

/* What a profile was measured on. It is valid only where all three are the same. */
struct profile_key {
	char topology[PROFILE_KEY_BYTES];
	char kernel[PROFILE_KEY_BYTES];
	char library[PROFILE_KEY_BYTES];
};

/* The name of the first part of the key that differs; NULL: the keys are equal. */
const char *profile_key_differs(const struct profile_key *a, const struct profile_key *b);

/* Writes the text and returns its length; 0: it does not fit, or the key has a line break. */
size_t profile_format(const struct profile *profile, const struct profile_key *key, char *text,
		      size_t text_bytes);

/*
 * Reads the text, which need not end with a zero byte. Every number must be there once, and inside
 * its bounds. 0, or -EINVAL or -ERANGE with the line and what is wrong in why; then *profile and
 * *key are unchanged.
 */
int __must_check profile_parse(const char *text, size_t len, struct profile *profile,
			       struct profile_key *key, char *why, size_t why_bytes);

#endif
