// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The simulator reproduces published measurements, and the policy does well on every simulated
 * machine. All in virtual time: the same numbers on any machine.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "bench/sim/sim.h"

static const char *const machines[] = {
	"zen3-2s", "zen5-16ccd", "xeon-2s-dsa",  "grace-gpu",
	"cxl",     "vm-2cpu",    "vm-4cpu-zen5", "512cpu-64node",
};

static void machine_load(const char *name, struct sim_machine *out)
{
	char path[100], why[200];

	snprintf(path, sizeof(path), "bench/sim/machines/%s.json", name);
	cr_assert_eq(sim_machine_load(path, out, why, sizeof(why)), 0, "%s: %s", path, why);
}

Test(sim, published_tables_are_reproduced_within_a_fifth)
{
	for (unsigned int i = 0; i < sim_nr_published; i++) {
		const struct sim_published *row = &sim_published[i];
		struct sim_machine machine;
		double simulated;

		machine_load(row->machine, &machine);
		simulated = row->simulate(&machine, row);
		cr_expect(fabs(simulated / row->published - 1) <= 0.2,
			  "%s: %s, %s: %.2f published (%s), %.2f simulated", row->machine,
			  row->table, row->row, row->published, row->source, simulated);
	}
}

/* Some sizes of those that bench/sim compares: the test is to take seconds. */
static const uint64_t sizes[] = {PAGE_BYTES, 256 << 10, 4 << 20, 64 << 20};

struct judged {
	unsigned int nr, nr_near, nr_slower;
	double worst;
};

static void judge_cell(const struct profile *profile, struct sim_cell *cell, struct judged *judged)
{
	double ratio;

	sim_judge(profile, cell);
	ratio = cell->policy_ns / cell->best_ns;
	judged->nr++;
	judged->nr_near += ratio <= 1.1;
	judged->nr_slower += cell->policy_ns > cell->kernel_ns / 0.95;
	judged->worst = fmax(judged->worst, ratio);
}

static void judge_machine(const char *name, unsigned int level, struct judged *judged)
{
	struct sim_machine machine;
	struct profile profile;
	struct sim_cell cell = {.machine = &machine};

	machine_load(name, &machine);
	sim_calibrate(&machine, &profile);
	cell.reach = machine.reaches[machine.nr_reaches - 1];
	sim_load_level(&machine, level, &cell.load);
	for (int size = 0; size < PROFILE_NR_SIZES; size++) {
		cell.folio_bytes = profile_size_bytes((enum profile_size)size);
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
			cell.bytes = sizes[i];
			if (cell.bytes >= cell.folio_bytes)
				judge_cell(&profile, &cell, judged);
		}
	}
}

static struct judged judge_all(unsigned int first_level, unsigned int last_level)
{
	struct judged judged = {.nr = 0};

	for (unsigned int i = 0; i < ARRAY_SIZE(machines); i++)
		for (unsigned int level = first_level; level <= last_level; level++)
			judge_machine(machines[i], level, &judged);
	return judged;
}

Test(sim, where_cpus_are_free_the_policy_is_near_the_best_fixed_choice)
{
	struct judged judged = judge_all(0, 1);

	cr_expect_geq(judged.nr_near, judged.nr * 0.95, "%u of %u cells within a tenth",
		      judged.nr_near, judged.nr);
	cr_expect_leq(judged.worst, 1.25, "%.2f", judged.worst);
	cr_expect_eq(judged.nr_slower, 0, "slower than the call in %u cells", judged.nr_slower);
}

/*
 * Where all CPUs are busy, a plan that just does not fit into a time slice takes twice as long as
 * one that does, and no cost model predicts that to a tenth (docs/policy.md).
 */
Test(sim, where_cpus_are_busy_the_policy_is_never_slower_than_the_call)
{
	struct judged judged = judge_all(2, 3);

	cr_expect_geq(judged.nr_near, judged.nr * 0.85, "%u of %u cells within a tenth",
		      judged.nr_near, judged.nr);
	cr_expect_eq(judged.nr_slower, 0, "slower than the call in %u cells", judged.nr_slower);
}

/* An engine ten times slower, or busy, changes the split and nothing worse. */
Test(sim, a_device_that_is_slow_is_left)
{
	struct sim_machine machine;
	struct profile profile;
	struct choose_question question;
	struct choose_decision decision;
	struct sim_load load = {.busy_threads = 0};
	struct sim_job job = {
		.bytes = 256 << 20, .folio_bytes = PAGE_BYTES, .reach = PROFILE_REMOTE};
	double part;

	machine_load("xeon-2s-dsa", &machine);
	sim_calibrate(&machine, &profile);
	sim_question(&machine, &profile, &load, &job, &question);
	policy_choose(&question, &decision);
	part = decision.of_kind[decision.winner].plan.device_part;
	cr_assert_gt(part, 0.3);
	load.device_slowdown = 100;
	sim_question(&machine, &profile, &load, &job, &question);
	policy_choose(&question, &decision);
	cr_assert_lt(decision.of_kind[decision.winner].plan.device_part, part / 10);
}
