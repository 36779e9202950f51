// SPDX-License-Identifier: LGPL-2.1-or-later
/* The cost model: what a plan costs, by a profile. docs/policy.md has the formulas in words. */
#include "policy/choose.h"

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

/* ---- rates ---- */

static double at_most(double value, double limit)
{
	return value < limit ? value : limit;
}

static double at_least(double value, double limit)
{
	return value > limit ? value : limit;
}

/* Workers on CPUs that others want, and how many competitors each of them has there. */
struct model_crowd {
	double part;        /* of the workers */
	double competitors; /* of each of these */
};

static struct model_crowd model_crowd_of(const struct choose_load *load, double n)
{
	double free_cpus = at_least(load->nr_cpus - load->busy_threads, 0);
	struct model_crowd crowd = {.part = 0};

	if (n > free_cpus) {
		crowd.part = (n - free_cpus) / n;
		crowd.competitors =
			at_least(load->busy_threads / load->nr_cpus, free_cpus > 0 ? 1 : 0);
		/* Workers may also be more than CPUs. */
		crowd.competitors += at_least(n / load->nr_cpus - 1, 0);
	}
	return crowd;
}

/*
 * How long n workers take for work_ns of CPU time each. A worker that has slept gets a whole time
 * slice at once, then waits for one slice of each competitor. If the work has several rounds, the
 * workers that do not wait do more of it.
 */
static double model_stretch(const struct choose_question *question, double n, double work_ns,
			    double nr_rounds)
{
	const struct choose_load *load = &question->load;
	struct model_crowd crowd = model_crowd_of(load, n);
	double slice_ns = at_least(question->profile->slice_ns, 1), share;

	work_ns /= at_least(1 - load->steal, 0.01);
	if (crowd.part <= 0 || crowd.competitors <= 0 || work_ns <= slice_ns)
		return work_ns;
	if (crowd.part >= 1 || nr_rounds < 2)
		return work_ns + (work_ns - slice_ns / 2) * crowd.competitors;
	share = 1 - crowd.part + crowd.part / (1 + crowd.competitors);
	return slice_ns + (work_ns - slice_ns) / share;
}

/* For how long a worker that is preempted keeps its pages in flight. */
static double model_preempted_ns(const struct choose_question *question, double n, double work_ns)
{
	if (work_ns <= question->profile->slice_ns)
		return 0;
	return question->profile->slice_ns * model_crowd_of(&question->load, n).competitors;
}

static const struct profile_cost *model_cost(const struct choose_question *question,
					     enum profile_work work)
{
	const struct choose_run *run = &question->run;

	return &question->profile->cost[work][run->reach][profile_size_of(run->folio_bytes)];
}

/* The rate of one worker or device that does nothing else, in bytes per ns. */
static double model_rate_alone(const struct choose_question *question, enum profile_work work)
{
	const struct profile_cost *cost = model_cost(question, work);

	return 1 / (cost->ns_per_byte + cost->fixed_ns / (double)question->run.folio_bytes);
}

/*
 * What n workers or devices can copy together: as much as the way between the nodes lets through,
 * and as others leave of the node's memory, or a fair share where they use nearly all of it. A copy
 * within a node reads and writes there, so its memory delivers twice what is copied.
 */
static double model_limit(const struct choose_question *question, double n)
{
	const struct choose_load *load = &question->load;
	const struct profile *profile = question->profile;
	double others = at_most(load->busy_threads, load->nr_cpus);
	double left = at_least(1 - load->bandwidth_used, n / (n + others));
	double memory = 2 * profile->limit[PROFILE_SAME] * at_most(left, 1);

	if (question->run.reach == PROFILE_SAME)
		memory /= 2;
	return at_most(profile->limit[question->run.reach], memory);
}

/* The rate at which n workers copy. Workers of one L3 share its limit, all share the memory's. */
static double model_copy_rate(const struct choose_question *question, double n)
{
	const struct profile *profile = question->profile;
	double alone = model_rate_alone(question, PROFILE_CPU);
	double filled =
		(double)(uint64_t)((n + profile->cluster_cores - 1) / profile->cluster_cores);
	double nr_clusters = at_most(profile->fill > 0.5 ? filled : n, profile->nr_clusters);
	/* What others read and write passes their L3, too; what is copied passes it twice. */
	double others = question->load.bandwidth_used * 2 * profile->limit[PROFILE_SAME];
	double left = at_least(profile->cluster_limit - others / profile->nr_clusters / 2,
			       profile->cluster_limit / 4);
	double rate = nr_clusters * at_most(n / nr_clusters * alone, left);

	return at_most(rate, model_limit(question, n));
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

/*
 * Planning, and waking workers one after the other. Lanes that get one piece of work each end when
 * the last one that was woken does; of more pieces, those that began earlier take more.
 */
static double model_start_ns(const struct choose_question *question, double lanes, double nr_rounds)
{
	const struct profile *profile = question->profile;
	double late = (lanes - 1) * (0.5 + 0.5 / at_least(nr_rounds * nr_rounds, 1));

	return profile->plan_ns * question->run.nr_pieces + profile->wake_ns * (2 + late);
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
	/* Where memory is the limit, lanes that are preempted leave it to others, unless all are.
	 */
	end_ns = (model_stretch(question, n, lane_ns - (work_ns - alone_ns) / n, nr_calls / n) +
		  model_stretch(question, n, lane_ns, nr_calls / n)) /
		 2;
	end_ns = at_least(end_ns, lane_ns);
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

/* Each worker is a lane with chunks of its own; devices copy while lanes work on other chunks. */
static void model_apart(const struct choose_question *question, struct choose_plan *plan,
			struct choose_cost *out)
{
	const struct profile *profile = question->profile;
	bool uses_cpu = choose_engine_uses_cpu(choose_engine_of(plan->kind));
	double n = plan->nr_workers, bytes = (double)question->run.bytes;
	double chunk_bytes = at_most((double)plan->chunk_bytes, bytes);
	double nr_chunks = (double)DIV_ROUND_UP(question->run.bytes, plan->chunk_bytes);
	double nr_rounds = (double)(uint64_t)((nr_chunks + n - 1) / n);
	double lanes = at_most(n, nr_chunks);
	struct model_chunk chunk =
		model_chunk_of(question, chunk_bytes, question->load.process_cpus + lanes - 1);
	struct model_devices devices = model_devices_of(question, plan);
	double interrupted_ns = 2 * (lanes - 1) * profile->interrupted_ns;
	double cpu_rate = uses_cpu ? model_copy_rate(question, lanes) : 0;
	double tables_ns = nr_rounds * chunk.tables_ns;
	double flush_ns = nr_rounds * (chunk.flush_ns + interrupted_ns);
	double last_bytes = nr_rounds * lanes * chunk_bytes; /* as if all lanes had equal shares */
	double tables_and_flush_ns = tables_ns + flush_ns;
	/* A lane with one chunk only cannot work on another one while a device copies. */
	double busy_ns = nr_rounds > 1 ? tables_and_flush_ns : 0;
	double x, copy_ns, device_ns, end_ns, alone_ns, submit_ns;

	x = plan->device_part = model_device_part(&devices, last_bytes, busy_ns, cpu_rate);
	submit_ns = x * bytes * devices.submit_ns;
	copy_ns = uses_cpu ? (1 - x) * last_bytes / cpu_rate : 0;
	device_ns = x > 0 ? devices.delay_ns + x * last_bytes / devices.rate : 0;
	end_ns = tables_and_flush_ns + copy_ns + submit_ns / lanes;
	end_ns = at_least(end_ns, bytes / model_limit(question, lanes + plan->nr_devices));
	/* Where memory is the limit, lanes that are preempted leave it to others, unless all are.
	 */
	alone_ns =
		tables_and_flush_ns + submit_ns / lanes +
		(1 - x) * last_bytes / lanes / model_rate_alone(question, PROFILE_CPU) * uses_cpu;
	end_ns = at_least((model_stretch(question, lanes, alone_ns, nr_rounds) +
			   model_stretch(question, lanes, end_ns, nr_rounds)) /
				  2,
			  end_ns);
	/* A lane that waits for a device needs no CPU. */
	end_ns = at_least(end_ns, device_ns + tables_and_flush_ns - busy_ns);
	/* It waits for the oldest of its chunks before it takes out another one. */
	if (x > 0)
		end_ns = at_least(end_ns,
				  model_pipeline_ns(&devices, x * chunk_bytes,
						    tables_and_flush_ns + copy_ns, nr_rounds));
	/* Lanes change page tables of one process: part of that, one after the other. */
	end_ns = at_least(end_ns, nr_chunks * chunk.tables_ns * profile->move_serial);
	out->term_ns[CHOOSE_TERM_START] = model_start_ns(question, lanes, nr_rounds);
	out->term_ns[CHOOSE_TERM_TABLES] = tables_ns;
	out->term_ns[CHOOSE_TERM_FLUSH] = flush_ns;
	out->term_ns[CHOOSE_TERM_COPY] = copy_ns;
	out->term_ns[CHOOSE_TERM_WAIT] = end_ns - tables_and_flush_ns - copy_ns;
	out->cpu_ns = nr_chunks * (chunk.tables_ns + chunk.flush_ns + interrupted_ns) +
		      lanes * profile->wake_ns + submit_ns +
		      (1 - x) * bytes / model_rate_alone(question, PROFILE_CPU) * uses_cpu;
	out->stall_ns = end_ns / nr_rounds + (x > 0 ? devices.delay_ns : 0) +
			model_preempted_ns(question, lanes, end_ns);
}

/* One lane takes out a group of chunks, all workers copy it, the lane puts it in. */
static void model_together(const struct choose_question *question, struct choose_plan *plan,
			   struct choose_cost *out)
{
	const struct profile *profile = question->profile;
	const struct choose_load *load = &question->load;
	bool uses_cpu = choose_engine_uses_cpu(choose_engine_of(plan->kind));
	double n = plan->nr_workers, bytes = (double)question->run.bytes;
	double chunk_bytes = at_most((double)plan->chunk_bytes, bytes);
	double nr_chunks = (double)DIV_ROUND_UP(question->run.bytes, plan->chunk_bytes);
	double gather = at_most(plan->gather, nr_chunks), nr_groups = nr_chunks / gather;
	struct model_chunk chunk = model_chunk_of(question, chunk_bytes, load->process_cpus);
	struct model_devices devices = model_devices_of(question, plan);
	double cpu_rate = uses_cpu ? model_copy_rate(question, n) : 0;
	double group_bytes = bytes / nr_groups;
	double wake_ns = n > 1 ? profile->wake_ns * (1 + (n - 1) / 2) : 0;
	/* Idle CPUs still have the process's page tables when the first MOVE of each phase comes.
	 */
	double first_ns = 2 * (profile_flush_ns(profile, load->process_cpus + n - 1) -
			       profile_flush_ns(profile, load->process_cpus));
	double tables_ns = gather * chunk.tables_ns;
	double flush_ns = gather * chunk.flush_ns + first_ns;
	double x, copy_ns, device_ns, submit_ns, group_ns, end_ns;

	x = plan->device_part = model_device_part(&devices, group_bytes, 0, cpu_rate);
	submit_ns = x * group_bytes * devices.submit_ns;
	copy_ns = uses_cpu ? (1 - x) * group_bytes / cpu_rate : 0;
	device_ns = x > 0 ? devices.delay_ns + x * group_bytes / devices.rate : 0;
	copy_ns = at_least(copy_ns,
			   group_bytes / model_limit(question, n + plan->nr_devices) * uses_cpu);
	group_ns = tables_ns + flush_ns + submit_ns + wake_ns + at_least(device_ns, copy_ns);
	end_ns = nr_groups * group_ns;

	out->term_ns[CHOOSE_TERM_START] = profile->plan_ns * question->run.nr_pieces +
					  2 * profile->wake_ns + nr_groups * wake_ns;
	out->term_ns[CHOOSE_TERM_TABLES] = nr_groups * tables_ns;
	out->term_ns[CHOOSE_TERM_FLUSH] = nr_groups * flush_ns;
	out->term_ns[CHOOSE_TERM_COPY] = nr_groups * copy_ns;
	/* Helpers sleep between groups. The lane that changes page tables does not. */
	out->term_ns[CHOOSE_TERM_WAIT] =
		nr_groups * (submit_ns + at_least(device_ns - copy_ns, 0)) +
		model_stretch(question, n, end_ns, nr_groups) - end_ns;
	out->stall_ns = group_ns + model_preempted_ns(question, n, end_ns);
	out->cpu_ns = nr_groups * (tables_ns + flush_ns + submit_ns + (n - 1) * profile->wake_ns) +
		      profile->wake_ns +
		      (1 - x) * bytes / model_rate_alone(question, PROFILE_CPU) * uses_cpu;
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
