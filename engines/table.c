// SPDX-License-Identifier: LGPL-2.1-or-later
/* The engines: a table, not constructors, so that a static link keeps them. */
#include <string.h>

#include "engines/engine.h"

extern const struct engine_ops dsa_engine_ops;
extern const struct engine_ops cpu_engine_ops;
extern const struct engine_ops fault_engine_ops;
extern const struct engine_ops sdxi_engine_ops;

const struct engine_ops *const engine_table[] = {
	&dsa_engine_ops, &cpu_engine_ops, &fault_engine_ops, &sdxi_engine_ops, NULL,
};

const struct engine_ops *engine_find(const char *spec, const char **params)
{
	size_t len = strcspn(spec, ":");

	*params = spec[len] ? spec + len + 1 : NULL;
	for (unsigned int i = 0; engine_table[i]; i++) {
		const struct engine_ops *ops = engine_table[i];

		if (strlen(ops->name) == len && !memcmp(ops->name, spec, len))
			return ops;
	}
	return NULL;
}
