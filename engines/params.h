/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The "key=value,key=value" that stands behind an engine's name. */
#ifndef FERRY_PARAMS_H
#define FERRY_PARAMS_H

#include "base/base.h"

/* Points into the text: nothing is copied. A key without '=' has value_len 0. */
struct engine_param {
	const char *key, *value;
	size_t key_len, value_len;
};

/* Takes the next one off *text (NULL: none). False at the end. */
bool engine_param_next(const char **text, struct engine_param *param);

bool engine_param_key(const struct engine_param *param, const char *key);
bool engine_param_value(const struct engine_param *param, const char *value);

/* The value as a decimal number; false if it is none or out of bounds. */
bool engine_param_number(const struct engine_param *param, uint64_t min, uint64_t max,
			 uint64_t *out);

/* Writes "engine NAME: PROBLEM 'key=value': it takes HELP" and returns -EINVAL. */
int engine_param_bad(const struct engine_param *param, const char *engine, const char *problem,
		     const char *help, char *why, size_t why_bytes);

#endif
