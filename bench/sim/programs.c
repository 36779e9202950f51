// SPDX-License-Identifier: LGPL-2.1-or-later
/* What workers do: one program per kind of plan, as sequences of steps. */
#include <math.h>

#include "bench/sim/internal.h"

/* The kernel mover's slices, and the kernel's batches. */
#define SLICE_NS    20e6
#define BATCH_BYTES ((double)HUGE_BYTES)
/* mtcopy unmaps so many folios before it copies. */
#define MTCOPY_FOLIOS 512
/* Helpers of a group take at least this much at a time. */
#define PIECE_BYTES ((double)(64 << 10))

static enum profile_size program_size(const struct sim *sim)
{
	return profile_size_of(sim->job->folio_bytes);
}

static double program_nr_folios(const struct sim *sim, double bytes)
{
	double nr = bytes / (double)sim->job->folio_bytes;

	return nr < 1 ? 1 : nr;
}

static double device_part(const struct sim *sim)
{
	return sim->nr_devices ? sim->job->plan.device_part : 0;
}

bool program_is_led(const struct sim *sim)
{
	return sim->job->special == SIM_MTCOPY ||
	       (sim->job->special == SIM_PLAN && choose_is_together(sim->job->plan.kind));
}

void program_init(struct sim *sim)
{
	sim->bytes_left = (double)sim->job->bytes;
	if (sim->job->special == SIM_COPY_ONLY)
		sim->pool_bytes = sim->bytes_left;
}

static double program_take_bytes(struct sim *sim, double bytes)
{
	double got = MIN(bytes, sim->bytes_left);

	sim->bytes_left -= got;
	return got;
}

static void program_note_stall(struct sim *sim, double since)
{
	sim->stall_ns = MAX(sim->stall_ns, sim->now - since);
}

/* ---- the kernel's migration ---- */

static void kernel_refill(struct sim *sim, struct worker *worker)
{
	const struct sim_machine *machine = sim->machine;
	enum profile_size size = program_size(sim);
	double batch, tables, rate, slice;

	if (worker->slice_bytes <= 0) {
		rate = machine->kernel_gb_per_s[sim->job->reach][size];
		slice = SLICE_NS /
			(machine->folio_ns[size] / (double)sim->job->folio_bytes + 1 / rate);
		slice = MIN(slice, (double)sim->job->bytes / sim->nr_workers);
		slice = ceil(slice / (double)sim->job->folio_bytes) * (double)sim->job->folio_bytes;
		if (sim->job->plan.kind == CHOOSE_CALL)
			slice = (double)sim->job->bytes;
		worker->slice_bytes = program_take_bytes(sim, slice);
		if (worker->slice_bytes <= 0) {
			worker_sleep(sim, worker, ASLEEP);
			return;
		}
		worker_push(worker, STEP_CPU, machine->call_ns, ACTION_NONE);
	}
	batch = MIN(worker->slice_bytes, BATCH_BYTES);
	worker->slice_bytes -= batch;
	worker->slots[0].bytes = batch;
	tables = program_nr_folios(sim, batch) * machine->folio_ns[size];
	worker_push(worker, STEP_CPU, tables * (1 - machine->kernel_locked) / 2, ACTION_TAKEN);
	worker_push(worker, STEP_LOCKED, tables * machine->kernel_locked, ACTION_NONE);
	worker_push(worker, STEP_FLUSH, 1, ACTION_NONE);
	worker_push(worker, STEP_COPY, batch, ACTION_NONE);
	worker_push(worker, STEP_CPU, tables * (1 - machine->kernel_locked) / 2, ACTION_PUT);
}

/* ---- apart ---- */

static void push_tables(const struct sim *sim, struct worker *worker, double bytes, double nr_calls,
			enum action action, enum step_kind flush)
{
	const struct sim_machine *machine = sim->machine;
	double ns = nr_calls * machine->move_ns +
		    program_nr_folios(sim, bytes) * machine->move_folio_ns[program_size(sim)];

	worker_push(worker, STEP_CPU, ns * (1 - machine->move_locked), ACTION_NONE);
	worker_push(worker, STEP_LOCKED, ns * machine->move_locked, ACTION_NONE);
	worker_push(worker, flush, nr_calls, action);
}

static bool slot_is_done(const struct slot *slot)
{
	return slot->copied && !slot->nr_device_jobs;
}

static void apart_take(struct sim *sim, struct worker *worker, double bytes)
{
	struct slot *slot = &worker->slots[worker->nr_slots++];
	double x = device_part(sim);

	*slot = (struct slot){.bytes = bytes};
	push_tables(sim, worker, bytes, 1, ACTION_TAKEN, STEP_FLUSH);
	if (x > 0)
		worker_push(worker, STEP_CPU,
			    x * program_nr_folios(sim, bytes) * sim->device_kind->submit_ns,
			    ACTION_SUBMIT);
	worker_push(worker, STEP_COPY, (1 - x) * bytes, ACTION_COPIED);
}

static void apart_refill(struct sim *sim, struct worker *worker)
{
	unsigned int max_slots = sim->nr_devices ? SLOTS : 1;
	double bytes;

	if (worker->nr_slots && slot_is_done(&worker->slots[0])) {
		push_tables(sim, worker, worker->slots[0].bytes, 1, ACTION_PUT, STEP_FLUSH);
		return;
	}
	bytes = worker->nr_slots < max_slots
			? program_take_bytes(sim, (double)sim->job->plan.chunk_bytes)
			: 0;
	if (bytes > 0)
		apart_take(sim, worker, bytes);
	else
		worker_sleep(sim, worker, worker->nr_slots ? DEVICE_WAIT : ASLEEP);
}

/* ---- together, and mtcopy ---- */

static void led_push_tables(struct sim *sim, struct worker *worker, enum action action)
{
	const struct sim_machine *machine = sim->machine;
	double bytes = worker->slots[0].bytes, chunk = (double)sim->job->plan.chunk_bytes;

	if (sim->job->special == SIM_MTCOPY) {
		worker_push(worker, STEP_CPU,
			    program_nr_folios(sim, bytes) * machine->folio_ns[program_size(sim)] /
				    2,
			    ACTION_NONE);
		worker_push(worker, STEP_FLUSH, action == ACTION_WAKE, action);
		return;
	}
	push_tables(sim, worker, bytes, (double)(uint64_t)((bytes + chunk - 1) / chunk), action,
		    STEP_FLUSH_LAZY);
}

static void led_take(struct sim *sim, struct worker *worker)
{
	double group = sim->job->special == SIM_MTCOPY
			       ? MTCOPY_FOLIOS * (double)sim->job->folio_bytes
			       : (double)(sim->job->plan.chunk_bytes * sim->job->plan.gather);
	double bytes = program_take_bytes(sim, group), x = device_part(sim);

	if (bytes <= 0) {
		worker_sleep(sim, worker, ASLEEP);
		return;
	}
	worker->slots[0] = (struct slot){.bytes = bytes, .taken_at = sim->now};
	sim->pool_bytes = (1 - x) * bytes;
	sim->phase = GROUP_COPY;
	if (sim->job->special == SIM_MTCOPY && !sim->called)
		worker_push(worker, STEP_CPU, sim->machine->call_ns, ACTION_NONE);
	sim->called = true;
	led_push_tables(sim, worker, ACTION_WAKE);
	if (x > 0)
		worker_push(worker, STEP_CPU,
			    x * program_nr_folios(sim, bytes) * sim->device_kind->submit_ns,
			    ACTION_SUBMIT);
}

static void led_wake(struct sim *sim)
{
	sim->nr_copying = 1;
	if (sim->pool_bytes <= 0)
		return;
	for (unsigned int i = 1; i < sim->nr_workers; i++) {
		sim->workers[i].state = STARTING;
		sim->workers[i].wake_at = sim->now + i * sim->machine->wake_ns;
		sim->nr_copying++;
	}
}

/* The last worker that finds nothing left to copy lets the leader go on. */
static void led_end_copy(struct sim *sim, struct worker *worker)
{
	struct worker *leader = &sim->workers[0];

	sim->nr_copying--;
	worker_sleep(sim, worker, worker == leader ? DEVICE_WAIT : ASLEEP);
	if (sim->nr_copying || leader->slots[0].nr_device_jobs)
		return;
	sim->phase = GROUP_PUT;
	if (leader->state != DEVICE_WAIT)
		return;
	leader->state = WORKING;
	if (worker != leader) {
		worker_fresh(sim, leader);
		worker_begin_step(sim, leader);
	}
}

static void led_copy(struct sim *sim, struct worker *worker)
{
	double piece = MAX(sim->pool_bytes / (2 * sim->nr_workers), PIECE_BYTES);

	piece = MIN(piece, sim->pool_bytes);
	sim->pool_bytes -= piece;
	if (piece > 0)
		worker_push(worker, STEP_COPY, piece, ACTION_NONE);
	else
		led_end_copy(sim, worker);
}

static void led_refill(struct sim *sim, struct worker *worker)
{
	if (sim->phase == GROUP_TAKE)
		led_take(sim, worker);
	else if (sim->phase == GROUP_COPY)
		led_copy(sim, worker);
	/* led_copy() may have ended the phase. */
	if (worker == &sim->workers[0] && worker->state == WORKING && sim->phase == GROUP_PUT &&
	    !worker->nr)
		led_push_tables(sim, worker, ACTION_PUT);
}

/* ---- all ---- */

/* A device gets batches of this many folios, as many at a time as a lane has slots. */
#define COPY_BATCH_FOLIOS 32

static void copy_refill_device(struct sim *sim, struct worker *worker)
{
	double batch = COPY_BATCH_FOLIOS * (double)sim->job->folio_bytes, bytes = 0;

	if (worker->nr_slots && slot_is_done(&worker->slots[0])) {
		worker_push(worker, STEP_CPU, 0, ACTION_PUT);
		return;
	}
	if (worker->nr_slots < SLOTS)
		bytes = program_take_bytes(sim, batch);
	if (bytes <= 0) {
		worker_sleep(sim, worker, worker->nr_slots ? DEVICE_WAIT : ASLEEP);
		return;
	}
	worker->slots[worker->nr_slots++] = (struct slot){.bytes = bytes, .copied = true};
	worker_push(worker, STEP_CPU, program_nr_folios(sim, bytes) * sim->device_kind->submit_ns,
		    ACTION_SUBMIT);
}

static void copy_refill(struct sim *sim, struct worker *worker)
{
	double piece = program_take_bytes(sim, (double)HUGE_BYTES);

	sim->moved_bytes += piece;
	if (piece > 0)
		worker_push(worker, STEP_COPY, piece, ACTION_NONE);
	else
		worker_sleep(sim, worker, ASLEEP);
}

static void program_refill(struct sim *sim, struct worker *worker)
{
	if (sim->job->special == SIM_COPY_ONLY && sim->nr_devices)
		copy_refill_device(sim, worker);
	else if (sim->job->special == SIM_COPY_ONLY)
		copy_refill(sim, worker);
	else if (program_is_led(sim))
		led_refill(sim, worker);
	else if (choose_mover(sim->job->plan.kind) == FERRY_MOVER_KERNEL)
		kernel_refill(sim, worker);
	else
		apart_refill(sim, worker);
}

/* Apart, a chunk is one job of a device. A group is shared by all devices. */
static void program_submit(struct sim *sim, struct worker *worker)
{
	unsigned int at = program_is_led(sim) ? 0 : worker->nr_slots - 1;
	unsigned int nr = program_is_led(sim) ? sim->nr_devices : 1;
	struct slot *slot = &worker->slots[at];

	slot->nr_device_jobs = nr;
	for (unsigned int i = 0; i < nr; i++)
		device_submit(sim, device_part(sim) * slot->bytes / nr, worker, at);
}

static void program_put(struct sim *sim, struct worker *worker)
{
	program_note_stall(sim, worker->slots[0].taken_at);
	sim->moved_bytes += worker->slots[0].bytes;
	if (program_is_led(sim)) {
		sim->phase = GROUP_TAKE;
	} else if (worker->nr_slots) {
		worker->nr_slots--;
		worker->slots[0] = worker->slots[1];
		/* Jobs of the device know the chunk by its place. */
		for (unsigned int i = 0; i < sim->nr_devices; i++)
			for (unsigned int j = sim->devices[i].head; j < sim->devices[i].tail; j++)
				if (sim->devices[i].jobs[j % DEVICE_JOBS_MAX].owner == worker)
					sim->devices[i].jobs[j % DEVICE_JOBS_MAX].slot = 0;
	}
}

static void program_action(struct sim *sim, struct worker *worker, enum action action)
{
	switch (action) {
	case ACTION_TAKEN:
		worker->slots[worker->nr_slots ? worker->nr_slots - 1 : 0].taken_at = sim->now;
		break;
	case ACTION_SUBMIT:
		program_submit(sim, worker);
		break;
	case ACTION_COPIED:
		worker->slots[worker->nr_slots - 1].copied = true;
		break;
	case ACTION_PUT:
		program_put(sim, worker);
		break;
	case ACTION_WAKE:
		led_wake(sim);
		break;
	case ACTION_NONE:
		break;
	}
}

static void program_device_done(struct sim *sim, struct worker *owner, unsigned int slot)
{
	owner->slots[slot].nr_device_jobs--;
	if (owner->slots[slot].nr_device_jobs)
		return;
	if (program_is_led(sim)) {
		if (sim->nr_copying)
			return;
		sim->phase = GROUP_PUT;
	}
	if (owner->state == DEVICE_WAIT) {
		owner->state = WORKING;
		worker_fresh(sim, owner);
		worker_begin_step(sim, owner);
	}
}

const struct program_ops program_ops = {
	.refill = program_refill,
	.action = program_action,
	.device_done = program_device_done,
};
