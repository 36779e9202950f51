/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The faults of items, and the parameters that ask for them. */
#ifndef FERRY_FAULT_PARAMS_H
#define FERRY_FAULT_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#define FAULT_PARAMS_HELP                                                        \
	"every=N,what=fail|fault|undone|delay|stray|busy|mix,delay_us=N,seed=N," \
	"inner=ENGINE (last)"

enum fate {
	FATE_FAIL,   /* partly written, ENGINE_ERROR */
	FATE_FAULT,  /* partly written, ENGINE_FAULT */
	FATE_UNDONE, /* untouched, ENGINE_NOT_ATTEMPTED */
	FATE_DELAY,  /* its batch is QUEUED and served late */
	FATE_STRAY,  /* written after a while, ENGINE_STRAY */
	FATE_BUSY,   /* its batch is refused once */
	NR_FATES,
	FATE_NONE = NR_FATES,
};

struct fault_fate {
	const char *name, *counter;
};

extern const struct fault_fate fault_fates[NR_FATES];

struct fault_params {
	uint64_t every, delay_us, seed;
	enum fate what; /* FATE_NONE: all in turn */
	const char *inner;
};

/* inner points into text. 0, or -EINVAL with the bad parameter in why. */
int fault_parse(const char *text, struct fault_params *params, char *why, size_t why_bytes);

#endif
