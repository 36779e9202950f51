// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/follow.h"

/*
 * Bounds of the crossing. Below the least, reading the caller's list takes as long as moving it;
 * above the most, every machine that has been seen gains. They limit what a wrong profile can do.
 */
#define CROSSING_MIN_SHIFT 5
#define CROSSING_MAX_SHIFT 16

/*
 * Increasing this leaves more to the rules; decreasing it follows costs whose samples differ by
 * more than half.
 */
#define CONFIDENCE_MIN 0.25

/* A request near the crossing is too small for many workers. */
#define CROSSING_WORKERS 4

static bool follow_measured(const struct choose_question *question, enum profile_work work)
{
	const struct choose_run *run = &question->run;

	return question->profile->cost[work][run->reach][profile_size_of(run->folio_bytes)]
		       .confidence >= CONFIDENCE_MIN;
}

static enum profile_work follow_work(enum choose_engine engine)
{
	switch (choose_engine_device(engine)) {
	case PROFILE_DEVICE_DSA:
		return PROFILE_DSA;
	case PROFILE_DEVICE_SDXI:
		return PROFILE_SDXI;
	default:
		return PROFILE_CPU;
	}
}

bool policy_follows(const struct choose_question *question, enum choose_engine engine)
{
	return follow_measured(question, follow_work(engine));
}

void policy_advise(const struct choose_question *question, enum choose_engine engine,
		   enum policy_mode mode, struct policy_advice *out)
{
	const struct choose_candidate *call, *slices, *exchange;
	struct choose_decision decision;

	*out = (struct policy_advice){.known = false};
	if (!policy_follows(question, engine))
		return;
	policy_choose(question, &decision);
	call = &decision.of_kind[CHOOSE_CALL];
	slices = &decision.of_kind[CHOOSE_SLICES];
	exchange = &decision.of_kind[CHOOSE_TOGETHER + engine];
	/* Together with one worker is apart with one. */
	if (mode == POLICY_APART || exchange->bar)
		exchange = &decision.of_kind[CHOOSE_APART + engine];
	if (exchange->bar)
		return;
	out->known = true;
	out->nr_workers = exchange->plan.nr_workers;
	out->chunk_bytes = exchange->plan.chunk_bytes;
	out->to_kernel = follow_measured(question, PROFILE_KERNEL) &&
			 MIN(call->score, slices->score) < exchange->score;
}

static bool follow_call_wins(const struct choose_question *question, unsigned int nr_pages)
{
	struct choose_question small = *question;
	struct choose_decision decision;

	small.run.bytes = nr_pages * PAGE_BYTES;
	policy_choose(&small, &decision);
	return decision.winner == CHOOSE_CALL;
}

unsigned int policy_crossing_pages(const struct choose_question *question)
{
	struct choose_question small = *question;
	unsigned int low = CROSSING_MIN_SHIFT, high = CROSSING_MAX_SHIFT;
	unsigned int max_workers = question->wishes.max_workers;

	if (!follow_measured(question, PROFILE_KERNEL) || !follow_measured(question, PROFILE_CPU))
		return 0;
	small.wishes.max_workers =
		max_workers ? MIN(max_workers, (unsigned int)CROSSING_WORKERS) : CROSSING_WORKERS;
	/* What beats the call for some size beats it for larger ones: fixed costs weigh less. */
	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (follow_call_wins(&small, 1U << middle))
			low = middle + 1;
		else
			high = middle;
	}
	return 1U << low;
}
