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

static bool set_what(void *options, const struct engine_key *key __maybe_unused,
		     const struct engine_param *param)
{
	struct fault_params *params = options;

	for (unsigned int i = 0; i < NR_FATES; i++) {
		if (engine_param_value(param, fault_fates[i].name)) {
			params->what = (enum fate)i;
			return true;
		}
	}
	params->what = FATE_NONE;
	return engine_param_value(param, "mix");
}

static const struct engine_key keys[] = {
	{"every", 1, EVERY_MAX, engine_set_u64, offsetof(struct fault_params, every)},
	{"what", 0, 0, set_what, 0},
	{"delay_us", 0, DELAY_MAX_US, engine_set_u64, offsetof(struct fault_params, delay_us)},
	{"seed", 0, UINT64_MAX, engine_set_u64, offsetof(struct fault_params, seed)},
};

int fault_parse(const char *text, struct fault_params *params, char *why, size_t why_bytes)
{
	struct engine_param param;

	*params = (struct fault_params){.every = EVERY_DEFAULT,
					.delay_us = DELAY_DEFAULT_US,
					.what = FATE_NONE,
					.inner = "cpu"};
	while (engine_param_next(&text, &param)) {
		const struct engine_key *key;

		if (engine_param_key(&param, "inner") && *param.value) {
			params->inner = param.value;
			return 0;
		}
		key = engine_key_find(keys, ARRAY_SIZE(keys), &param);
		if (!key || !key->set(params, key, &param))
			return engine_param_bad(&param, "fault", "bad parameter", FAULT_PARAMS_HELP,
						why, why_bytes);
	}
	return 0;
}
