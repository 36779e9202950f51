// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/area/area.h"
#include "cli/calibrate/copying.h"

#define AREA_BYTES  (32UL << 20)
#define CHUNK_BYTES HUGE_BYTES
/* Parts of the area, each of which is timed by itself. */
#define NR_PARTS 8
/* What the races among copy kernels take until they are decided (copy/race.h), and some more. */
#define WARM_UP_PASSES 2
/* The batch for which the CPU time of submitting is measured. */
#define SUBMIT_ITEMS 32

/* ---- what copies ---- */

static const char *const device_names[PROFILE_NR_DEVICES] = {"dsa", "sdxi"};

static int copier_add(struct calibration *calibration, const char *spec, enum profile_work work,
		      unsigned int nr_threads, const struct placement *placement)
{
	struct copier *copier = &calibration->copiers[calibration->nr_copiers];
	int code;

	if (calibration->nr_copiers == COPIERS_MAX)
		return CLI_OK;
	*copier = (struct copier){.work = work, .nr_threads = nr_threads};
	code = engine_run_open(&copier->run, spec, nr_threads, placement);
	if (!code)
		calibration->nr_copiers++;
	return code;
}

/* Threads of one L3, where there are several: the caller's thread may run on another one. */
static int copier_add_l3(struct calibration *calibration)
{
	const struct placement *all = calibration->placement;
	struct placement *one =
		cli_alloc(1, sizeof(*one) + all->nr_places * sizeof(one->places[0]));
	int code = CLI_OK;

	one->this_system = all->this_system;
	for (unsigned int i = 0; i < all->nr_places; i++)
		if (all->places[i].l3 == all->places[0].l3)
			one->places[one->nr_places++] = all->places[i];
	if (all->nr_l3 > 1 && one->nr_places > 1) {
		code = copier_add(calibration, "cpu", PROFILE_CPU, one->nr_places, one);
		if (!code)
			calibration->copiers[calibration->nr_copiers - 1].one_l3 = true;
	}
	free(one);
	return code;
}

static int copier_add_cpu(struct calibration *calibration)
{
	unsigned int nr_all = calibration->placement->nr_places;
	int code = CLI_OK;

	for (unsigned int nr = 1; !code; nr = MIN(2 * nr, nr_all)) {
		code = copier_add(calibration, "cpu", PROFILE_CPU, nr, calibration->placement);
		if (nr == nr_all)
			break;
	}
	return code ? code : copier_add_l3(calibration);
}

/* The kind of device that the spec names; PROFILE_NR_DEVICES: none. */
static int spec_kind(const char *spec)
{
	int kind = 0;

	while (kind < PROFILE_NR_DEVICES &&
	       (strncmp(spec, device_names[kind], strlen(device_names[kind])) ||
		!strchr(":", spec[strlen(device_names[kind])])))
		kind++;
	return kind;
}

static int copier_add_device(struct calibration *calibration, const char *spec)
{
	int kind = spec_kind(spec);

	return copier_add(calibration, spec,
			  kind == PROFILE_DEVICE_DSA ? PROFILE_DSA : PROFILE_SDXI, 1,
			  calibration->placement);
}

/* Without a device of this kind, notes why. */
static int copier_probe_device(struct calibration *calibration, int kind)
{
	const struct engine_ops *ops = engine_find(device_names[kind], &(const char *){NULL});
	char *why = calibration->no_device[kind];

	snprintf(why, sizeof(calibration->no_device[kind]), "this build has no such engine");
	if (!ops || ops->probe(NULL, why, sizeof(calibration->no_device[kind]))) {
		engine_cut_remedy(why);
		return CLI_OK;
	}
	*why = '\0';
	return copier_add_device(calibration, device_names[kind]);
}

int copying_open(struct calibration *calibration, const char *spec)
{
	int code;

	if (spec && spec_kind(spec) == PROFILE_NR_DEVICES)
		return cli_usage_error("--engine %s: must be an engine of devices, dsa or sdxi; "
				       "the CPU is always measured",
				       spec);
	code = copier_add_cpu(calibration);
	if (!code && spec)
		code = copier_add_device(calibration, spec);
	for (int kind = 0; kind < PROFILE_NR_DEVICES && !code; kind++)
		if (!spec || spec_kind(spec) != kind)
			code = copier_probe_device(calibration, kind);
	return code;
}

/* ---- what is copied ---- */

struct copy_load {
	struct area src, dst;
	size_t folio_bytes;
	bool other_node;
	struct engine_item *folios, *chunks; /* the same bytes in items of two sizes */
};

static struct engine_item *load_items(const struct copy_load *load, size_t item_bytes)
{
	size_t nr = load->src.len_bytes / item_bytes;
	struct engine_item *items = cli_alloc(nr, sizeof(*items));

	for (size_t i = 0; i < nr; i++)
		items[i] = (struct engine_item){
			.src = load->src.base + i * item_bytes,
			.dst = load->dst.base + i * item_bytes,
			.len_bytes = (uint32_t)item_bytes,
		};
	return items;
}

static int load_open(struct copy_load *load, enum profile_size size, const int node[2])
{
	int err;

	*load = (struct copy_load){.folio_bytes = profile_size_bytes(size),
				   .other_node = node[0] != node[1]};
	err = area_open(&load->src, AREA_BYTES, load->folio_bytes, node[0]);
	if (!err)
		err = area_open(&load->dst, AREA_BYTES, load->folio_bytes, node[1]);
	if (err)
		return err;
	area_fill(&load->src, load->folio_bytes);
	load->folios = load_items(load, load->folio_bytes);
	load->chunks = load_items(load, CHUNK_BYTES);
	return 0;
}

static void load_close(struct copy_load *load)
{
	free(load->folios);
	free(load->chunks);
	area_close(&load->src);
	area_close(&load->dst);
}

/* Copies a part of the items. *ns: per byte; 0: a device did not copy all of it. */
static int load_copy_part(struct copier *copier, struct engine_item *items, uint32_t nr,
			  size_t item_bytes, double *ns)
{
	/* As a mover's chunk; several threads share one batch, as those of several lanes would. */
	size_t batch_bytes = copier->nr_threads > 1 ? nr * item_bytes : CHUNK_BYTES;
	uint64_t begin_ns = now_ns();
	long left = engine_run_copy(&copier->run, items, nr, batch_bytes);

	*ns = left ? 0 : (double)(now_ns() - begin_ns) / ((double)nr * (double)item_bytes);
	if (left >= 0)
		return CLI_OK;
	cli_error("a device still writes after 10 s");
	return CLI_FAILED;
}

/* Copies all of it. *ns: of the fastest part. 0 or an exit code. */
static int load_copy(struct copier *copier, const struct copy_load *load, struct engine_item *items,
		     size_t item_bytes, double *ns)
{
	uint32_t nr = (uint32_t)(load->src.len_bytes / item_bytes / NR_PARTS);
	int code = CLI_OK;

	copier->run.folio_bytes = (uint32_t)load->folio_bytes;
	copier->run.other_node = load->other_node;
	*ns = DBL_MAX;
	for (unsigned int part = 0; part < NR_PARTS && !code; part++) {
		double part_ns;

		code = load_copy_part(copier, items + (size_t)part * nr, nr, item_bytes, &part_ns);
		*ns = MIN(*ns, part_ns);
	}
	return code;
}

/* ---- samples ---- */

/*
 * A folio costs a part that does not depend on its size, by which items of folios are slower than
 * larger items of the same memory. For large folios that difference is lost in noise, so that of
 * small folios counts for all.
 */
static void copier_note(struct calibration *calibration, struct copier *copier,
			enum profile_reach reach, enum profile_size size, double chunk_ns,
			double folio_ns)
{
	struct profile_cost *costs = calibration->profile.cost[copier->work][reach];
	bool largest = size == PROFILE_2M || !machine_has_folio_size(HUGE_BYTES);

	if (largest)
		samples_add(&copier->rate[reach], 1 / chunk_ns);
	if (copier->nr_threads > 1)
		return;
	calibration_note(calibration, &costs[size].ns_per_byte, MIN(chunk_ns, folio_ns));
	for (int i = 0; i < PROFILE_NR_SIZES && size == PROFILE_4K; i++)
		calibration_note(calibration, &costs[i].fixed_ns,
				 MAX(folio_ns - chunk_ns, 0.0) * (double)PAGE_BYTES);
}

/* 0 or an exit code. */
static int copier_sample(struct calibration *calibration, struct copier *copier,
			 const struct copy_load *load, enum profile_reach reach,
			 enum profile_size size)
{
	double chunk_ns = 0, folio_ns = 0;
	int code = load_copy(copier, load, load->chunks, CHUNK_BYTES, &chunk_ns);

	if (!code)
		code = load_copy(copier, load, load->folios, load->folio_bytes, &folio_ns);
	if (!code && chunk_ns > 0 && folio_ns > 0)
		copier_note(calibration, copier, reach, size, chunk_ns, folio_ns);
	return code;
}

/* Waits for the one batch of the channel. False: it never ended. */
static bool batch_wait(const struct engine_run *run)
{
	struct engine_batch *done;
	uint64_t end_ns = now_ns() + NS_PER_SEC;

	while (!run->engine->ops->poll(run->channel, NS_PER_MS, &done, 1))
		if (now_ns() > end_ns)
			return false;
	return true;
}

/* What a device needs besides bandwidth. */
static bool device_sample(struct calibration *calibration, struct copier *copier,
			  const struct copy_load *load)
{
	struct profile_device *device =
		&calibration->profile.device[copier->work == PROFILE_DSA ? PROFILE_DEVICE_DSA
									 : PROFILE_DEVICE_SDXI];
	const struct engine_run *run = &copier->run;
	struct engine_item tiny = {.src = load->src.base, .dst = load->dst.base, .len_bytes = 64};
	struct engine_batch batch = {.items = &tiny, .nr_items = 1, .bytes = 64};
	uint64_t begin_ns = now_ns(), cpu_ns;

	if (run->engine->ops->submit(run->channel, &batch) != ENGINE_QUEUED)
		return true;
	if (!batch_wait(run))
		return false;
	if (tiny.state == ENGINE_COPIED)
		calibration_note(calibration, &device->latency_ns, (double)(now_ns() - begin_ns));
	batch = (struct engine_batch){.items = load->folios,
				      .nr_items = SUBMIT_ITEMS,
				      .bytes = SUBMIT_ITEMS * load->folio_bytes};
	cpu_ns = thread_cpu_ns();
	if (run->engine->ops->submit(run->channel, &batch) != ENGINE_QUEUED)
		return true;
	cpu_ns = thread_cpu_ns() - cpu_ns;
	if (!batch_wait(run))
		return false;
	calibration_note(calibration, &device->submit_ns, (double)cpu_ns / SUBMIT_ITEMS);
	/* The engine spreads batches over its devices by itself: they count as one device. */
	calibration_note(calibration, &device->nr, 1);
	calibration_note(calibration, &device->depth,
			 (double)run->engine->depth * MAX(run->engine->batch_items, 1U));
	return true;
}

/* 0 or an exit code. */
static int load_warm_up(struct calibration *calibration, const struct copy_load *load)
{
	double unused;
	int code = CLI_OK;

	for (unsigned int i = 0; i < calibration->nr_copiers && !code; i++)
		for (unsigned int pass = 0; pass < WARM_UP_PASSES && !code; pass++)
			code = load_copy(&calibration->copiers[i], load, load->folios,
					 load->folio_bytes, &unused);
	return code;
}

/* 0 or an exit code. */
static int load_round(struct calibration *calibration, const struct copy_load *load,
		      enum profile_reach reach, enum profile_size size)
{
	int code = CLI_OK;

	for (unsigned int i = 0; i < calibration->nr_copiers && !code; i++) {
		struct copier *copier = &calibration->copiers[i];

		code = copier_sample(calibration, copier, load, reach, size);
		if (code || copier->work == PROFILE_CPU || size != PROFILE_4K)
			continue;
		if (!device_sample(calibration, copier, load)) {
			cli_error("a device has not answered for a second");
			code = CLI_FAILED;
		}
	}
	return code;
}

static int load_measure(struct calibration *calibration, const struct copy_load *load,
			enum profile_reach reach, enum profile_size size)
{
	int code = load_warm_up(calibration, load);

	for (unsigned int round = 0; round < CALIBRATION_ROUNDS && !code; round++)
		code = load_round(calibration, load, reach, size);
	return code;
}

int copying_measure(struct calibration *calibration, enum profile_reach reach,
		    enum profile_size size)
{
	struct copy_load load;
	int node[2], err, code = CLI_OK;

	if (!calibration_nodes(calibration, reach, node))
		return CLI_OK;
	err = load_open(&load, size, node);
	if (err) {
		cli_error("no memory on nodes %d and %d: %s", node[0], node[1], strerror(-err));
		code = CLI_FAILED;
	} else if (size != PROFILE_2M || load.src.kind == FOLIO_THP) {
		code = load_measure(calibration, &load, reach, size);
	}
	load_close(&load);
	return code;
}
