// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The simulation: workers execute queues of steps; programs.c refills a queue that has become
 * empty. Between two events all rates are constant.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "bench/sim/internal.h"

/* ---- time slices ---- */

static bool worker_is_stolen(const struct sim *sim, const struct worker *worker)
{
	double period = sim->machine->steal_period_ns, steal = sim->machine->steal;
	double offset = period * worker->cpu / sim->machine->nr_cpus;

	return steal > 0 && fmod(sim->now + offset, period) >= (1 - steal) * period;
}

static double worker_next_steal(const struct sim *sim, const struct worker *worker)
{
	double period = sim->machine->steal_period_ns, steal = sim->machine->steal;
	double offset = period * worker->cpu / sim->machine->nr_cpus, at;

	if (steal <= 0)
		return DBL_MAX;
	at = fmod(sim->now + offset, period);
	return sim->now + (at < (1 - steal) * period ? (1 - steal) * period - at : period - at) +
	       1e-3;
}

/*
 * A thread that has slept gets its CPU at once. What is left of its slice has grown by its share of
 * the time that it slept.
 */
void worker_fresh(struct sim *sim, struct worker *worker)
{
	double slice = sim->machine->slice_ns;

	worker->preempted = false;
	worker->budget_ns += (sim->now - worker->slept_at) / (1 + worker->competitors);
	worker->budget_ns = MIN(worker->budget_ns, slice);
	worker->slice_end = worker->competitors ? sim->now + worker->budget_ns : DBL_MAX;
}

void worker_sleep(struct sim *sim, struct worker *worker, enum worker_state state)
{
	worker->state = state;
	worker->slept_at = sim->now;
	worker->budget_ns = worker->slice_end - sim->now;
}

static void worker_check_slice(struct sim *sim, struct worker *worker)
{
	while (worker->slice_end <= sim->now) {
		worker->preempted = !worker->preempted;
		worker->slice_end +=
			sim->machine->slice_ns * (worker->preempted ? worker->competitors : 1);
		sim->flows_changed = true;
	}
	if (worker_is_stolen(sim, worker) != worker->stolen) {
		worker->stolen = !worker->stolen;
		sim->flows_changed = true;
	}
}

static bool worker_runs(const struct worker *worker)
{
	return worker->state == WORKING && !worker->preempted && !worker->stolen;
}

static bool worker_copies(const struct worker *worker)
{
	return worker_runs(worker) && worker->debt_ns <= 0 &&
	       worker->steps[worker->at].kind == STEP_COPY;
}

/* ---- steps ---- */

void worker_push(struct worker *worker, enum step_kind kind, double amount, enum action action)
{
	if (worker->nr == STEPS_MAX)
		abort();
	worker->steps[worker->nr++] = (struct step){kind, amount, action};
}

/* What a flush by this worker takes, and what it takes from others. */
static double worker_flush(struct sim *sim, struct worker *worker, bool lazy)
{
	const struct sim_machine *machine = sim->machine;
	unsigned int nr = sim->nr_busy_cpus;

	for (unsigned int i = 0; i < sim->nr_workers; i++) {
		struct worker *other = &sim->workers[i];

		if (other == worker || (other->state == ASLEEP && !lazy))
			continue;
		/* A CPU with a busy thread has been counted. */
		nr += !other->competitors;
		if (other->state == WORKING && worker_runs(other)) {
			sim->flows_changed |= worker_copies(other);
			other->debt_ns += machine->interrupted_ns;
		}
	}
	nr = MIN(nr, machine->nr_cpus - 1);
	if (!nr)
		return machine->flush_ns;
	/* A CPU that the hypervisor has taken away answers when it is back. */
	return machine->flush_ns + machine->ipi_ns + nr * machine->ipi_cpu_ns +
	       machine->steal * machine->steal * machine->steal_period_ns / 2;
}

static bool sim_take_lock(struct sim *sim, struct worker *worker)
{
	if (sim->lock_holder && sim->lock_holder != worker)
		return false;
	sim->lock_holder = worker;
	return true;
}

static void sim_release_lock(struct sim *sim)
{
	struct worker *next = NULL;

	sim->lock_holder = NULL;
	for (unsigned int i = 0; i < sim->nr_workers; i++) {
		struct worker *worker = &sim->workers[i];

		if (worker->state == LOCK_WAIT && (!next || worker->ticket < next->ticket))
			next = worker;
	}
	if (next) {
		sim->lock_holder = next;
		next->state = WORKING;
		worker_fresh(sim, next);
	}
}

/* Begins the step at the head of the queue; refills the queue if it is empty. */
void worker_begin_step(struct sim *sim, struct worker *worker)
{
	for (;;) {
		struct step *step;

		if (worker->at == worker->nr) {
			worker->at = worker->nr = 0;
			sim->program->refill(sim, worker);
			if (worker->state != WORKING)
				return;
		}
		step = &worker->steps[worker->at];
		sim->flows_changed |= step->kind == STEP_COPY;
		worker->left = step->amount;
		if (step->kind == STEP_FLUSH || step->kind == STEP_FLUSH_LAZY) {
			worker->left = 0;
			for (unsigned int i = 0; i < (unsigned int)step->amount; i++)
				worker->left += worker_flush(sim, worker,
							     !i && step->kind == STEP_FLUSH_LAZY);
		}
		if (step->kind == STEP_LOCKED && step->amount > 0 && !sim_take_lock(sim, worker)) {
			worker_sleep(sim, worker, LOCK_WAIT);
			worker->ticket = sim->next_ticket++;
			return;
		}
		if (worker->left > 0)
			return;
		worker->at++;
		sim->program->action(sim, worker, step->action);
	}
}

static void worker_end_step(struct sim *sim, struct worker *worker)
{
	struct step *step = &worker->steps[worker->at++];

	sim->flows_changed |= step->kind == STEP_COPY;
	if (step->kind == STEP_LOCKED)
		sim_release_lock(sim);
	sim->program->action(sim, worker, step->action);
	if (worker->state == WORKING)
		worker_begin_step(sim, worker);
}

/* ---- devices ---- */

void device_submit(struct sim *sim, double bytes, struct worker *owner, unsigned int slot)
{
	struct device *best = &sim->devices[0];

	for (unsigned int i = 1; i < sim->nr_devices; i++)
		if (sim->devices[i].queued_bytes < best->queued_bytes)
			best = &sim->devices[i];
	if (best->tail - best->head == DEVICE_JOBS_MAX)
		abort();
	best->jobs[best->tail++ % DEVICE_JOBS_MAX] =
		(struct device_job){bytes, sim->now + sim->device_kind->latency_ns, owner, slot};
	best->queued_bytes += bytes;
	sim->flows_changed = true;
}

static struct device_job *device_job(struct device *device)
{
	return device->head == device->tail ? NULL : &device->jobs[device->head % DEVICE_JOBS_MAX];
}

static bool device_copies(const struct sim *sim, struct device *device)
{
	struct device_job *job = device_job(device);

	return job && sim->now >= job->ready_at && sim->now >= device->free_at;
}

/* ---- time ---- */

static void sim_share(struct sim *sim)
{
	struct flow *flows[SIM_WORKERS_MAX + SIM_DEVICES_MAX + SIM_CLUSTERS_MAX];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < sim->nr_workers; i++)
		if (worker_copies(&sim->workers[i]))
			flows[nr++] = &sim->workers[i].flow;
	for (unsigned int i = 0; i < sim->nr_devices; i++)
		if (device_copies(sim, &sim->devices[i]))
			flows[nr++] = &sim->devices[i].flow;
	for (unsigned int i = 0; i < sim->machine->nr_clusters; i++)
		if (sim->busy_flow[i].share > 0)
			flows[nr++] = &sim->busy_flow[i];
	flows_share(flows, nr, sim->capacity, sim->nr_resources);
	sim->flows_changed = false;
}

static double worker_next_event(const struct sim *sim, const struct worker *worker)
{
	double next = DBL_MAX;

	if (worker->state == STARTING)
		return worker->wake_at;
	if (worker->state != WORKING)
		return next;
	next = MIN(worker->slice_end, worker_next_steal(sim, worker));
	if (!worker_runs(worker))
		return next;
	if (worker->debt_ns > 0)
		return MIN(next, sim->now + worker->debt_ns);
	if (worker->steps[worker->at].kind == STEP_COPY)
		return MIN(next, sim->now + worker->left / MAX(worker->flow.rate, 1e-6));
	return MIN(next, sim->now + worker->left);
}

static double device_next_event(const struct sim *sim, struct device *device)
{
	struct device_job *job = device_job(device);

	if (!job)
		return DBL_MAX;
	if (!device_copies(sim, device))
		return MAX(job->ready_at, device->free_at);
	return sim->now + job->bytes / MAX(device->flow.rate, 1e-6);
}

static void worker_advance(struct sim *sim, struct worker *worker, double ns)
{
	if (!worker_runs(worker))
		return;
	worker->cpu_ns += ns;
	if (worker->debt_ns > 0) {
		worker->debt_ns -= ns;
		if (worker->debt_ns < 1e-6) {
			worker->debt_ns = 0;
			sim->flows_changed = true;
		}
	} else if (worker->steps[worker->at].kind == STEP_COPY) {
		worker->left -= ns * worker->flow.rate;
	} else {
		worker->left -= ns;
	}
}

static void device_advance(struct sim *sim, struct device *device, double ns)
{
	if (device_copies(sim, device)) {
		device_job(device)->bytes -= ns * device->flow.rate;
		device->queued_bytes -= ns * device->flow.rate;
	}
}

static void device_check(struct sim *sim, struct device *device)
{
	struct device_job *job = device_job(device);

	if (job && sim->now >= MAX(job->ready_at, device->free_at) && !device->copying) {
		device->copying = true;
		sim->flows_changed = true;
	}
	if (!job || !device->copying || job->bytes > 1e-3)
		return;
	device->head++;
	device->copying = false;
	sim->flows_changed = true;
	sim->program->device_done(sim, job->owner, job->slot);
}

static void worker_check(struct sim *sim, struct worker *worker)
{
	if (worker->state == STARTING && worker->wake_at <= sim->now) {
		worker->state = WORKING;
		worker_fresh(sim, worker);
		worker_begin_step(sim, worker);
		return;
	}
	if (worker->state != WORKING)
		return;
	worker_check_slice(sim, worker);
	if (worker_runs(worker) && worker->debt_ns <= 0 && worker->left <= 1e-3)
		worker_end_step(sim, worker);
}

bool sim_step(struct sim *sim)
{
	double next = DBL_MAX, ns;

	if (sim->flows_changed)
		sim_share(sim);
	for (unsigned int i = 0; i < sim->nr_workers; i++)
		next = MIN(next, worker_next_event(sim, &sim->workers[i]));
	for (unsigned int i = 0; i < sim->nr_devices; i++)
		next = MIN(next, device_next_event(sim, &sim->devices[i]));
	if (next == DBL_MAX)
		return false;
	ns = MAX(next - sim->now, 0.0);
	for (unsigned int i = 0; i < sim->nr_workers; i++)
		worker_advance(sim, &sim->workers[i], ns);
	for (unsigned int i = 0; i < sim->nr_devices; i++)
		device_advance(sim, &sim->devices[i], ns);
	sim->now = next;
	for (unsigned int i = 0; i < sim->nr_devices; i++)
		device_check(sim, &sim->devices[i]);
	for (unsigned int i = 0; i < sim->nr_workers; i++)
		worker_check(sim, &sim->workers[i]);
	return true;
}

void sim_start(struct sim *sim, bool one_first)
{
	bool call = sim->job->special == SIM_PLAN && sim->job->plan.kind == CHOOSE_CALL;
	bool plan = sim->job->special == SIM_PLAN && !call;
	double begin = plan ? sim->machine->plan_ns + sim->machine->wake_ns : 0;

	for (unsigned int i = 0; i < sim->nr_workers; i++) {
		struct worker *worker = &sim->workers[i];

		worker->state = one_first && i ? ASLEEP : STARTING;
		worker->wake_at = begin + i * (plan ? sim->machine->wake_ns : 0);
		/* It has slept for long. */
		worker->budget_ns = sim->machine->slice_ns;
	}
	sim->flows_changed = true;
}
