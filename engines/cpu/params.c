// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>

#include "crew/placement.h"
#include "engines/cpu/params.h"
#include "engines/params.h"

static int set_kernel(const struct engine_param *param, struct cpu_params *params, char *why,
		      size_t why_bytes)
{
	const struct copy_kernel *kernel = copy_kernel_named(param->value, param->value_len);

	if (!kernel)
		return engine_param_bad(param, "cpu", "unknown kernel", CPU_PARAMS_HELP, why,
					why_bytes);
	if (!kernel->usable()) {
		snprintf(why, why_bytes, "engine cpu: kernel %s needs %s", kernel->name,
			 kernel->needs);
		return -EINVAL;
	}
	if (!kernel->vault_safe) {
		snprintf(why, why_bytes,
			 "engine cpu: kernel %s may touch memory that is being moved",
			 kernel->name);
		return -EINVAL;
	}
	params->kernel = kernel;
	return 0;
}

static const struct engine_key numbers[] = {
	{"threads", 1, PLACEMENT_MAX, engine_set_u32, offsetof(struct cpu_params, nr_threads)},
	{"split", 0, UINT64_MAX, engine_set_u64, offsetof(struct cpu_params, split_bytes)},
};

int cpu_params_parse(const char *text, struct cpu_params *params, char *why, size_t why_bytes)
{
	struct engine_param param;
	int err = 0;

	*params = (struct cpu_params){.split_bytes = CPU_SPLIT_BYTES};
	while (!err && engine_param_next(&text, &param)) {
		const struct engine_key *number =
			engine_key_find(numbers, ARRAY_SIZE(numbers), &param);

		if (engine_param_key(&param, "kernel"))
			err = set_kernel(&param, params, why, why_bytes);
		else if (!number)
			err = engine_param_bad(&param, "cpu", "unknown parameter", CPU_PARAMS_HELP,
					       why, why_bytes);
		else if (!number->set(params, number, &param))
			err = engine_param_bad(&param, "cpu", "bad number in", CPU_PARAMS_HELP, why,
					       why_bytes);
	}
	return err;
}
