// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "lib/core/context.h"
#include "lib/core/exchange_mode.h"
#include "lib/core/job.h"
#include "lib/nodes/distances.h"

/* ---- at the start ---- */

/* False: the model has no costs for this engine. */
static bool model_find_engine(struct cost_model *model, const char *name)
{
	static const struct {
		const char *name;
		enum choose_engine engine;
	} engines[] = {{"cpu", CHOOSE_CPU}, {"dsa", CHOOSE_DSA}, {"sdxi", CHOOSE_SDXI}};

	for (unsigned int i = 0; i < ARRAY_SIZE(engines); i++) {
		model->engine = engines[i].engine;
		if (!strcmp(engines[i].name, name))
			return true;
	}
	return false;
}

/*
 * Where a page comes from is not known before it is moved. The nearest other node stands for all.
 */
static void model_read_reaches(struct cost_model *model, const struct nodes *nodes)
{
	for (int node = 0; node < MAX_POOL_NODES; node++) {
		struct nearest_node nearest;

		model->reach[node] = PROFILE_SAME;
		if (nodes_has(nodes, node) && !nodes_find_nearest(nodes, node, &nearest))
			model->reach[node] = (uint8_t)profile_reach_of(MAX(nearest.distance, 11U),
								       nearest.both_have_cpus);
	}
}

static struct choose_question model_question(const struct ferry *ferry, enum profile_reach reach)
{
	const struct cost_model *model = &ferry->model;
	enum profile_device_kind device = choose_engine_device(model->engine);
	unsigned int nr_cpus = crew_nr_cpus(ferry->crew);
	struct choose_question question = {
		.profile = &model->profile,
		.load = {.nr_cpus = nr_cpus,
			 .busy_threads = exchange_mode_cpus_contended(ferry) ? nr_cpus : 0},
		.queues = {.max_gather = ferry->machine.max_gather},
		.run = {.folio_bytes = PAGE_BYTES,
			.nr_pieces = 1,
			.reach = reach,
			.exchangeable = ferry->machine.exchange},
		.wishes = {.stall_bound_ns = ferry->machine.stall_bound_ns,
			   .max_workers = ferry->machine.nr_workers},
	};

	if (device < PROFILE_NR_DEVICES)
		question.queues.device[device] = (struct choose_device){
			.nr = (unsigned int)model->profile.device[device].nr, .slowdown = 1};
	return question;
}

/* The least crossing of all distances, because a request is not looked at before it is planned. */
static unsigned int model_direct_pages(const struct ferry *ferry)
{
	unsigned int least = 0;

	for (int reach = PROFILE_NEAR; reach < PROFILE_NR_REACHES; reach++) {
		struct choose_question question = model_question(ferry, (enum profile_reach)reach);
		unsigned int crossing = policy_crossing_pages(&question);

		if (crossing && (!least || crossing < least))
			least = crossing;
	}
	return least;
}

void cost_model_init(struct ferry *ferry, const struct profile *profile)
{
	struct cost_model *model = &ferry->model;

	model->measured = true;
	model->profile = *profile;
	/* Where UFFDIO_MOVE flushes TLBs page by page, the rules allow one lane only. */
	model->followed =
		ferry->machine.batched_flush && model_find_engine(model, ferry->engine->ops->name);
	if (!model->followed)
		return;
	model_read_reaches(model, &ferry->nodes);
	ferry->machine.direct_pages = model_direct_pages(ferry);
}

/* ---- answers that are remembered ---- */

/*
 * An answer is one word, so that lanes need no lock: the question in the upper half, the advice in
 * the lower one. Sizes are rounded down to a power of two.
 */
#define ANSWER_VALID (1U << 31)

static unsigned int log2_of(uint64_t n)
{
	return 63U - (unsigned int)__builtin_clzll(n | 1);
}

static uint32_t answer_key(const struct choose_question *question, enum policy_mode mode)
{
	const struct choose_run *run = &question->run;

	return log2_of(run->bytes) | log2_of(run->nr_pieces) << 6 |
	       (uint32_t)(run->folio_bytes == HUGE_BYTES) << 11 | (uint32_t)run->reach << 12 |
	       (uint32_t)mode << 14 | (uint32_t)(question->load.busy_threads > 0) << 15 |
	       MIN(question->wishes.max_workers, 255U) << 16;
}

static uint32_t answer_pack(const struct policy_advice *advice)
{
	return ANSWER_VALID | (uint32_t)advice->known << 30 | (uint32_t)advice->to_kernel << 29 |
	       log2_of(advice->chunk_bytes) << 16 | MIN(advice->nr_workers, 0xffffU);
}

static struct policy_advice answer_unpack(uint32_t answer)
{
	return (struct policy_advice){
		.known = answer >> 30 & 1,
		.to_kernel = answer >> 29 & 1,
		.nr_workers = answer & 0xffff,
		.chunk_bytes = 1ULL << (answer >> 16 & 63),
	};
}

static struct policy_advice model_answer(struct cost_model *model,
					 const struct choose_question *question,
					 enum policy_mode mode)
{
	uint32_t key = answer_key(question, mode);
	uint32_t place = key * 0x9e3779b1U >> 16;
	_Atomic uint64_t *slot = &model->answers[place % COST_MODEL_ANSWERS];
	uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);
	struct policy_advice advice;

	if ((uint32_t)word & ANSWER_VALID && word >> 32 == key)
		return answer_unpack((uint32_t)word);
	policy_advise(question, model->engine, mode, &advice);
	word = (uint64_t)key << 32 | answer_pack(&advice);
	atomic_store_explicit(slot, word, memory_order_relaxed);
	return answer_unpack((uint32_t)word);
}

/* ---- a job ---- */

struct policy_advice cost_model_advise(struct ferry_job *job, int node, uint64_t nr_pages,
				       uint64_t nr_runs, enum policy_mode mode)
{
	struct ferry *ferry = job->ferry;
	struct choose_question question;

	if (!ferry->model.followed || !nr_pages || node < 0 || node >= MAX_POOL_NODES)
		return (struct policy_advice){.known = false};
	question = model_question(ferry, (enum profile_reach)ferry->model.reach[node]);
	question.run.folio_bytes = exchange_mode_is_huge(job) ? HUGE_BYTES : PAGE_BYTES;
	question.run.bytes = 1ULL << log2_of(nr_pages * PAGE_BYTES);
	question.run.nr_pieces = 1U << log2_of(MIN(nr_runs, 1UL << 20));
	if (job->requested_workers)
		question.wishes.max_workers =
			MIN(job->requested_workers, ferry->machine.nr_workers);
	return model_answer(&ferry->model, &question, mode);
}
