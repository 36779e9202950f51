// SPDX-License-Identifier: LGPL-2.1-or-later
/* The cost model: what a plan costs, by a profile. docs/policy.md has the formulas in words. */
#include "policy/choose.h"
#include "policy/rates.h"

/* The kernel mover's calls take this long each, while other lanes wait for their end. */
#define SLICE_NS 20e6

/* ---- what a plan is ---- */

enum ferry_mover choose_mover(enum choose_kind kind)
{
	return kind < CHOOSE_APART ? FERRY_MOVER_KERNEL : FERRY_MOVER_EXCHANGE;
}

bool choose_is_together(enum choose_kind kind)
{
	return kind >= CHOOSE_TOGETHER;
}

enum choose_engine choose_engine_of(enum choose_kind kind)
{
	return (enum choose_engine)(kind -
				    (choose_is_together(kind) ? CHOOSE_TOGETHER : CHOOSE_APART));
}

bool choose_engine_uses_cpu(enum choose_engine engine)
{
	return engine != CHOOSE_DSA && engine != CHOOSE_SDXI;
}

enum profile_device_kind choose_engine_device(enum choose_engine engine)
{
	static const enum profile_device_kind device[CHOOSE_NR_ENGINES] = {
		[CHOOSE_CPU] = PROFILE_NR_DEVICES,       [CHOOSE_DSA] = PROFILE_DEVICE_DSA,
		[CHOOSE_CPU_DSA] = PROFILE_DEVICE_DSA,   [CHOOSE_SDXI] = PROFILE_DEVICE_SDXI,
		[CHOOSE_CPU_SDXI] = PROFILE_DEVICE_SDXI,
	};

	return device[engine];
}

/* ---- copying by workers and devices ---- */

struct model_devices {
	double rate; /* of all of them; 0: none */
	double rate_of_one;
	double delay_ns;  /* before the first byte */
	double submit_ns; /* CPU time per byte */
};

/* Where devices copy, a lane has this many chunks in flight, and each is one device's. */
#define LANE_CHUNKS 2

static struct model_devices model_devices_of(const struct choose_question *question,
					     const struct choose_plan *plan)
{
	unsigned int nr_devices = plan->nr_devices;
	enum profile_device_kind kind = choose_engine_device(choose_engine_of(plan->kind));
	struct model_devices devices = {.rate = 0};
	const struct choose_device *queue;
	const struct profile_device *device;

	if (kind == PROFILE_NR_DEVICES || !nr_devices)
		return devices;
	if (!choose_is_together(plan->kind))
		nr_devices = MIN(nr_devices, LANE_CHUNKS * plan->nr_workers);
	queue = &question->queues.device[kind];
	device = &question->profile->device[kind];
	devices.rate = nr_devices *
		       model_rate_alone(question,
					kind == PROFILE_DEVICE_DSA ? PROFILE_DSA : PROFILE_SDXI) /
		       at_least(queue->slowdown, 0.01);
	devices.rate = at_most(devices.rate, model_limit(question, nr_devices));
	devices.rate_of_one = devices.rate / nr_devices;
	devices.delay_ns = device->latency_ns + queue->pending_ns;
	devices.submit_ns = device->submit_ns / (double)question->run.folio_bytes;
	return devices;
}

/* How long it takes to copy bytes, by workers and devices at the same time. */
struct model_copy {
	double device_part;
	double workers_ns, devices_ns; /* elapsed */
	double submit_ns;              /* CPU time */
	double cpu_ns;                 /* CPU time of copying, if nothing slows it */
};

/*
 * The part that devices get, so that both end together: workers copy (1 - x) * bytes after they
 * have been busy for busy_ns, devices x * bytes after their delay.
 */
static double model_device_part(const struct model_devices *devices, double bytes, double busy_ns,
				double cpu_rate)
{
	double x;

	if (devices->rate <= 0)
		return 0;
	if (cpu_rate <= 0)
		return 1;
	x = (busy_ns + bytes / cpu_rate - devices->delay_ns) /
	    (bytes / cpu_rate + bytes / devices->rate);
	return at_most(at_least(x, 0), 1);
}

static struct model_copy model_copy_of(const struct choose_question *question,
				       const struct choose_plan *plan,
				       const struct model_devices *devices, double n, double bytes,
				       double busy_ns)
{
	bool uses_cpu = choose_engine_uses_cpu(choose_engine_of(plan->kind));
	double cpu_rate = uses_cpu ? model_copy_rate(question, n) : 0;
	double x = model_device_part(devices, bytes, busy_ns, cpu_rate);
	struct model_copy copy = {.device_part = x};

	copy.submit_ns = x * bytes * devices->submit_ns;
	if (uses_cpu) {
		copy.workers_ns = (1 - x) * bytes / cpu_rate;
		copy.cpu_ns = (1 - x) * bytes / model_rate_alone(question, PROFILE_CPU);
	}
	if (x > 0)
		copy.devices_ns = devices->delay_ns + x * bytes / devices->rate;
	return copy;
}

/* ---- the kernel's call ---- */

/*
 * What n lanes lose per byte because they copy at the same time, and because of others: the kernel
 * copies about as fast as a worker, in the part of the time that it does not spend on page tables.
 */
static double model_kernel_slower_ns(const struct choose_question *question, double n,
				     double nr_batches)
{
	double alone_ns = 1 / model_rate_alone(question, PROFILE_CPU);
	double part = alone_ns / model_cost(question, PROFILE_KERNEL)->ns_per_byte;
	/* Lanes with one batch each all copy at about the same time. */
	double copiers = at_least(n * at_least(at_most(part, 1), at_most(1 / nr_batches, 1)), 1);

	return at_least(copiers / model_copy_rate(question, copiers) - alone_ns, 0);
}

static void model_kernel(const struct choose_question *question, const struct choose_plan *plan,
			 struct choose_cost *out)
{
	const struct profile *profile = question->profile;
	const struct choose_load *load = &question->load;
	const struct profile_cost *cost = model_cost(question, PROFILE_KERNEL);
	double bytes = (double)question->run.bytes;
	double n =
		at_most(plan->nr_workers, at_least(bytes / (double)question->run.folio_bytes, 1));
	double nr_batches = bytes / profile->batch_bytes;
	double alone_ns = bytes * cost->ns_per_byte;
	double work_ns = alone_ns + bytes * model_kernel_slower_ns(question, n, nr_batches / n);
	double nr_calls = plan->kind == CHOOSE_CALL ? 1 : at_least(n, alone_ns / SLICE_NS);
	double flush_ns = profile_flush_ns(profile, load->process_cpus + n - 1) -
			  profile_flush_ns(profile, 0) + (n - 1) * profile->interrupted_ns;
	double lane_ns, end_ns;

	/* A batch that is not full is flushed too, and so is each lane's last one. */
	flush_ns *= at_least(nr_batches, n);
	if (plan->kind == CHOOSE_SLICES)
		out->term_ns[CHOOSE_TERM_START] = model_start_ns(question, n, nr_calls / n);
	out->term_ns[CHOOSE_TERM_FLUSH] = flush_ns / n;
	out->term_ns[CHOOSE_TERM_CALLS] = (nr_calls * cost->fixed_ns + work_ns) / n;
	lane_ns = out->term_ns[CHOOSE_TERM_CALLS] + out->term_ns[CHOOSE_TERM_FLUSH];
	end_ns = model_stretch_slowed(question, n, lane_ns, (work_ns - alone_ns) / n, nr_calls / n);
	end_ns = at_least(end_ns, bytes / model_limit(question, n));
	if (n > 1)
		end_ns = at_least(end_ns, alone_ns * profile->kernel_serial);
	out->term_ns[CHOOSE_TERM_WAIT] = end_ns - lane_ns;
	out->cpu_ns = nr_calls * cost->fixed_ns + work_ns + flush_ns;
	out->stall_ns = at_most(bytes, profile->batch_bytes) / bytes * work_ns +
			model_preempted_ns(question, n, end_ns);
}

/* ---- the exchange mover ---- */

/* What a chunk costs besides copying, for the lane that has it, without being interrupted. */
struct model_chunk {
	double tables_ns;
	double flush_ns;
};

static struct model_chunk model_chunk_of(const struct choose_question *question, double chunk_bytes,
					 double interrupted_cpus)
{
	const struct profile *profile = question->profile;
	const struct choose_run *run = &question->run;
	double nr_folios = at_least(chunk_bytes / (double)run->folio_bytes, 1);
	double folio_ns = profile->move_folio_ns[profile_size_of(run->folio_bytes)];

	return (struct model_chunk){
		.tables_ns = 2 * (profile->move_call_ns + nr_folios * folio_ns),
		.flush_ns = 2 * profile_flush_ns(profile, interrupted_cpus),
	};
}

/*
 * How long a lane takes for its chunks, of which LANE_CHUNKS are in flight, if each is lane_ns of
 * work for the lane and then that of one device. The last one is not hidden behind others.
 */
static double model_pipeline_ns(const struct model_devices *devices, double device_bytes,
				double lane_ns, double nr_rounds)
{
	double each_ns = lane_ns / nr_rounds;
	double device_ns = devices->delay_ns + device_bytes / devices->rate_of_one;
	double in_turn_ns = nr_rounds * (device_ns / LANE_CHUNKS + each_ns);

	return at_least(in_turn_ns, lane_ns + device_ns - (nr_rounds > 1 ? each_ns / 2 : 0));
}

/* Lanes that work apart, each on nr_rounds chunks. The last round may not be full. */
struct model_lanes {
	double nr, nr_rounds, nr_chunks, chunk_bytes;
	double tables_ns, flush_ns; /* of a lane, in all its rounds */
	double lock_ns;             /* of all lanes, one after the other */
};

static struct model_lanes model_lanes_of(const struct choose_question *question,
					 const struct choose_plan *plan)
{
	const struct profile *profile = question->profile;
	uint64_t nr_chunks = DIV_ROUND_UP(question->run.bytes, plan->chunk_bytes);
	uint64_t nr_rounds = DIV_ROUND_UP(nr_chunks, plan->nr_workers);
	struct model_lanes lanes = {
		.nr = (double)MIN(nr_chunks, plan->nr_workers),
		.nr_rounds = (double)nr_rounds,
		.nr_chunks = (double)nr_chunks,
		.chunk_bytes = (double)MIN(plan->chunk_bytes, question->run.bytes),
	};
	struct model_chunk chunk = model_chunk_of(question, lanes.chunk_bytes,
						  question->load.process_cpus + lanes.nr - 1);
	double interrupted_ns = 2 * (lanes.nr - 1) * profile->interrupted_ns;

	lanes.tables_ns = lanes.nr_rounds * chunk.tables_ns;
	lanes.flush_ns = lanes.nr_rounds * (chunk.flush_ns + interrupted_ns);
	lanes.lock_ns = lanes.nr_chunks * chunk.tables_ns * profile->move_serial;
	return lanes;
}

/* How long lanes work, apart from their start. */
static double model_lanes_end_ns(const struct choose_question *question,
				 const struct choose_plan *plan, const struct model_lanes *lanes,
				 const struct model_devices *devices, const struct model_copy *copy)
{
	double busy_ns = lanes->tables_ns + lanes->flush_ns;
	double work_ns = busy_ns + copy->workers_ns + copy->submit_ns / lanes->nr;
	double limit_ns =
		(double)question->run.bytes / model_limit(question, lanes->nr + plan->nr_devices);
	double slowed_ns, end_ns;

	slowed_ns = at_least(work_ns, limit_ns) - busy_ns -
		    (copy->submit_ns + copy->cpu_ns) / lanes->nr;
	end_ns = model_stretch_slowed(question, lanes->nr, at_least(work_ns, limit_ns), slowed_ns,
				      lanes->nr_rounds);
	/* A lane that waits for a device needs no CPU. */
	end_ns = at_least(end_ns, copy->devices_ns + (lanes->nr_rounds > 1 ? 0 : busy_ns));
	/* It waits for the oldest of its chunks before it takes out another one. */
	if (copy->device_part > 0)
		end_ns = at_least(end_ns,
				  model_pipeline_ns(devices, copy->device_part * lanes->chunk_bytes,
						    busy_ns + copy->workers_ns, lanes->nr_rounds));
	/* Lanes change page tables of one process: part of that, one after the other. */
	return at_least(end_ns, lanes->lock_ns);
}

/* Each worker is a lane with chunks of its own; devices copy while lanes work on other chunks. */
static void model_apart(const struct choose_question *question, struct choose_plan *plan,
			struct choose_cost *out)
{
	struct model_lanes lanes = model_lanes_of(question, plan);
	struct model_devices devices = model_devices_of(question, plan);
	/* A lane with one chunk only cannot work on another one while a device copies. */
	double busy_ns = lanes.nr_rounds > 1 ? lanes.tables_ns + lanes.flush_ns : 0;
	/* As if all lanes had equal shares: the slowest lane counts. */
	double bytes = lanes.nr_rounds * lanes.nr * lanes.chunk_bytes;
	double part = (double)question->run.bytes / bytes; /* that there really is */
	struct model_copy copy = model_copy_of(question, plan, &devices, lanes.nr, bytes, busy_ns);
	double end_ns = model_lanes_end_ns(question, plan, &lanes, &devices, &copy);

	plan->device_part = copy.device_part;
	out->term_ns[CHOOSE_TERM_START] = model_start_ns(question, lanes.nr, lanes.nr_rounds);
	out->term_ns[CHOOSE_TERM_TABLES] = lanes.tables_ns;
	out->term_ns[CHOOSE_TERM_FLUSH] = lanes.flush_ns;
	out->term_ns[CHOOSE_TERM_COPY] = copy.workers_ns;
	out->term_ns[CHOOSE_TERM_WAIT] =
		end_ns - lanes.tables_ns - lanes.flush_ns - copy.workers_ns;
	out->cpu_ns = lanes.nr_chunks * (lanes.tables_ns + lanes.flush_ns) / lanes.nr_rounds +
		      lanes.nr * question->profile->wake_ns + part * (copy.submit_ns + copy.cpu_ns);
	out->stall_ns = end_ns / lanes.nr_rounds + (copy.device_part > 0 ? devices.delay_ns : 0) +
			model_preempted_ns(question, lanes.nr, end_ns);
}

/* One lane takes out a group of chunks, all workers copy it, the lane puts it in. */
static void model_together(const struct choose_question *question, struct choose_plan *plan,
			   struct choose_cost *out)
{
	const struct profile *profile = question->profile;
	double n = plan->nr_workers, process_cpus = question->load.process_cpus;
	double bytes = (double)question->run.bytes;
	double chunk_bytes = at_most((double)plan->chunk_bytes, bytes);
	uint64_t nr_chunks = DIV_ROUND_UP(question->run.bytes, plan->chunk_bytes);
	double gather = (double)MIN(plan->gather, nr_chunks);
	double nr_groups = (double)nr_chunks / gather;
	struct model_chunk chunk = model_chunk_of(question, chunk_bytes, process_cpus);
	struct model_devices devices = model_devices_of(question, plan);
	struct model_copy copy = model_copy_of(question, plan, &devices, n, bytes / nr_groups, 0);
	double limit_ns = bytes / nr_groups / model_limit(question, n + plan->nr_devices);
	double wake_ns = n > 1 ? profile->wake_ns * (1 + (n - 1) / 2) : 0;
	/* The first MOVE of a phase finds the process's page tables on idle CPUs, too. */
	double first_ns = 2 * (profile_flush_ns(profile, process_cpus + n - 1) -
			       profile_flush_ns(profile, process_cpus));
	double tables_ns = gather * chunk.tables_ns;
	double flush_ns = gather * chunk.flush_ns + first_ns;
	double group_ns, end_ns;

	if (copy.workers_ns > 0)
		copy.workers_ns = at_least(copy.workers_ns, limit_ns);
	group_ns = tables_ns + flush_ns + copy.submit_ns + wake_ns +
		   at_least(copy.devices_ns, copy.workers_ns);
	end_ns = nr_groups * group_ns;
	plan->device_part = copy.device_part;
	out->term_ns[CHOOSE_TERM_START] = profile->plan_ns * question->run.nr_pieces +
					  2 * profile->wake_ns + nr_groups * wake_ns;
	out->term_ns[CHOOSE_TERM_TABLES] = nr_groups * tables_ns;
	out->term_ns[CHOOSE_TERM_FLUSH] = nr_groups * flush_ns;
	out->term_ns[CHOOSE_TERM_COPY] = nr_groups * copy.workers_ns;
	/* Helpers sleep between groups. The lane that changes page tables does not. */
	out->term_ns[CHOOSE_TERM_WAIT] =
		nr_groups * (copy.submit_ns + at_least(copy.devices_ns - copy.workers_ns, 0)) +
		model_stretch(question, n, end_ns, nr_groups) - end_ns;
	out->stall_ns = group_ns + model_preempted_ns(question, n, end_ns);
	out->cpu_ns = nr_groups * (tables_ns + flush_ns + copy.submit_ns + copy.cpu_ns +
				   (n - 1) * profile->wake_ns) +
		      profile->wake_ns;
}

void policy_predict(const struct choose_question *question, struct choose_plan *plan,
		    struct choose_cost *out)
{
	*out = (struct choose_cost){.time_ns = 0};
	plan->device_part = 0;
	if (choose_mover(plan->kind) == FERRY_MOVER_KERNEL)
		model_kernel(question, plan, out);
	else if (choose_is_together(plan->kind))
		model_together(question, plan, out);
	else
		model_apart(question, plan, out);
	for (int term = 0; term < CHOOSE_NR_TERMS; term++)
		out->time_ns += out->term_ns[term];
}
