// SPDX-License-Identifier: LGPL-2.1-or-later
/* The engines: a table, not constructors, so that a static link keeps them. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engines/engine.h"

extern const struct engine_ops dsa_engine_ops;
extern const struct engine_ops cpu_engine_ops;
extern const struct engine_ops fault_engine_ops;
extern const struct engine_ops sdxi_engine_ops;

const struct engine_ops *const engine_table[] = {
	&dsa_engine_ops, &cpu_engine_ops, &fault_engine_ops, &sdxi_engine_ops, NULL,
};

static const char *spec_params(const char *spec, size_t *name_len)
{
	const char *colon = strchr(spec, ':');

	*name_len = colon ? (size_t)(colon - spec) : strlen(spec);
	return colon ? colon + 1 : NULL;
}

const struct engine_ops *engine_find(const char *spec, const char **params)
{
	size_t len;

	*params = spec_params(spec, &len);
	for (unsigned int i = 0; engine_table[i]; i++) {
		const struct engine_ops *ops = engine_table[i];

		if (strlen(ops->name) == len && !memcmp(ops->name, spec, len))
			return ops;
	}
	return NULL;
}

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

static int engine_open_best(const struct engine_env *env, struct engine **out, char *why,
			    size_t why_bytes)
{
	int err = -ENOENT;

	for (unsigned int i = 0; engine_table[i]; i++) {
		if (engine_table[i]->priority < 0)
			continue;
		err = ops_open(engine_table[i], NULL, env, out, why, why_bytes);
		if (!err)
			return 0;
	}
	return err;
}

int engine_open(const char *spec, const struct engine_env *env, struct engine **out, char *why,
		size_t why_bytes)
{
	const struct engine_ops *ops;
	const char *params;
	size_t name_len;

	if (why_bytes)
		why[0] = '\0';
	if (!spec || !strcmp(spec, "auto"))
		return engine_open_best(env, out, why, why_bytes);

	ops = engine_find(spec, &params);
	if (!ops && spec[0] == '/') {
		char path[4096];
		int err;

		params = spec_params(spec, &name_len);
		snprintf(path, sizeof(path), "%.*s", (int)name_len, spec);
		err = plugin_load(path, &ops, why, why_bytes);
		if (err)
			return err;
	}
	if (!ops) {
		snprintf(why, why_bytes,
			 "no engine is called '%s'" ENGINE_REMEDY "migbench doctor lists them",
			 spec);
		return -ENOENT;
	}
	return ops_open(ops, params, env, out, why, why_bytes);
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
