// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads a machine from a JSON file. Every number must be there: no machine has hidden defaults. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bench/sim/sim.h"

struct number {
	const char *name; /* a dot nests */
	size_t offset;
	bool whole; /* an unsigned int */
};

#define REAL(key, member)                                                                   \
	{                                                                                   \
		.name = key, .offset = offsetof(struct sim_machine, member), .whole = false \
	}
#define WHOLE(key, member)                                                                 \
	{                                                                                  \
		.name = key, .offset = offsetof(struct sim_machine, member), .whole = true \
	}

static const struct number numbers[] = {
	WHOLE("cpus", nr_cpus),
	WHOLE("l3_caches", nr_clusters),
	REAL("gb_per_s.controller", controller_gb_per_s),
	REAL("gb_per_s.far_controller", far_controller_gb_per_s),
	REAL("gb_per_s.l3", cluster_gb_per_s),
	REAL("gb_per_s.busy_thread", busy_gb_per_s),
	REAL("kernel.call_ns", call_ns),
	REAL("kernel.folio_ns.4k", folio_ns[PROFILE_4K]),
	REAL("kernel.folio_ns.64k", folio_ns[PROFILE_64K]),
	REAL("kernel.folio_ns.2m", folio_ns[PROFILE_2M]),
	REAL("kernel.locked", kernel_locked),
	REAL("userfaultfd.call_ns", move_ns),
	REAL("userfaultfd.folio_ns.4k", move_folio_ns[PROFILE_4K]),
	REAL("userfaultfd.folio_ns.64k", move_folio_ns[PROFILE_64K]),
	REAL("userfaultfd.folio_ns.2m", move_folio_ns[PROFILE_2M]),
	REAL("userfaultfd.locked", move_locked),
	REAL("userfaultfd.plan_ns", plan_ns),
	REAL("flush.alone_ns", flush_ns),
	REAL("flush.interrupt_ns", ipi_ns),
	REAL("flush.each_cpu_ns", ipi_cpu_ns),
	REAL("flush.interrupted_ns", interrupted_ns),
	REAL("threads.wake_ns", wake_ns),
	REAL("threads.slice_ns", slice_ns),
	REAL("threads.steal", steal),
	REAL("threads.steal_period_ns", steal_period_ns),
};

static const struct number device_numbers[] = {
	WHOLE("nr", device[0].nr),
	WHOLE("depth", device[0].depth),
	REAL("gb_per_s", device[0].gb_per_s),
	REAL("item_ns", device[0].item_ns),
	REAL("latency_ns", device[0].latency_ns),
	REAL("submit_ns", device[0].submit_ns),
};

/* The member at the end of a path with dots. */
static json_t *object_find(json_t *from, const char *path)
{
	char part[40];

	while (from && *path) {
		size_t len = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		from = json_object_get(from, part);
		path += len + (path[len] == '.');
	}
	return from;
}

static int number_load(json_t *from, const struct number *number, void *to, char *why,
		       size_t why_bytes)
{
	json_t *value = object_find(from, number->name);
	double real = json_number_value(value);

	if (!json_is_number(value) || real < 0) {
		snprintf(why, why_bytes, "%s: a number of at least 0 belongs here", number->name);
		return -EINVAL;
	}
	if (number->whole)
		*(unsigned int *)((char *)to + number->offset) = (unsigned int)real;
	else
		*(double *)((char *)to + number->offset) = real;
	return 0;
}

static int device_load(json_t *from, const char *name, struct sim_device_kind *to, char *why,
		       size_t why_bytes)
{
	json_t *device = json_object_get(from, name);
	int err = 0;

	for (unsigned int i = 0; device && !err && i < ARRAY_SIZE(device_numbers); i++) {
		struct number number = device_numbers[i];

		number.offset -= offsetof(struct sim_machine, device);
		err = number_load(device, &number, to, why, why_bytes);
	}
	return err;
}

/* "reach": {"remote": {"link": 50, "core": [10, 11, 12], "kernel": [8, 9, 10]}} */
static int reach_load(json_t *reach, struct sim_machine *out, enum profile_reach to, char *why,
		      size_t why_bytes)
{
	json_t *core = json_object_get(reach, "core"), *kernel = json_object_get(reach, "kernel");

	out->reaches[out->nr_reaches++] = to;
	out->link_gb_per_s[to] = json_number_value(json_object_get(reach, "link"));
	for (size_t size = 0; size < PROFILE_NR_SIZES; size++) {
		out->core_gb_per_s[to][size] = json_number_value(json_array_get(core, size));
		out->kernel_gb_per_s[to][size] = json_number_value(json_array_get(kernel, size));
		if (out->core_gb_per_s[to][size] <= 0 || out->kernel_gb_per_s[to][size] <= 0 ||
		    out->link_gb_per_s[to] <= 0) {
			snprintf(why, why_bytes,
				 "reach.%s: link, and core and kernel for three sizes, belong here",
				 profile_reach_name(to));
			return -EINVAL;
		}
	}
	return 0;
}

static int machine_read(json_t *from, struct sim_machine *out, char *why, size_t why_bytes)
{
	json_t *reaches = json_object_get(from, "reach");
	int err = 0;

	for (unsigned int i = 0; !err && i < ARRAY_SIZE(numbers); i++)
		err = number_load(from, &numbers[i], out, why, why_bytes);
	for (int to = 0; !err && to < PROFILE_NR_REACHES; to++) {
		json_t *reach =
			json_object_get(reaches, profile_reach_name((enum profile_reach)to));

		if (reach)
			err = reach_load(reach, out, (enum profile_reach)to, why, why_bytes);
	}
	if (!err)
		err = device_load(from, "dsa", &out->device[PROFILE_DEVICE_DSA], why, why_bytes);
	if (!err)
		err = device_load(from, "sdxi", &out->device[PROFILE_DEVICE_SDXI], why, why_bytes);
	if (!err && (!out->nr_reaches || !out->nr_cpus || !out->nr_clusters ||
		     out->nr_cpus > SIM_WORKERS_MAX || out->nr_clusters > SIM_CLUSTERS_MAX ||
		     out->device[0].nr + out->device[1].nr > SIM_DEVICES_MAX)) {
		snprintf(why, why_bytes, "1 to %d cpus, 1 to %d l3_caches, %d devices, a reach",
			 SIM_WORKERS_MAX, SIM_CLUSTERS_MAX, SIM_DEVICES_MAX);
		err = -EINVAL;
	}
	return err;
}

int sim_machine_load(const char *path, struct sim_machine *out, char *why, size_t why_bytes)
{
	json_error_t error;
	json_t *from = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	const char *name;
	int err;

	*out = (struct sim_machine){.nr_cpus = 0};
	if (!from) {
		snprintf(why, why_bytes, "%s:%d: %s", path, error.line, error.text);
		return -EINVAL;
	}
	name = json_string_value(json_object_get(from, "name"));
	snprintf(out->name, sizeof(out->name), "%s", name ? name : path);
	err = machine_read(from, out, why, why_bytes);
	json_decref(from);
	return err;
}
