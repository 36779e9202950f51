// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>

#include "crew/placement.h"
#include "engines/cpu/params.h"
#include "engines/params.h"

static int parse_kernel(const struct engine_param *param, struct cpu_params *params, char *why,
			size_t why_bytes)
{
	for (unsigned int i = 0; i < nr_copy_kernels; i++) {
		const struct copy_kernel *kernel = &copy_kernels[i];

		if (!engine_param_value(param, kernel->name))
			continue;
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
	return engine_param_bad(param, "cpu", "unknown kernel", CPU_PARAMS_HELP, why, why_bytes);
}

int cpu_params_parse(const char *text, struct cpu_params *params, char *why, size_t why_bytes)
{
	struct engine_param param;
	uint64_t number;

	*params = (struct cpu_params){.split_bytes = CPU_SPLIT_BYTES};
	while (engine_param_next(&text, &param)) {
		bool good = true;

		if (engine_param_key(&param, "kernel")) {
			int err = parse_kernel(&param, params, why, why_bytes);

			if (err)
				return err;
		} else if (engine_param_key(&param, "threads")) {
			good = engine_param_number(&param, 1, PLACEMENT_MAX, &number);
			if (good)
				params->nr_threads = (unsigned int)number;
		} else if (engine_param_key(&param, "split")) {
			good = engine_param_number(&param, 0, UINT64_MAX, &params->split_bytes);
		} else {
			return engine_param_bad(&param, "cpu", "unknown parameter", CPU_PARAMS_HELP,
						why, why_bytes);
		}
		if (!good)
			return engine_param_bad(&param, "cpu", "bad number in", CPU_PARAMS_HELP,
						why, why_bytes);
	}
	return 0;
}
