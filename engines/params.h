/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parameters behind an engine's name: "key=value,key,key=value". */
#ifndef FERRY_PARAMS_H
#define FERRY_PARAMS_H

#include "base/base.h"

/* Points into the text, without a copy. A key without '=' has value_len 0. */
struct engine_param {
	const char *key, *value;
	size_t key_len, value_len;
};

/* Reads the next parameter and moves *text (may be NULL) past it. False at the end. */
bool engine_param_next(const char **text, struct engine_param *param);

bool engine_param_key(const struct engine_param *param, const char *key);
bool engine_param_value(const struct engine_param *param, const char *value);

/* The value as a decimal number; false if it is not a number or out of bounds. */
bool engine_param_number(const struct engine_param *param, uint64_t min, uint64_t max,
			 uint64_t *out);

/* A row of a table of keys. */
struct engine_key {
	const char *name;
	uint64_t min, max; /* of a number */
	/* False if the key does not take this value. */
	bool (*set)(void *options, const struct engine_key *key, const struct engine_param *param);
	size_t offset; /* of the member in the options, for the setters below */
};

/* NULL if the table has no such key. */
const struct engine_key *engine_key_find(const struct engine_key *keys, size_t nr_keys,
					 const struct engine_param *param);

bool engine_set_u32(void *options, const struct engine_key *key, const struct engine_param *param);
bool engine_set_u64(void *options, const struct engine_key *key, const struct engine_param *param);
/* 0 or 1 for a bool; the key alone means 1. */
bool engine_set_flag(void *options, const struct engine_key *key, const struct engine_param *param);

/* Writes "engine NAME: PROBLEM 'key=value': it takes HELP" and returns -EINVAL. */
int engine_param_bad(const struct engine_param *param, const char *engine, const char *problem,
		     const char *help, char *why, size_t why_bytes);

#endif
