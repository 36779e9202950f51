// SPDX-License-Identifier: LGPL-2.1-or-later
/* One simulation from its begin to its end. */
#include <stdlib.h>

#include "bench/sim/internal.h"

void sim_run(const struct sim_machine *machine, const struct sim_load *load,
	     const struct sim_job *job, struct sim_result *out)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		abort();
	sim->program = &program_ops;
	sim_init(sim, machine, load, job);
	program_init(sim);
	sim_start(sim, program_is_led(sim));
	while (sim_step(sim))
		sim->nr_events++;
	*out = (struct sim_result){
		.time_ns = sim->now, .stall_ns = sim->stall_ns, .nr_events = sim->nr_events};
	/* The thread that waits for a job is woken at its end. */
	if (job->special == SIM_PLAN && job->plan.kind != CHOOSE_CALL)
		out->time_ns += machine->wake_ns;
	for (unsigned int i = 0; i < sim->nr_workers; i++)
		out->cpu_ns += sim->workers[i].cpu_ns;
	/* All bytes must have moved: a program that stops early would look fast. */
	if (sim->moved_bytes < (double)job->bytes - 1)
		abort();
	free(sim);
}
