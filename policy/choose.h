/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cost model, and the choice that rests on it. Pure functions of a profile, the load, the
 * queues of devices, the run to be moved, and wishes: they make no system call, read no clock and
 * allocate nothing. docs/policy.md explains the model on one page.
 */
#ifndef FERRY_CHOOSE_H
#define FERRY_CHOOSE_H

#include "include/pageferry.h"
#include "policy/profile.h"

/* ---- the question ---- */

struct choose_run {
	uint64_t bytes;
	uint64_t folio_bytes;
	unsigned int nr_pieces; /* contiguous parts, each of which is registered; at least 1 */
	enum profile_reach reach;
	bool exchangeable; /* private anonymous memory of this process, and the kernel can */
};

struct choose_load {
	unsigned int nr_cpus;  /* that workers may use */
	double busy_threads;   /* runnable threads that compete for those CPUs */
	double process_cpus;   /* other CPUs that run threads of the process: flushes reach them */
	double bandwidth_used; /* part of the memory bandwidth that others use, 0 to 1 */
	double steal;          /* part of CPU time that the hypervisor takes, 0 to 1 */
};

struct choose_queues {
	struct choose_device {
		unsigned int nr;   /* devices that answer */
		double pending_ns; /* until what is queued has been done */
		double slowdown;   /* time per byte now, divided by that of the profile; 1: the same
				    */
	} device[PROFILE_NR_DEVICES];
	unsigned int max_gather; /* chunks that the engine can copy together; 0: one by one */
};

enum choose_goal {
	CHOOSE_LEAST_TIME,
	CHOOSE_LEAST_CPU,   /* CPU time, with no more time than the plain call takes */
	CHOOSE_LEAST_STALL, /* pages absent for as short as can be, in the same time limit */
	CHOOSE_BACKGROUND,  /* one worker at most, and devices only while their queues are empty */
	CHOOSE_NR_GOALS
};

struct choose_wishes {
	enum choose_goal goal;
	uint64_t stall_bound_ns;
	unsigned int max_workers; /* 0: no limit */
};

struct choose_question {
	const struct profile *profile;
	struct choose_load load;
	struct choose_queues queues;
	struct choose_run run;
	struct choose_wishes wishes;
};

/* ---- the answer ---- */

enum choose_engine {
	CHOOSE_CPU,
	CHOOSE_DSA,
	CHOOSE_CPU_DSA, /* a batch is split between workers and devices */
	CHOOSE_SDXI,
	CHOOSE_CPU_SDXI,
	CHOOSE_NR_ENGINES
};

/* Kinds of plans. The exchange mover has one kind per engine and mode. */
enum choose_kind {
	CHOOSE_CALL,   /* one plain system call by the calling thread */
	CHOOSE_SLICES, /* the kernel mover */
	CHOOSE_APART,  /* + enum choose_engine; the mode is POLICY_APART */
	CHOOSE_TOGETHER = CHOOSE_APART + CHOOSE_NR_ENGINES,
	CHOOSE_NR_KINDS = CHOOSE_TOGETHER + CHOOSE_NR_ENGINES
};

struct choose_plan {
	enum choose_kind kind;
	unsigned int nr_workers;
	uint64_t chunk_bytes;    /* of the exchange mover */
	unsigned int gather;     /* chunks in flight at a time, where the mode is together */
	unsigned int nr_devices; /* 0: workers copy all */
	double device_part;      /* of the bytes that devices copy, 0 to 1 */
};

/* Parts of the time that a plan takes. */
enum choose_term {
	CHOOSE_TERM_START,  /* planning, registration, waking */
	CHOOSE_TERM_CALLS,  /* system calls of the kernel mover, without copying */
	CHOOSE_TERM_TABLES, /* UFFDIO_MOVE */
	CHOOSE_TERM_FLUSH,  /* TLB flushes, and being interrupted by those of others */
	CHOOSE_TERM_COPY,
	CHOOSE_TERM_WAIT, /* for devices, for workers that are preempted, for locks */
	CHOOSE_NR_TERMS
};

struct choose_cost {
	double time_ns;
	double cpu_ns;   /* of all workers */
	double stall_ns; /* for which a page is in flight at most, preemption included */
	double term_ns[CHOOSE_NR_TERMS]; /* of time_ns */
};

/* Why a kind is out of the question. */
enum choose_bar {
	CHOOSE_POSSIBLE,
	CHOOSE_BAR_MAPPING,   /* the run cannot be exchanged */
	CHOOSE_BAR_NO_DEVICE, /* no device of this kind answers */
	CHOOSE_BAR_QUEUE,     /* background work leaves busy devices to others */
	CHOOSE_BAR_ALONE      /* needs two workers, or an engine that gathers */
};

struct choose_candidate {
	enum choose_bar bar;
	bool keeps_bound; /* the stall bound, while no worker is preempted */
	bool in_time;     /* takes no longer than the plain call */
	struct choose_plan plan;
	struct choose_cost cost;
	double score; /* the least one wins */
};

struct choose_decision {
	struct choose_candidate of_kind[CHOOSE_NR_KINDS]; /* the best of each kind */
	enum choose_kind winner;
	enum choose_kind rival;   /* the best of the other kinds; the winner: there is none */
	enum choose_term because; /* the part of the time that the winner saves most of */
};

/* What this plan costs. Sets plan->device_part, so that workers and devices end together. */
void policy_predict(const struct choose_question *question, struct choose_plan *plan,
		    struct choose_cost *out);

/* The plain call is always possible, so there is always a winner. */
void policy_choose(const struct choose_question *question, struct choose_decision *out);

enum ferry_mover choose_mover(enum choose_kind kind);
bool choose_is_together(enum choose_kind kind);
/* Of a kind of the exchange mover. */
enum choose_engine choose_engine_of(enum choose_kind kind);
bool choose_engine_uses_cpu(enum choose_engine engine);
/* PROFILE_NR_DEVICES: it uses none. */
enum profile_device_kind choose_engine_device(enum choose_engine engine);

#endif
