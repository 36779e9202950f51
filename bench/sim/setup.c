// SPDX-License-Identifier: LGPL-2.1-or-later
/* The beginning of a simulation: which thread runs where, and what limits each flow. */
#include "bench/sim/internal.h"

/* ---- where threads run ---- */

static unsigned int cluster_of_cpu(const struct sim *sim, unsigned int cpu)
{
	return cpu * sim->machine->nr_clusters / sim->machine->nr_cpus;
}

/* Busy threads are spread over caches, as the kernel's load balancing does. */
static void sim_place_busy(struct sim *sim, unsigned int nr)
{
	unsigned int nr_clusters = sim->machine->nr_clusters;
	unsigned int cores = sim->machine->nr_cpus / nr_clusters;

	for (unsigned int i = 0; i < nr; i++) {
		unsigned int cluster = i % nr_clusters, core = i / nr_clusters % MAX(cores, 1U);
		unsigned int cpu = MIN(cluster * sim->machine->nr_cpus / nr_clusters + core,
				       sim->machine->nr_cpus - 1);

		sim->nr_busy_cpus += !sim->competitors[cpu]++;
		sim->busy_flow[cluster].share += 1;
	}
}

/* The CPU with the fewest threads; among equals, in the cluster with the fewest, or the first. */
static unsigned int sim_best_cpu(const struct sim *sim, const unsigned int *on_cpu,
				 const unsigned int *on_cluster)
{
	unsigned int best = 0, best_rank = UINT32_MAX;

	for (unsigned int cpu = 0; cpu < sim->machine->nr_cpus; cpu++) {
		unsigned int threads = sim->competitors[cpu] + on_cpu[cpu];
		unsigned int rank = threads << 16;

		if (!sim->job->fill)
			rank += on_cluster[cluster_of_cpu(sim, cpu)];
		if (rank < best_rank) {
			best_rank = rank;
			best = cpu;
		}
	}
	return best;
}

static void worker_init_flow(struct sim *sim, struct worker *worker)
{
	const struct sim_machine *machine = sim->machine;
	enum profile_reach reach = sim->job->reach;
	enum profile_size size = profile_size_of(sim->job->folio_bytes);
	bool by_kernel = sim->job->kernel_copies;

	worker->flow = (struct flow){
		.share = 1,
		.max_rate = by_kernel ? machine->kernel_gb_per_s[reach][size]
				      : machine->core_gb_per_s[reach][size],
		.nr_uses = 4,
		.uses = {{RESOURCE_SOURCE, 1},
			 {reach == PROFILE_SAME ? RESOURCE_SOURCE : RESOURCE_TARGET, 1},
			 {RESOURCE_LINK, 1},
			 {RESOURCE_CLUSTERS + worker->cluster, 1}},
	};
}

static void sim_place_workers(struct sim *sim)
{
	unsigned int on_cpu[SIM_WORKERS_MAX] = {0}, on_cluster[SIM_CLUSTERS_MAX] = {0};

	for (unsigned int i = 0; i < sim->nr_workers; i++) {
		struct worker *worker = &sim->workers[i];
		unsigned int cpu = sim_best_cpu(sim, on_cpu, on_cluster);

		worker->cpu = cpu;
		worker->cluster = cluster_of_cpu(sim, cpu);
		worker->competitors = sim->competitors[cpu] + on_cpu[cpu];
		on_cpu[cpu]++;
		on_cluster[worker->cluster]++;
		worker_init_flow(sim, worker);
	}
}

static void sim_init_resources(struct sim *sim)
{
	const struct sim_machine *machine = sim->machine;
	enum profile_reach reach = sim->job->reach;

	sim->capacity[RESOURCE_SOURCE] = machine->controller_gb_per_s;
	sim->capacity[RESOURCE_TARGET] = reach == PROFILE_FAR ? machine->far_controller_gb_per_s
							      : machine->controller_gb_per_s;
	sim->capacity[RESOURCE_LINK] = machine->link_gb_per_s[reach];
	sim->nr_resources = RESOURCE_CLUSTERS + machine->nr_clusters;
	for (unsigned int i = 0; i < machine->nr_clusters; i++)
		sim->capacity[RESOURCE_CLUSTERS + i] = machine->cluster_gb_per_s;
}

static void sim_init_devices(struct sim *sim, const struct sim_load *load)
{
	const struct choose_plan *plan = &sim->job->plan;
	enum profile_device_kind kind;
	const struct sim_device_kind *device;
	double folio = (double)sim->job->folio_bytes;

	if (choose_mover(plan->kind) == FERRY_MOVER_KERNEL)
		return;
	kind = choose_engine_device(choose_engine_of(plan->kind));
	if (kind == PROFILE_NR_DEVICES)
		return;
	device = &sim->machine->device[kind];
	sim->device_kind = device;
	sim->nr_devices = MIN(plan->nr_devices, device->nr);
	for (unsigned int i = 0; i < sim->nr_devices; i++) {
		struct device *it = &sim->devices[i];

		it->free_at = load->device_pending_ns[kind];
		it->flow = (struct flow){
			.share = 1,
			.max_rate = folio / (device->item_ns + folio / device->gb_per_s) /
				    (load->device_slowdown > 0 ? load->device_slowdown : 1),
			.nr_uses = 3,
			.uses = {{RESOURCE_SOURCE, 1},
				 {sim->job->reach == PROFILE_SAME ? RESOURCE_SOURCE
								  : RESOURCE_TARGET,
				  1},
				 {RESOURCE_LINK, 1}},
		};
	}
}

static void sim_init_busy_flows(struct sim *sim)
{
	const struct sim_machine *machine = sim->machine;
	double most = DIV_ROUND_UP(machine->nr_cpus, machine->nr_clusters);

	for (unsigned int i = 0; i < machine->nr_clusters; i++) {
		struct flow *flow = &sim->busy_flow[i];

		flow->nr_uses = 2;
		flow->uses[0].resource = RESOURCE_SOURCE;
		flow->uses[0].weight = 1;
		flow->uses[1].resource = RESOURCE_CLUSTERS + i;
		flow->uses[1].weight = 0.5;
		flow->share = machine->busy_gb_per_s > 0 ? MIN(flow->share, most) : 0;
		flow->max_rate = flow->share * machine->busy_gb_per_s;
	}
}

void sim_init(struct sim *sim, const struct sim_machine *machine, const struct sim_load *load,
	      const struct sim_job *job)
{
	sim->machine = machine;
	sim->job = job;
	sim->nr_workers = MIN(MAX(job->plan.nr_workers, 1U), (unsigned int)SIM_WORKERS_MAX);
	sim_place_busy(sim, load->busy_threads);
	sim_init_busy_flows(sim);
	sim_init_resources(sim);
	sim_place_workers(sim);
	sim_init_devices(sim, load);
}
