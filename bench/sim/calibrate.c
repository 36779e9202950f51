// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fills a profile by measuring the simulated machine, idle, as migbench would measure a real one:
 * it runs moves and copies and takes their times. What it reads off the machine instead are times
 * that a real calibration gets from a loop around one call.
 */
#include "bench/sim/sim.h"

/* Each measurement is off by up to this much. */
#define ERROR_PART 0.04

/* A number from 1 - ERROR_PART to 1 + ERROR_PART, the same one in each run. */
static double error_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return 1 + ERROR_PART * ((double)((z ^ z >> 31) >> 11) * 0x1p-52 - 1);
}

static const struct sim_load idle = {.busy_threads = 0};

static double measure(const struct sim_machine *machine, const struct sim_job *job)
{
	struct sim_result result;

	sim_run(machine, &idle, job, &result);
	return result.time_ns;
}

static double copy_rate(const struct sim_machine *machine, enum profile_reach reach,
			enum profile_size size, unsigned int nr_workers, bool fill)
{
	struct sim_job job = {
		.bytes = (uint64_t)nr_workers * 8 * HUGE_BYTES,
		.folio_bytes = profile_size_bytes(size),
		.reach = reach,
		.special = SIM_COPY_ONLY,
		.fill = fill,
		.plan = {.nr_workers = nr_workers},
	};

	return (double)job.bytes / measure(machine, &job);
}

/* The best of 1, 2, 4 … workers: where copying saturates. */
static double copy_limit(const struct sim_machine *machine, enum profile_reach reach)
{
	double best = 0;

	for (unsigned int n = 1; n <= machine->nr_cpus && n <= 64; n *= 2)
		best = MAX(best, copy_rate(machine, reach, PROFILE_2M, n, false));
	return best;
}

/* All cores of one L3, by the reach that lets most through. */
static double cluster_limit(const struct sim_machine *machine)
{
	unsigned int cores = MAX(machine->nr_cpus / machine->nr_clusters, 1U);
	double best = 0;

	for (unsigned int i = 0; i < machine->nr_reaches; i++)
		best = MAX(best, copy_rate(machine, machine->reaches[i], PROFILE_2M, cores, true));
	return best;
}

static double kernel_time(const struct sim_machine *machine, enum profile_reach reach,
			  enum profile_size size, uint64_t bytes, unsigned int nr_workers)
{
	struct sim_job job = {
		.bytes = bytes,
		.folio_bytes = profile_size_bytes(size),
		.reach = reach,
		.kernel_copies = true,
		.plan = {.kind = nr_workers > 1 ? CHOOSE_SLICES : CHOOSE_CALL,
			 .nr_workers = nr_workers},
	};

	return measure(machine, &job);
}

static void calibrate_kernel(const struct sim_machine *machine, enum profile_reach reach,
			     struct profile *out, uint64_t *error)
{
	const uint64_t large = 64 << 20;

	for (int size = 0; size < PROFILE_NR_SIZES; size++) {
		uint64_t small = profile_size_bytes((enum profile_size)size);
		double t_large = kernel_time(machine, reach, (enum profile_size)size, large, 1);
		double t_small = kernel_time(machine, reach, (enum profile_size)size, small, 1);
		double per_byte = (t_large - t_small) / (double)(large - small);

		out->cost[PROFILE_KERNEL][reach][size] = (struct profile_cost){
			.fixed_ns =
				MAX(t_small - per_byte * (double)small, 0.0) * error_next(error),
			.ns_per_byte = per_byte * error_next(error),
			.confidence = 1 - ERROR_PART,
		};
	}
}

/* Which part of the kernel's work lanes cannot do at the same time. */
static double calibrate_kernel_serial(const struct sim_machine *machine, enum profile_reach reach)
{
	unsigned int n = MIN(machine->nr_cpus, 32U);
	const uint64_t bytes = 256 << 20;
	double alone = kernel_time(machine, reach, PROFILE_4K, bytes, 1);
	double all = kernel_time(machine, reach, PROFILE_4K, bytes, n);

	return MIN(all / alone, 1.0);
}

static void calibrate_copies(const struct sim_machine *machine, enum profile_reach reach,
			     struct profile *out, uint64_t *error)
{
	for (int size = 0; size < PROFILE_NR_SIZES; size++) {
		double rate = copy_rate(machine, reach, (enum profile_size)size, 1, false);

		out->cost[PROFILE_CPU][reach][size] = (struct profile_cost){
			.ns_per_byte = error_next(error) / rate, .confidence = 1 - ERROR_PART};
		for (int kind = 0; kind < PROFILE_NR_DEVICES; kind++) {
			const struct sim_device_kind *device = &machine->device[kind];

			if (!device->nr)
				continue;
			out->cost[PROFILE_DSA + kind][reach][size] = (struct profile_cost){
				.fixed_ns = device->item_ns * error_next(error),
				.ns_per_byte = error_next(error) /
					       MIN(device->gb_per_s, out->limit[reach]),
				.confidence = 1 - ERROR_PART,
			};
		}
	}
}

static void calibrate_flushes(const struct sim_machine *machine, struct profile *out,
			      uint64_t *error)
{
	out->flush_ns[0] = machine->flush_ns * error_next(error);
	for (unsigned int step = 1; step < PROFILE_FLUSH_STEPS; step++) {
		unsigned int nr = MIN(1U << (step - 1), MAX(machine->nr_cpus - 1, 1U));

		out->flush_ns[step] =
			error_next(error) *
			(machine->flush_ns + machine->ipi_ns + nr * machine->ipi_cpu_ns +
			 machine->steal * machine->steal * machine->steal_period_ns / 2);
	}
	out->interrupted_ns = machine->interrupted_ns * error_next(error);
}

/* Lanes that only change page tables: which part of it keeps others waiting. */
static double calibrate_move_serial(const struct sim_machine *machine, uint64_t *error)
{
	return machine->move_locked * error_next(error);
}

void sim_calibrate(const struct sim_machine *machine, struct profile *out)
{
	uint64_t error = machine->nr_cpus;

	profile_defaults(out, machine->nr_clusters, machine->nr_cpus / machine->nr_clusters);
	for (int kind = 0; kind < PROFILE_NR_DEVICES; kind++)
		out->device[kind] = (struct profile_device){
			.nr = machine->device[kind].nr,
			.depth = MAX(machine->device[kind].depth, 1),
			.latency_ns = machine->device[kind].latency_ns * error_next(&error),
			.submit_ns = machine->device[kind].submit_ns * error_next(&error),
		};
	for (unsigned int i = 0; i < machine->nr_reaches; i++) {
		enum profile_reach reach = machine->reaches[i];

		out->limit[reach] = copy_limit(machine, reach) * error_next(&error);
		calibrate_kernel(machine, reach, out, &error);
		calibrate_copies(machine, reach, out, &error);
	}
	out->kernel_serial = MIN(calibrate_kernel_serial(machine, machine->reaches[0]), 1.0);
	out->cluster_limit = cluster_limit(machine) * error_next(&error);
	out->move_call_ns = machine->move_ns * error_next(&error);
	for (int size = 0; size < PROFILE_NR_SIZES; size++)
		out->move_folio_ns[size] = machine->move_folio_ns[size] * error_next(&error);
	out->move_serial = MIN(calibrate_move_serial(machine, &error), 1.0);
	out->plan_ns = machine->plan_ns * error_next(&error);
	calibrate_flushes(machine, out, &error);
	out->wake_ns = machine->wake_ns * error_next(&error);
	out->slice_ns = machine->slice_ns;
}

void sim_question(const struct sim_machine *machine, const struct profile *profile,
		  const struct sim_load *load, const struct sim_job *job,
		  struct choose_question *out)
{
	unsigned int busy = MIN(load->busy_threads, machine->nr_cpus);
	double used = busy * machine->busy_gb_per_s / machine->controller_gb_per_s;

	*out = (struct choose_question){
		.profile = profile,
		.load = {.nr_cpus = machine->nr_cpus,
			 .busy_threads = load->busy_threads,
			 .process_cpus = busy,
			 .bandwidth_used = MIN(used, 0.95),
			 .steal = machine->steal},
		.queues = {.max_gather = 64},
		.run = {.bytes = job->bytes,
			.folio_bytes = job->folio_bytes,
			.nr_pieces = 1,
			.reach = job->reach,
			.exchangeable = true},
		.wishes = {.goal = CHOOSE_LEAST_TIME, .stall_bound_ns = 1000000},
	};
	for (int kind = 0; kind < PROFILE_NR_DEVICES; kind++)
		out->queues.device[kind] = (struct choose_device){
			.nr = machine->device[kind].nr,
			.pending_ns = load->device_pending_ns[kind],
			.slowdown = load->device_slowdown > 0 ? load->device_slowdown : 1,
		};
}
