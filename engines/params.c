// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engines/params.h"

bool engine_param_next(const char **text, struct engine_param *param)
{
	const char *start = *text;
	const char *equals;
	size_t len;

	if (!start || !*start)
		return false;
	len = strcspn(start, ",");
	equals = memchr(start, '=', len);
	param->key = start;
	param->key_len = equals ? (size_t)(equals - start) : len;
	param->value = equals ? equals + 1 : start + len;
	param->value_len = (size_t)(start + len - param->value);
	*text = start + len + (start[len] == ',');
	return true;
}

static bool text_is(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(text, word, len);
}

bool engine_param_key(const struct engine_param *param, const char *key)
{
	return text_is(param->key, param->key_len, key);
}

bool engine_param_value(const struct engine_param *param, const char *value)
{
	return text_is(param->value, param->value_len, value);
}

bool engine_param_number(const struct engine_param *param, uint64_t min, uint64_t max,
			 uint64_t *out)
{
	uint64_t number = 0;

	for (size_t i = 0; i < param->value_len; i++) {
		unsigned int digit = (unsigned int)(param->value[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, digit, &number))
			return false;
	}
	if (!param->value_len || number < min || number > max)
		return false;
	*out = number;
	return true;
}

const struct engine_key *engine_key_find(const struct engine_key *keys, size_t nr_keys,
					 const struct engine_param *param)
{
	for (size_t i = 0; i < nr_keys; i++)
		if (engine_param_key(param, keys[i].name))
			return &keys[i];
	return NULL;
}

static void *key_member(void *options, const struct engine_key *key)
{
	return (char *)options + key->offset;
}

bool engine_set_u32(void *options, const struct engine_key *key, const struct engine_param *param)
{
	uint64_t number;

	if (!engine_param_number(param, key->min, key->max, &number))
		return false;
	*(uint32_t *)key_member(options, key) = (uint32_t)number;
	return true;
}

bool engine_set_u64(void *options, const struct engine_key *key, const struct engine_param *param)
{
	return engine_param_number(param, key->min, key->max, key_member(options, key));
}

bool engine_set_flag(void *options, const struct engine_key *key, const struct engine_param *param)
{
	uint64_t number = 1;

	if (param->value_len && !engine_param_number(param, 0, 1, &number))
		return false;
	*(bool *)key_member(options, key) = number;
	return true;
}

int engine_param_bad(const struct engine_param *param, const char *engine, const char *problem,
		     const char *help, char *why, size_t why_bytes)
{
	int len = (int)(param->value + param->value_len - param->key);

	snprintf(why, why_bytes, "engine %s: %s '%.*s': it takes %s", engine, problem, len,
		 param->key, help);
	return -EINVAL;
}
