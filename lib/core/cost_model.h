/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cost model of a context: what moving memory costs on this machine (policy/profile.h), and
 * what follows from it for requests and jobs (policy/follow.h).
 */
#ifndef FERRY_COST_MODEL_H
#define FERRY_COST_MODEL_H

#include <stdatomic.h>

#include "lib/pool/pools.h"
#include "policy/follow.h"

struct ferry;
struct ferry_job;

/*
 * Answers of the model that are remembered. Increasing this computes fewer of them twice;
 * decreasing it saves memory.
 */
#define COST_MODEL_ANSWERS 64U

struct cost_model {
	bool measured; /* the profile was; otherwise the model is not asked */
	bool followed; /* the model has costs for the context's engine */
	enum choose_engine engine;
	struct profile profile;
	uint8_t reach[MAX_POOL_NODES]; /* enum profile_reach of pages that go to this node */
	_Atomic uint64_t answers[COST_MODEL_ANSWERS];
};

/* Reads distances and decides which requests are planned. The context is set up but for this. */
void cost_model_init(struct ferry *ferry, const struct profile *profile);

/*
 * What the model advises for pages that a job exchanges, in nr_runs runs that go to this node.
 * Asks the model once for jobs of about the same size.
 */
struct policy_advice cost_model_advise(struct ferry_job *job, int node, uint64_t nr_pages,
				       uint64_t nr_runs, enum policy_mode mode);

#endif
