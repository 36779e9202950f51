// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "engines/fault/params.h"
#include "engines/params.h"

#define EVERY_DEFAULT    7
#define EVERY_MAX        (1U << 30)
#define DELAY_DEFAULT_US 50
#define DELAY_MAX_US     100000

const struct fault_fate fault_fates[NR_FATES] = {
	[FATE_FAIL] = {"fail", "injected.fail"},       [FATE_FAULT] = {"fault", "injected.fault"},
	[FATE_UNDONE] = {"undone", "injected.undone"}, [FATE_DELAY] = {"delay", "injected.delay"},
	[FATE_STRAY] = {"stray", "injected.stray"},    [FATE_BUSY] = {"busy", "injected.busy"},
};

static bool set_what(const struct engine_param *param, enum fate *what)
{
	for (unsigned int i = 0; i < NR_FATES; i++) {
		if (engine_param_value(param, fault_fates[i].name)) {
			*what = (enum fate)i;
			return true;
		}
	}
	*what = FATE_NONE;
	return engine_param_value(param, "mix");
}

int fault_parse(const char *text, struct fault_params *params, char *why, size_t why_bytes)
{
	struct engine_param param;

	*params = (struct fault_params){.every = EVERY_DEFAULT,
					.delay_us = DELAY_DEFAULT_US,
					.what = FATE_NONE,
					.inner = "cpu"};
	while (engine_param_next(&text, &param)) {
		bool good = false;

		if (engine_param_key(&param, "inner") && *param.value) {
			params->inner = param.value;
			return 0;
		}
		if (engine_param_key(&param, "every"))
			good = engine_param_number(&param, 1, EVERY_MAX, &params->every);
		else if (engine_param_key(&param, "what"))
			good = set_what(&param, &params->what);
		else if (engine_param_key(&param, "delay_us"))
			good = engine_param_number(&param, 0, DELAY_MAX_US, &params->delay_us);
		else if (engine_param_key(&param, "seed"))
			good = engine_param_number(&param, 0, UINT64_MAX, &params->seed);
		if (!good)
			return engine_param_bad(&param, "fault", "bad parameter", FAULT_PARAMS_HELP,
						why, why_bytes);
	}
	return 0;
}
