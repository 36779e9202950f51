// SPDX-License-Identifier: LGPL-2.1-or-later
#include <float.h>

#include "bench/sim/sim.h"

#define RESOURCES_MAX (SIM_CLUSTERS_MAX + 4)

/* How far all rates can grow until the first limit. */
static double flows_growth(struct flow *const *flows, unsigned int nr_flows, const double *left,
			   unsigned int nr_resources, const bool *frozen)
{
	double weight[RESOURCES_MAX] = {0}, growth = DBL_MAX;

	for (unsigned int i = 0; i < nr_flows; i++) {
		const struct flow *flow = flows[i];

		if (frozen[i])
			continue;
		growth = MIN(growth, (flow->max_rate - flow->rate) / flow->share);
		for (unsigned int u = 0; u < flow->nr_uses; u++)
			weight[flow->uses[u].resource] += flow->share * flow->uses[u].weight;
	}
	for (unsigned int r = 0; r < nr_resources; r++)
		if (weight[r] > 0)
			growth = MIN(growth, left[r] / weight[r]);
	return growth;
}

static bool flow_is_at_limit(const struct flow *flow, const double *left, const double *capacity)
{
	if (flow->rate >= flow->max_rate * (1 - 1e-9))
		return true;
	for (unsigned int u = 0; u < flow->nr_uses; u++)
		if (left[flow->uses[u].resource] <= capacity[flow->uses[u].resource] * 1e-9)
			return true;
	return false;
}

void flows_share(struct flow *const *flows, unsigned int nr_flows, const double *capacity,
		 unsigned int nr_resources)
{
	bool frozen[SIM_WORKERS_MAX + SIM_DEVICES_MAX + SIM_CLUSTERS_MAX] = {false};
	double left[RESOURCES_MAX];
	unsigned int nr_frozen = 0;

	for (unsigned int r = 0; r < nr_resources; r++)
		left[r] = capacity[r];
	for (unsigned int i = 0; i < nr_flows; i++)
		flows[i]->rate = 0;
	while (nr_frozen < nr_flows) {
		double growth = flows_growth(flows, nr_flows, left, nr_resources, frozen);

		for (unsigned int i = 0; i < nr_flows; i++) {
			struct flow *flow = flows[i];

			if (frozen[i])
				continue;
			flow->rate += growth * flow->share;
			for (unsigned int u = 0; u < flow->nr_uses; u++)
				left[flow->uses[u].resource] -=
					growth * flow->share * flow->uses[u].weight;
		}
		for (unsigned int i = 0; i < nr_flows; i++) {
			if (!frozen[i] && flow_is_at_limit(flows[i], left, capacity)) {
				frozen[i] = true;
				nr_frozen++;
			}
		}
	}
}
