/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What run.c and programs.c share. */
#ifndef BENCH_SIM_INTERNAL_H
#define BENCH_SIM_INTERNAL_H

#include "bench/sim/sim.h"

enum resource { RESOURCE_SOURCE, RESOURCE_TARGET, RESOURCE_LINK, RESOURCE_CLUSTERS };

enum step_kind {
	STEP_CPU,        /* ns */
	STEP_LOCKED,     /* ns, with the lock of the page tables */
	STEP_FLUSH,      /* number of flushes */
	STEP_FLUSH_LAZY, /* the first of them reaches sleeping workers' CPUs, too */
	STEP_COPY,       /* bytes */
};

/* What happens at the end of a step. */
enum action {
	ACTION_NONE,
	ACTION_TAKEN,  /* the pages are absent now */
	ACTION_SUBMIT, /* devices begin */
	ACTION_COPIED,
	ACTION_PUT,  /* the pages are back */
	ACTION_WAKE, /* helpers begin to copy */
};

struct step {
	enum step_kind kind;
	double amount;
	enum action action;
};

enum worker_state { ASLEEP, STARTING, WORKING, LOCK_WAIT, DEVICE_WAIT };

#define STEPS_MAX       12
#define SLOTS           2 /* chunks of a lane in flight, where devices copy */
#define DEVICE_JOBS_MAX 2048

struct slot {
	double bytes, taken_at;
	unsigned int nr_device_jobs;
	bool copied;
};

struct worker {
	enum worker_state state;
	unsigned int cpu, cluster, competitors;
	struct flow flow;
	/* Time slices. */
	bool preempted, stolen;
	double slice_end, wake_at;
	double slept_at, budget_ns; /* since when it sleeps, and what was left of its slice */
	double debt_ns;             /* of interrupts: served before the step goes on */
	uint64_t ticket;
	/* The queue of steps. */
	struct step steps[STEPS_MAX];
	unsigned int at, nr;
	double left; /* of the current step */
	double cpu_ns;
	/* The program. */
	struct slot slots[SLOTS];
	unsigned int nr_slots; /* in flight; the oldest first */
	double slice_bytes;    /* left of a slice of the kernel mover */
};

struct device_job {
	double bytes, ready_at;
	struct worker *owner;
	unsigned int slot;
};

struct device {
	struct flow flow;
	double free_at, queued_bytes;
	bool copying;
	struct device_job jobs[DEVICE_JOBS_MAX];
	unsigned int head, tail;
};

struct program_ops;

struct sim {
	const struct program_ops *program;
	const struct sim_machine *machine;
	const struct sim_job *job;
	const struct sim_device_kind *device_kind;
	double now;
	uint64_t nr_events, next_ticket;
	double capacity[SIM_CLUSTERS_MAX + 4];
	unsigned int nr_resources;
	unsigned int competitors[SIM_WORKERS_MAX]; /* by CPU: busy threads */
	unsigned int nr_busy_cpus;
	struct flow busy_flow[SIM_CLUSTERS_MAX];
	struct worker workers[SIM_WORKERS_MAX];
	unsigned int nr_workers;
	struct device devices[SIM_DEVICES_MAX];
	unsigned int nr_devices;
	struct worker *lock_holder;
	bool flows_changed;
	/* The program. */
	double bytes_left, moved_bytes, stall_ns;
	double pool_bytes;       /* of the group, that no worker has taken yet */
	unsigned int nr_copying; /* workers in the copy phase of a group */
	enum group_phase { GROUP_TAKE, GROUP_COPY, GROUP_PUT } phase;
	bool called; /* SIM_MTCOPY: the system call has begun */
};

/* ---- setup.c ---- */

void sim_init(struct sim *sim, const struct sim_machine *machine, const struct sim_load *load,
	      const struct sim_job *job);

/* ---- run.c ---- */

/* one_first: the first worker begins alone, and wakes the others. */
void sim_start(struct sim *sim, bool one_first);
/* Goes on to the next event. False: there is none. */
bool sim_step(struct sim *sim);

void worker_push(struct worker *worker, enum step_kind kind, double amount, enum action action);
void worker_begin_step(struct sim *sim, struct worker *worker);
/* Lets a worker that runs sleep, in this state. */
void worker_sleep(struct sim *sim, struct worker *worker, enum worker_state state);
void worker_fresh(struct sim *sim, struct worker *worker);
/* To the device with the shortest queue. */
void device_submit(struct sim *sim, double bytes, struct worker *owner, unsigned int slot);

/* ---- programs.c ---- */

/* What run.c calls of the program. */
struct program_ops {
	/* Adds steps, or lets the worker sleep or wait. */
	void (*refill)(struct sim *sim, struct worker *worker);
	void (*action)(struct sim *sim, struct worker *worker, enum action action);
	void (*device_done)(struct sim *sim, struct worker *owner, unsigned int slot);
};

extern const struct program_ops program_ops;

void program_init(struct sim *sim);
/* One worker begins alone, and wakes the others. */
bool program_is_led(const struct sim *sim);

#endif
