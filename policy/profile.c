// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Names, bounds and defaults of the numbers of a profile. A struct profile holds nothing but
 * doubles, so it is an array of them, and this table names each place of that array.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/profile.h"

#define MS 1e6
#define S  1e9

_Static_assert(sizeof(struct profile) % sizeof(double) == 0, "only doubles");

static const char *const work_names[PROFILE_NR_WORKS] = {"kernel", "cpu", "dsa", "sdxi"};
static const char *const reach_names[PROFILE_NR_REACHES] = {"same", "near", "remote", "far"};
static const char *const size_names[PROFILE_NR_SIZES] = {"4k", "64k", "2m"};
static const char *const device_names[PROFILE_NR_DEVICES] = {"dsa_device", "sdxi_device"};

/* One kind of number. Arrays of it are numbered by `parts`. */
struct field_kind {
	const char *name;
	size_t offset;
	double min, max;
};

#define FIELD(member, low, high)                                                           \
	{                                                                                  \
		.name = #member, .offset = offsetof(struct profile, member), .min = (low), \
		.max = (high)                                                              \
	}

/*
 * Bounds. They are wide: a tenth of what the fastest known machine needs, and some hundred times
 * what the slowest one does, emulated ones included.
 */
static const struct field_kind cost_kinds[] = {
	{"fixed_ns", offsetof(struct profile_cost, fixed_ns), 0, 100 * MS},
	{"ns_per_byte", offsetof(struct profile_cost, ns_per_byte), 1e-4, 1000},
	{"confidence", offsetof(struct profile_cost, confidence), 0, 1},
};

static const struct field_kind device_kinds[] = {
	{"nr", offsetof(struct profile_device, nr), 0, 64},
	{"depth", offsetof(struct profile_device, depth), 1, 1 << 16},
	{"latency_ns", offsetof(struct profile_device, latency_ns), 0, S},
	{"submit_ns", offsetof(struct profile_device, submit_ns), 0, 10 * MS},
};

static const struct field_kind single_kinds[] = {
	FIELD(cluster_limit, 1e-3, 1e5),
	FIELD(nr_clusters, 1, 1024),
	FIELD(cluster_cores, 1, 1024),
	FIELD(fill, 0, 1),
	FIELD(move_call_ns, 1, 10 * MS),
	FIELD(move_serial, 0, 1),
	FIELD(plan_ns, 0, S),
	FIELD(kernel_serial, 0, 1),
	FIELD(batch_bytes, 4096, 1 << 30),
	FIELD(interrupted_ns, 0, 10 * MS),
	FIELD(wake_ns, 0, 100 * MS),
	FIELD(slice_ns, 0, S),
};

#define NR_COSTS        ((size_t)PROFILE_NR_WORKS * PROFILE_NR_REACHES * PROFILE_NR_SIZES)
#define FIRST_DEVICE    (offsetof(struct profile, device) / sizeof(double))
#define NR_DEVICE_PARTS (sizeof(struct profile_device) / sizeof(double))
#define FIRST_LIMIT     (offsetof(struct profile, limit) / sizeof(double))
#define FIRST_FOLIO     (offsetof(struct profile, move_folio_ns) / sizeof(double))
#define FIRST_FLUSH     (offsetof(struct profile, flush_ns) / sizeof(double))

_Static_assert(FIRST_DEVICE == NR_COSTS * ARRAY_SIZE(cost_kinds), "costs come first");
_Static_assert(NR_DEVICE_PARTS == ARRAY_SIZE(device_kinds), "each part of a device has bounds");
_Static_assert(PROFILE_NR_FIELDS == FIRST_LIMIT + ARRAY_SIZE(single_kinds) + PROFILE_NR_REACHES +
					    PROFILE_NR_SIZES + PROFILE_FLUSH_STEPS,
	       "each number has bounds");

static void field_set(struct profile_field *out, const struct field_kind *kind)
{
	out->min = kind->min;
	out->max = kind->max;
}

static void field_of_cost(unsigned int at, struct profile_field *out)
{
	const struct field_kind *kind = &cost_kinds[at % ARRAY_SIZE(cost_kinds)];
	unsigned int cost = at / (unsigned int)ARRAY_SIZE(cost_kinds);

	snprintf(out->name, sizeof(out->name), "%s.%s.%s.%s",
		 work_names[cost / (PROFILE_NR_REACHES * PROFILE_NR_SIZES)],
		 reach_names[cost / PROFILE_NR_SIZES % PROFILE_NR_REACHES],
		 size_names[cost % PROFILE_NR_SIZES], kind->name);
	field_set(out, kind);
}

static void field_of_device(unsigned int at, struct profile_field *out)
{
	const struct field_kind *kind = &device_kinds[at % NR_DEVICE_PARTS];

	snprintf(out->name, sizeof(out->name), "%s.%s", device_names[at / NR_DEVICE_PARTS],
		 kind->name);
	field_set(out, kind);
}

static void field_of_rest(unsigned int at, struct profile_field *out)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(single_kinds); i++) {
		if (single_kinds[i].offset == at * sizeof(double)) {
			snprintf(out->name, sizeof(out->name), "%s", single_kinds[i].name);
			field_set(out, &single_kinds[i]);
			return;
		}
	}
	if (at >= FIRST_LIMIT && at < FIRST_LIMIT + PROFILE_NR_REACHES) {
		snprintf(out->name, sizeof(out->name), "limit.%s", reach_names[at - FIRST_LIMIT]);
		field_set(out, &(struct field_kind){.min = 1e-3, .max = 1e5});
	} else if (at >= FIRST_FOLIO && at < FIRST_FOLIO + PROFILE_NR_SIZES) {
		snprintf(out->name, sizeof(out->name), "move_folio_ns.%s",
			 size_names[at - FIRST_FOLIO]);
		field_set(out, &(struct field_kind){.min = 1, .max = 10 * MS});
	} else {
		unsigned int step = at - (unsigned int)FIRST_FLUSH;

		snprintf(out->name, sizeof(out->name), "flush_ns.%u", step ? 1U << (step - 1) : 0);
		field_set(out, &(struct field_kind){.min = 0, .max = 100 * MS});
	}
}

void profile_field(unsigned int at, struct profile_field *out)
{
	if (at < FIRST_DEVICE)
		field_of_cost(at, out);
	else if (at < FIRST_LIMIT)
		field_of_device(at - (unsigned int)FIRST_DEVICE, out);
	else
		field_of_rest(at, out);
}

double profile_get(const struct profile *profile, unsigned int at)
{
	double value;

	memcpy(&value, (const char *)profile + at * sizeof(double), sizeof(double));
	return value;
}

void profile_set(struct profile *profile, unsigned int at, double value)
{
	memcpy((char *)profile + at * sizeof(double), &value, sizeof(double));
}

unsigned int profile_find(const char *name, size_t len)
{
	struct profile_field field;
	unsigned int at;

	for (at = 0; at < PROFILE_NR_FIELDS; at++) {
		profile_field(at, &field);
		if (strlen(field.name) == len && !memcmp(field.name, name, len))
			break;
	}
	return at;
}

int profile_check(const struct profile *profile, char *why, size_t why_bytes)
{
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
		double value = profile_get(profile, at);
		struct profile_field field;

		profile_field(at, &field);
		/* Written so that it holds for NaN, too. */
		if (value >= field.min && value <= field.max)
			continue;
		snprintf(why, why_bytes, "%s is %g, but must be from %g to %g", field.name, value,
			 field.min, field.max);
		return -ERANGE;
	}
	return 0;
}

bool profile_is_measured(const struct profile *profile)
{
	const struct profile_cost *costs = &profile->cost[0][0][0];

	for (unsigned int i = 0; i < NR_COSTS; i++)
		if (costs[i].confidence > 0)
			return true;
	return false;
}

/* ---- classes ---- */

/*
 * Nodes of one socket are 11 to 16 apart, sockets 20 and more (ACPI, SLIT). Increasing this takes
 * close sockets for one.
 */
#define NEAR_MAX_DISTANCE 16

enum profile_reach profile_reach_of(unsigned int distance, bool both_have_cpus)
{
	if (distance <= 10)
		return PROFILE_SAME;
	if (!both_have_cpus)
		return PROFILE_FAR;
	return distance <= NEAR_MAX_DISTANCE ? PROFILE_NEAR : PROFILE_REMOTE;
}

enum profile_size profile_size_of(uint64_t folio_bytes)
{
	if (folio_bytes >= HUGE_BYTES)
		return PROFILE_2M;
	return folio_bytes >= 16 * PAGE_BYTES ? PROFILE_64K : PROFILE_4K;
}

uint64_t profile_size_bytes(enum profile_size size)
{
	static const uint64_t bytes[PROFILE_NR_SIZES] = {PAGE_BYTES, 16 * PAGE_BYTES, HUGE_BYTES};

	return bytes[size];
}

const char *profile_reach_name(enum profile_reach reach)
{
	return reach_names[reach];
}

/* ---- costs ---- */

static double flush_step_cpus(unsigned int step)
{
	return step ? (double)(1U << (step - 1)) : 0;
}

double profile_flush_ns(const struct profile *profile, double nr_cpus)
{
	unsigned int step = 1;
	double low, high, part;

	while (step < PROFILE_FLUSH_STEPS - 1 && flush_step_cpus(step) < nr_cpus)
		step++;
	low = flush_step_cpus(step - 1);
	high = flush_step_cpus(step);
	/* Beyond the last step the cost grows as between the last two. */
	part = (nr_cpus - low) / (high - low);
	return MAX(profile->flush_ns[step - 1] +
			   part * (profile->flush_ns[step] - profile->flush_ns[step - 1]),
		   0.0);
}

/*
 * Defaults. One worker's migration of 4 KiB takes 1.1 µs, of 2 MiB 190 µs (two sockets, Zen 3,
 * Linux 6.16); UFFDIO_MOVE 75 ns per page and 1 µs per call (Zen 5, 6.18), a descriptor 17 ns of
 * CPU time. A device copies 30 bytes per ns. Other numbers are round ones between those of machines
 * that have been seen. docs/policy.md has the sources.
 */
static void defaults_for_reach(struct profile *out, enum profile_reach reach, double factor)
{
	static const double kernel_ns[PROFILE_NR_SIZES] = {0.27, 0.17, 0.094};
	static const double copy_ns[PROFILE_NR_SIZES] = {0.07, 0.055, 0.05};

	for (int size = 0; size < PROFILE_NR_SIZES; size++) {
		struct profile_cost *cost = &out->cost[PROFILE_KERNEL][reach][size];

		*cost = (struct profile_cost){.fixed_ns = 15000, .ns_per_byte = kernel_ns[size]};
		cost->ns_per_byte += (factor - 1) * copy_ns[size];
		out->cost[PROFILE_CPU][reach][size] = (struct profile_cost){
			.fixed_ns = 20, .ns_per_byte = copy_ns[size] * factor};
		out->cost[PROFILE_DSA][reach][size] = (struct profile_cost){
			.fixed_ns = 8, .ns_per_byte = 0.0334 * MAX(factor / 1.3, 1.0)};
		out->cost[PROFILE_SDXI][reach][size] =
			(struct profile_cost){.fixed_ns = 100, .ns_per_byte = 0.08 * factor};
	}
}

void profile_defaults(struct profile *out, unsigned int nr_clusters, unsigned int cluster_cores)
{
	static const double factors[PROFILE_NR_REACHES] = {1, 1.1, 1.3, 2};
	static const double limits[PROFILE_NR_REACHES] = {60, 60, 40, 20};

	*out = (struct profile){
		.device = {{.depth = 32, .latency_ns = 1100, .submit_ns = 18},
			   {.depth = 512, .latency_ns = 5000, .submit_ns = 13}},
		.cluster_limit = 30,
		.nr_clusters = MAX(nr_clusters, 1),
		.cluster_cores = MAX(cluster_cores, 1),
		.move_call_ns = 1000,
		.move_folio_ns = {75, 1200, 900},
		.move_serial = 0.1,
		.plan_ns = 30000,
		.kernel_serial = 0.3,
		.batch_bytes = HUGE_BYTES,
		.interrupted_ns = 2000,
		.wake_ns = 5000,
		.slice_ns = 3 * MS,
	};
	for (unsigned int step = 0; step < PROFILE_FLUSH_STEPS; step++)
		out->flush_ns[step] = step ? 2500 + 60 * flush_step_cpus(step) : 500;
	for (int reach = 0; reach < PROFILE_NR_REACHES; reach++) {
		defaults_for_reach(out, (enum profile_reach)reach, factors[reach]);
		out->limit[reach] = limits[reach];
	}
}
