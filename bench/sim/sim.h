/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated machine, to judge the policy on machines that nobody here has. Virtual time: the
 * simulation is a sequence of events and gives the same result each time.
 *
 * It knows what the cost model (policy/model.c) only has in sum: memory controllers, links, L3
 * caches and cores as resources that flows share fairly; a lock of the page tables; interrupts that
 * delay whoever is interrupted; CPUs that threads share by time slices, or that a hypervisor takes
 * away; devices with a queue each; workers that wake one after the other.
 */
#ifndef BENCH_SIM_H
#define BENCH_SIM_H

#include "policy/choose.h"

#define SIM_CLUSTERS_MAX 128
#define SIM_WORKERS_MAX  512
#define SIM_DEVICES_MAX  16
#define SIM_NAME_BYTES   48

struct sim_device_kind {
	unsigned int nr;
	double gb_per_s;
	double item_ns;    /* per descriptor, on the device */
	double latency_ns; /* from submission to completion of an empty descriptor */
	double submit_ns;  /* CPU time per descriptor */
	unsigned int depth;
};

/* As a machine's file describes it. GB/s are bytes per ns. */
struct sim_machine {
	char name[SIM_NAME_BYTES];
	unsigned int nr_cpus, nr_clusters;
	/* Memory: what source and destination nodes deliver, and the link between them. */
	double controller_gb_per_s;
	double far_controller_gb_per_s; /* of the destination, if the reach is PROFILE_FAR */
	double link_gb_per_s[PROFILE_NR_REACHES];
	double cluster_gb_per_s; /* of copying */
	/* Copying by one core. */
	double core_gb_per_s[PROFILE_NR_REACHES][PROFILE_NR_SIZES];
	double kernel_gb_per_s[PROFILE_NR_REACHES][PROFILE_NR_SIZES];
	/* The kernel's migration, without copying. */
	double call_ns, folio_ns[PROFILE_NR_SIZES], kernel_locked;
	/* UFFDIO_MOVE. */
	double move_ns, move_folio_ns[PROFILE_NR_SIZES], move_locked;
	double plan_ns;
	/* A TLB flush that reaches n CPUs costs flush_ns + ipi_ns + n * ipi_cpu_ns (n: > 0). */
	double flush_ns, ipi_ns, ipi_cpu_ns, interrupted_ns;
	double wake_ns, slice_ns;
	double steal, steal_period_ns;
	double busy_gb_per_s; /* memory traffic of a busy thread */
	struct sim_device_kind device[PROFILE_NR_DEVICES];
	enum profile_reach reaches[PROFILE_NR_REACHES]; /* those that the machine has */
	unsigned int nr_reaches;
};

/* Fills in a machine from a JSON file. 0, or -errno with a sentence in why. */
int __must_check sim_machine_load(const char *path, struct sim_machine *out, char *why,
				  size_t why_bytes);

/* What happens besides the move. */
struct sim_load {
	unsigned int busy_threads; /* of the same process */
	double device_pending_ns[PROFILE_NR_DEVICES];
	double device_slowdown; /* 0 or 1: none */
};

/* Other things to simulate than a plan of the policy. */
enum sim_special {
	SIM_PLAN,      /* a plan of the policy */
	SIM_COPY_ONLY, /* workers copy, and do nothing else */
	SIM_MTCOPY,    /* the kernel's migration with copy threads: the patch series "mtcopy" */
};

struct sim_job {
	uint64_t bytes, folio_bytes;
	enum profile_reach reach;
	enum sim_special special;
	bool fill;          /* workers fill a cluster before the next one */
	bool kernel_copies; /* at the rate of the kernel's own loop */
	struct choose_plan plan;
};

struct sim_result {
	double time_ns;
	double cpu_ns;
	double stall_ns; /* longest time from take-out to put-in */
	uint64_t nr_events;
};

void sim_run(const struct sim_machine *machine, const struct sim_load *load,
	     const struct sim_job *job, struct sim_result *out);

/* Measures the machine as calibration would, each number with a few percent of error. */
void sim_calibrate(const struct sim_machine *machine, struct profile *out);

/* What the policy would be told on this machine. */
void sim_question(const struct sim_machine *machine, const struct profile *profile,
		  const struct sim_load *load, const struct sim_job *job,
		  struct choose_question *out);

/* ---- flows.c: who gets how much of what is shared ---- */

#define FLOW_USES_MAX 5

struct flow {
	double max_rate; /* alone */
	double share;    /* relative to other flows; 1: as one worker */
	unsigned int nr_uses;
	struct {
		unsigned int resource;
		double weight; /* of the resource's capacity per unit of rate */
	} uses[FLOW_USES_MAX];
	double rate; /* the result */
};

/* Max-min fairness: rates grow together until a flow or a resource reaches its limit. */
void flows_share(struct flow *const *flows, unsigned int nr_flows, const double *capacity,
		 unsigned int nr_resources);

/* ---- published.c: tables that the simulator must reproduce ---- */

struct sim_published {
	const char *machine; /* file in bench/sim/machines */
	const char *table;   /* what it shows */
	const char *source;
	const char *row;
	double published;
	double (*simulate)(const struct sim_machine *machine, const struct sim_published *row);
	struct sim_job job;
	struct sim_job against; /* of a ratio */
};

extern const struct sim_published sim_published[];
extern const unsigned int sim_nr_published;

/* ---- judge.c: the policy against fixed choices ---- */

struct sim_cell {
	const struct sim_machine *machine;
	enum profile_reach reach;
	uint64_t bytes, folio_bytes;
	struct sim_load load;
	const char *load_name;
	/* Results, in ns. */
	double kernel_ns, best_ns, policy_ns, predicted_ns;
	struct choose_plan best, policy;
};

/* Simulates the plan of the policy, each fixed choice and the plain call. */
void sim_judge(const struct profile *profile, struct sim_cell *cell);

/* The loads of the comparison: none, half, all and four times the CPUs. */
extern const char *const sim_load_names[4];
void sim_load_level(const struct sim_machine *machine, unsigned int level, struct sim_load *out);

#endif
