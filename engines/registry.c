// SPDX-License-Identifier: LGPL-2.1-or-later
/* Opens engines by their specs. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/engine.h"
#include "engines/spec.h"
#include "engines/split.h"

/* The shared object stays loaded: its threads or callbacks may outlive any handle. */
static int plugin_load(const char *path, const struct engine_ops **out, char *why, size_t why_bytes)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct engine_ops *ops;

	if (!object) {
		snprintf(why, why_bytes, "%s", dlerror());
		return -ENOENT;
	}
	ops = dlsym(object, "engine_ops");
	if (!ops || ops->abi != ENGINE_ABI || ops->size != sizeof(*ops)) {
		snprintf(why, why_bytes, "%s: %s", path,
			 ops ? "built for another version of pageferry" ENGINE_REMEDY "rebuild it"
			     : "exports no engine_ops: not a pageferry engine");
		dlclose(object);
		return -EPROTO;
	}
	*out = ops;
	return 0;
}

static int ops_open(const struct engine_ops *ops, const char *params, const struct engine_env *env,
		    struct engine **out, char *why, size_t why_bytes)
{
	struct engine_env full = {.crew = env ? env->crew : NULL, .open_inner = engine_open};
	int err = ops->probe(params, why, why_bytes);

	if (err)
		return err;
	return ops->open(&full, params, out, why, why_bytes);
}

static int engine_open_one(const char *spec, const struct engine_env *env, struct engine **out,
			   char *why, size_t why_bytes)
{
	const struct engine_ops *ops;
	const char *params;

	ops = engine_find(spec, &params);
	if (!ops && spec[0] == '/') {
		char path[4096];
		int err;

		snprintf(path, sizeof(path), "%.*s", (int)spec_name_len(spec), spec);
		err = plugin_load(path, &ops, why, why_bytes);
		if (err)
			return err;
	}
	if (!ops) {
		snprintf(why, why_bytes,
			 "no engine is called '%.*s'" ENGINE_REMEDY "migbench doctor lists them",
			 (int)spec_name_len(spec), spec);
		return -ENOENT;
	}
	return ops_open(ops, params, env, out, why, why_bytes);
}

/* ---- several engines ---- */

#define NAME_BYTES 16

struct parts {
	unsigned int nr;
	struct engine *engines[SPLIT_PARTS];
	char names[SPLIT_PARTS][NAME_BYTES];
};

static void parts_close(struct parts *parts)
{
	while (parts->nr)
		engine_close(parts->engines[--parts->nr]);
}

/* One engine, or the one that splits batches among all. Closes them if that fails. */
static int parts_join(struct parts *parts, struct engine **out, char *why, size_t why_bytes)
{
	const char *names[SPLIT_PARTS];
	int err;

	for (unsigned int i = 0; i < parts->nr; i++)
		names[i] = parts->names[i];
	if (parts->nr == 1) {
		*out = parts->engines[0];
		return 0;
	}
	err = split_open(parts->engines, names, parts->nr, out);
	if (err) {
		snprintf(why, why_bytes, "engines: out of memory");
		parts_close(parts);
	}
	return err;
}

/* All that work here without being configured; the CPU does everywhere. */
static int engine_open_auto(const struct engine_env *env, struct engine **out, char *why,
			    size_t why_bytes)
{
	struct parts parts = {0};
	int err = -ENOENT;

	for (unsigned int i = 0; engine_table[i] && parts.nr < SPLIT_PARTS; i++) {
		const struct engine_ops *ops = engine_table[i];

		if (ops->priority < 0)
			continue;
		err = ops_open(ops, NULL, env, &parts.engines[parts.nr], why, why_bytes);
		if (!err)
			snprintf(parts.names[parts.nr++], NAME_BYTES, "%s", ops->name);
	}
	return parts.nr ? parts_join(&parts, out, why, why_bytes) : err;
}

static int parts_check_new(const struct parts *parts, const char *name, char *why, size_t why_bytes)
{
	if (parts->nr == SPLIT_PARTS) {
		snprintf(why, why_bytes, "more than %d engines joined by '+'", SPLIT_PARTS);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < parts->nr; i++) {
		if (strcmp(parts->names[i], name))
			continue;
		snprintf(why, why_bytes,
			 "engine %s is named twice" ENGINE_REMEDY
			 "give one of them all devices, as in dsa:wq0.0+wq2.0",
			 name);
		return -EINVAL;
	}
	return 0;
}

static int parts_open_next(struct parts *parts, const char *spec, const struct engine_env *env,
			   char *why, size_t why_bytes)
{
	char name[NAME_BYTES];
	int err;

	spec_copier(spec, name, sizeof(name));
	err = parts_check_new(parts, name, why, why_bytes);
	if (!err)
		err = engine_open_one(spec, env, &parts->engines[parts->nr], why, why_bytes);
	if (!err)
		memcpy(parts->names[parts->nr++], name, sizeof(name));
	return err;
}

/* Several specs that are joined by '+'. */
static int engine_open_joined(const char *specs, const struct engine_env *env, struct engine **out,
			      char *why, size_t why_bytes)
{
	struct parts parts = {0};
	int err = 0;

	while (!err) {
		size_t len = spec_first_len(specs);
		char *spec = strndup(specs, len);

		err = spec ? parts_open_next(&parts, spec, env, why, why_bytes) : -ENOMEM;
		free(spec);
		if (!specs[len])
			break;
		specs += len + 1;
	}
	if (!err)
		return parts_join(&parts, out, why, why_bytes);
	parts_close(&parts);
	return err;
}

/* "(cpu+dsa:model)", as the last parameter of fault. */
static char *spec_without_parentheses(const char *spec)
{
	size_t len = strlen(spec);

	return spec[0] == '(' && spec[len - 1] == ')' ? strndup(spec + 1, len - 2) : strdup(spec);
}

int engine_open(const char *spec, const struct engine_env *env, struct engine **out, char *why,
		size_t why_bytes)
{
	char *bare;
	int err;

	if (why_bytes)
		why[0] = '\0';
	if (!spec || !strcmp(spec, "auto"))
		return engine_open_auto(env, out, why, why_bytes);
	bare = spec_without_parentheses(spec);
	if (!bare)
		return -ENOMEM;
	err = bare[spec_first_len(bare)] ? engine_open_joined(bare, env, out, why, why_bytes)
					 : engine_open_one(bare, env, out, why, why_bytes);
	free(bare);
	return err;
}

const char *engine_cut_remedy(char *why)
{
	char *arrow = strstr(why, ENGINE_REMEDY);

	if (!arrow)
		return NULL;
	*arrow = '\0';
	return arrow + strlen(ENGINE_REMEDY);
}

void engine_close(struct engine *engine)
{
	if (engine)
		engine->ops->close(engine);
}
