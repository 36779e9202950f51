// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The cost of the dsa engine: CPU time per 4 KiB descriptor that is prepared, submitted and reaped,
 * on a model that completes at once and copies nothing; beside a CPU copy of 4 KiB.
 *
 *	dsa_path [batch_items]
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "copy/kernels.h"
#include "engines/engine.h"
#include "hw/dsa/desc.h"

#define NR_ROUNDS  20000
#define NR_RUNS    5
#define MAX_ITEMS  1024
#define AREA_BYTES (MAX_ITEMS * PAGE_BYTES)

static struct engine_item items[MAX_ITEMS];
static uint8_t *src, *dst;

static void *map_area(size_t len_bytes)
{
	void *p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* Submits and reaps one batch; the device must have completed every descriptor. */
static void round_trip(struct engine_channel *channel, uint32_t nr_items)
{
	const struct engine_ops *ops = channel->engine->ops;
	struct engine_batch batch = {
		.items = items, .nr_items = nr_items, .bytes = nr_items * PAGE_BYTES};
	struct engine_batch *done;

	if (ops->submit(channel, &batch) != ENGINE_QUEUED) {
		fprintf(stderr, "dsa_path: the engine did not take the batch\n");
		exit(1);
	}
	while (!ops->poll(channel, NS_PER_SEC, &done, 1))
		;
	if (items[0].detail != DSA_COMP_SUCCESS || items[nr_items - 1].detail != DSA_COMP_SUCCESS) {
		fprintf(stderr, "dsa_path: a descriptor was not answered\n");
		exit(1);
	}
}

static double path_ns(struct engine_channel *channel, uint32_t nr_items)
{
	double best = 1e9;

	for (int run = 0; run < NR_RUNS; run++) {
		uint64_t start_ns = thread_cpu_ns();

		for (int i = 0; i < NR_ROUNDS; i++)
			round_trip(channel, nr_items);
		best = MIN(best, (double)(thread_cpu_ns() - start_ns) / NR_ROUNDS / nr_items);
	}
	return best;
}

static double copy_ns(uint32_t nr_items)
{
	const struct copy_kernel *kernel = copy_kernel_best(PAGE_BYTES, 1);
	double best = 1e9;

	for (int run = 0; run < NR_RUNS; run++) {
		uint64_t start_ns = thread_cpu_ns();

		for (int i = 0; i < NR_ROUNDS / 10; i++)
			for (uint32_t n = 0; n < nr_items; n++)
				kernel->copy(items[n].dst, items[n].src, PAGE_BYTES);
		best = MIN(best,
			   (double)(thread_cpu_ns() - start_ns) / (NR_ROUNDS / 10.0) / nr_items);
	}
	return best;
}

int main(int argc, char **argv)
{
	uint32_t nr_items = argc > 1 ? (uint32_t)atoi(argv[1]) : 32;
	struct engine_env env = {0};
	struct engine_channel *channel;
	struct engine *engine;
	char why[256];
	double path, copy;

	if (nr_items < 1 || nr_items > MAX_ITEMS) {
		fprintf(stderr, "dsa_path: 1 to %d items per batch\n", MAX_ITEMS);
		return 2;
	}
	if (engine_open("dsa:model,null", &env, &engine, why, sizeof(why)) ||
	    engine->ops->channel_open(engine, -1, &channel)) {
		fprintf(stderr, "dsa_path: %s\n", why);
		return 1;
	}
	src = map_area(AREA_BYTES);
	dst = map_area(AREA_BYTES);
	for (uint32_t i = 0; i < nr_items; i++)
		items[i] = (struct engine_item){.dst = dst + i * PAGE_BYTES,
						.src = src + i * PAGE_BYTES,
						.len_bytes = PAGE_BYTES};
	path = path_ns(channel, nr_items);
	copy = copy_ns(nr_items);
	printf("batch of %u: %.1f ns per 4 KiB descriptor; copying 4 KiB by CPU: %.1f ns (%s)\n",
	       nr_items, path, copy, copy_kernel_best(PAGE_BYTES, 1)->name);
	printf("CPU seconds per GiB: %.4f by descriptors, %.4f by copying\n",
	       path * (1 << 30) / PAGE_BYTES / 1e9, copy * (1 << 30) / PAGE_BYTES / 1e9);
	engine->ops->channel_close(channel);
	engine_close(engine);
	return 0;
}
