// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/context/context.h"
#include "cli/machine/machine.h"
#include "cli/verify/phase.h"
#include "cli/verify/summary.h"
#include "cli/verify/verify.h"
#include "crew/placement.h"

/* Folio sizes alternate after this time at most, so that a short run covers all of them. */
#define PHASE_MAX_NS (10 * NS_PER_SEC)

/* 0 or an exit code. */
static int verify_open(struct verify *verify)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct placement *placement;
	int code = machine_choose_nodes(verify_options.from, verify_options.to,
					verify_options.fresh, verify->node);

	if (code)
		return code;
	verify->fresh = verify->node[0] == verify->node[1];
	if (!placement_open(NULL, &placement)) {
		verify->nr_workers = MIN(placement->nr_places, CONTEXT_DEFAULT_WORKERS_MAX);
		placement_close(placement);
	}
	options.engine = verify_options.engine;
	options.nr_workers = MAX(verify->nr_workers, 2U);
	return context_open(&options, &verify->ferry);
}

static int verify_run_phase(struct verify *verify, size_t folio_bytes, uint64_t phase_ns,
			    struct folio_sum *sum)
{
	uint64_t before[NR_TALLIES], start_ns = now_ns();
	int err;

	for (unsigned int i = 0; i < NR_TALLIES; i++)
		before[i] = verify->tally[i];
	verify->seed = verify_options.seed * 0xd1342543de82ef95ULL + verify->nr_phases++;
	err = verify_phase(verify, folio_bytes, phase_ns);
	sum->seconds += (double)(now_ns() - start_ns) / 1e9;
	sum->kind = verify->kind;
	for (unsigned int i = 0; i < NR_TALLIES; i++)
		sum->tally[i] += verify->tally[i] - before[i];
	return err;
}

/* Runs phases until the time is over or a check fails. 0 or -errno. */
static int verify_run_phases(struct verify *verify, struct folio_sum *sums)
{
	unsigned int nr_folios = verify_options.folios.nr;
	uint64_t per_folio_ns = verify_options.time_ns / nr_folios;
	uint64_t nr_rounds = per_folio_ns / PHASE_MAX_NS + 1;

	for (uint64_t round = 0; round < nr_rounds; round++) {
		for (unsigned int i = 0; i < nr_folios; i++) {
			int err = verify_run_phase(verify, verify_options.folios.v[i],
						   per_folio_ns / nr_rounds, &sums[i]);

			if (err)
				return err;
			if (atomic_load(&verify->failure.set))
				return 0;
		}
	}
	return 0;
}

static int verify_run(void)
{
	struct verify *verify = cli_alloc(1, sizeof(*verify));
	struct folio_sum *sums = cli_alloc(LIST_MAX, sizeof(*sums));
	int code = verify_options_check();

	if (!code)
		code = verify_open(verify);
	if (!code)
		code = verify_run_phases(verify, sums) ? CLI_FAILED
						       : verify_summarize(verify, sums);
	cli_progress_end();
	ferry_close(verify->ferry);
	free(sums);
	free(verify);
	return code;
}

const struct command verify_command = {
	.name = "verify",
	.summary = "checks every byte and every update while pages move",
	.about =
		"Moves pages while threads write to them. In memory of their own among these\n"
		"pages, other threads fork, unmap, protect, remap, discard, do direct I/O and\n"
		"more. Checks every byte and every update. Prints PASS, or FAIL with the address,\n"
		"the expected and the found value; FAIL has exit status 1.",
	.opts = verify_opts,
	.options = &verify_options,
	.run = verify_run,
};
