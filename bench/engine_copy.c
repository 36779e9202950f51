// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The CPU engine beside the best plain copy loop, with as many threads, each pinned to a CPU of its
 * own, each with a share of the items, on the same touched memory. Engine and loops take turns
 * within one run. Reports medians and their ratio; only the ratio may be quoted.
 *
 *	engine_copy [ENGINE-PARAMS]
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "copy/kernels.h"
#include "crew/crew.h"
#include "engines/engine.h"

#define AREA_BYTES  (128UL << 20)
#define NR_ROUNDS   9
#define MAX_LOOPS   32
#define MAX_THREADS 64

struct shape {
	const char *name;
	size_t item_bytes;
	size_t batch_bytes;
	unsigned int nr_threads; /* of the plain loop; 0: all CPUs */
	bool scattered;
	bool huge;
};

static const struct shape shapes[] = {
	{"4 KiB scattered, all CPUs", PAGE_BYTES, AREA_BYTES, 0, true, false},
	{"4 KiB scattered, all CPUs, 2 MiB batches", PAGE_BYTES, HUGE_BYTES, 0, true, false},
	{"64 KiB folios, all CPUs", 64UL << 10, AREA_BYTES, 0, true, true},
	{"256 KiB folios, all CPUs", 256UL << 10, AREA_BYTES, 0, true, true},
	{"1 MiB folios, all CPUs", 1UL << 20, AREA_BYTES, 0, true, true},
	{"2 MiB folios, all CPUs", HUGE_BYTES, AREA_BYTES, 0, true, true},
	{"one 2 MiB item at a time, against one thread", HUGE_BYTES, HUGE_BYTES, 1, true, true},
	{"batches of 8 x 4 KiB, against one thread", PAGE_BYTES, 8 * PAGE_BYTES, 1, true, false},
	{"batches of 1 x 4 KiB, against one thread", PAGE_BYTES, PAGE_BYTES, 1, true, false},
};

static char *src, *dst;
static struct engine_item *items;
static size_t nr_items;

static struct {
	pthread_barrier_t barrier;
	unsigned int nr_threads;
	int cpus[MAX_THREADS];
	copy_fn copy; /* NULL: end */
} loop;

static void copy_share(unsigned int thread)
{
	size_t end = nr_items * (thread + 1) / loop.nr_threads;

	for (size_t i = nr_items * thread / loop.nr_threads; i < end; i++)
		loop.copy(items[i].dst, items[i].src, items[i].len_bytes);
}

static void pin_to_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void *loop_main(void *arg)
{
	unsigned int thread = (unsigned int)(uintptr_t)arg;

	pin_to_cpu(loop.cpus[thread]);
	for (;;) {
		pthread_barrier_wait(&loop.barrier);
		if (!loop.copy)
			return NULL;
		copy_share(thread);
		pthread_barrier_wait(&loop.barrier);
	}
}

/* A single thread, the caller, needs no gate. */
static uint64_t time_loop(copy_fn copy, unsigned int nr_threads)
{
	uint64_t start;

	loop.copy = copy;
	start = now_ns();
	if (nr_threads == 1) {
		for (size_t i = 0; i < nr_items; i++)
			copy(items[i].dst, items[i].src, items[i].len_bytes);
	} else {
		pthread_barrier_wait(&loop.barrier);
		pthread_barrier_wait(&loop.barrier);
	}
	return now_ns() - start;
}

static uint64_t time_engine(struct engine_channel *channel, size_t batch_items)
{
	uint64_t start = now_ns();

	for (size_t i = 0; i < nr_items; i += batch_items) {
		struct engine_batch batch = {.items = &items[i],
					     .nr_items = (uint32_t)MIN(batch_items, nr_items - i)};

		batch.bytes = (uint64_t)batch.nr_items * items[i].len_bytes;
		if (channel->engine->ops->submit(channel, &batch) != ENGINE_DONE)
			abort();
	}
	return now_ns() - start;
}

static void shuffle_order(size_t *order, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		order[i] = i;
	for (size_t i = nr - 1; i > 0; i--) {
		size_t j = (size_t)random() % (i + 1);
		size_t other = order[i];

		order[i] = order[j];
		order[j] = other;
	}
}

static void lay_out(const struct shape *shape)
{
	size_t *from, *to;

	nr_items = AREA_BYTES / shape->item_bytes;
	from = calloc(nr_items, sizeof(*from));
	to = calloc(nr_items, sizeof(*to));
	shuffle_order(from, nr_items);
	shuffle_order(to, nr_items);
	for (size_t i = 0; i < nr_items; i++)
		items[i] = (struct engine_item){
			.src = src + from[i] * shape->item_bytes,
			.dst = dst + to[i] * shape->item_bytes,
			.len_bytes = (uint32_t)shape->item_bytes,
		};
	free(from);
	free(to);
}

static char *map_area(bool huge)
{
	char *addr = mmap(NULL, AREA_BYTES + HUGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		return NULL;
	addr = (char *)ALIGN_UP((uintptr_t)addr, HUGE_BYTES);
	madvise(addr, AREA_BYTES, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(addr, huge, AREA_BYTES);
	return addr;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(const double *values)
{
	double sorted[NR_ROUNDS];

	memcpy(sorted, values, sizeof(sorted));
	qsort(sorted, NR_ROUNDS, sizeof(*sorted), by_value);
	return sorted[NR_ROUNDS / 2];
}

/* The rates of one round are milliseconds apart, so that noise affects both. */
static double median_ratio(const double *engine, const double *other)
{
	double ratios[NR_ROUNDS];

	for (unsigned int i = 0; i < NR_ROUNDS; i++)
		ratios[i] = engine[i] / other[i];
	return median(ratios);
}

static double rate_gbs(uint64_t ns)
{
	return (double)AREA_BYTES / (double)ns;
}

static void measure_shape(const struct shape *shape, struct engine_channel *channel)
{
	static double loops[MAX_LOOPS][NR_ROUNDS], engine[NR_ROUNDS];
	unsigned int best = 0, nr_loops = MIN(nr_copy_kernels, MAX_LOOPS);

	lay_out(shape);
	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		for (unsigned int i = 0; i < nr_loops; i++)
			if (copy_kernels[i].usable())
				loops[i][round] = rate_gbs(
					time_loop(copy_kernels[i].copy, shape->nr_threads));
		engine[round] =
			rate_gbs(time_engine(channel, shape->batch_bytes / shape->item_bytes));
	}
	for (unsigned int i = 1; i < nr_loops; i++)
		if (copy_kernels[i].usable() && median(loops[i]) > median(loops[best]))
			best = i;
	printf("%-46s engine %5.1f GB/s  best loop %5.1f (%s)  ratio %.2f\n", shape->name,
	       median(engine), median(loops[best]), copy_kernels[best].name,
	       median_ratio(engine, loops[best]));
}

static void measure_all(struct engine_channel *channel)
{
	for (int huge = 0; huge < 2; huge++) {
		src = map_area(huge);
		dst = map_area(huge);
		if (!src || !dst) {
			fprintf(stderr, "engine_copy: out of memory\n");
			exit(1);
		}
		for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
			if (shapes[i].huge == huge)
				measure_shape(&shapes[i], channel);
		munmap(src, AREA_BYTES);
		munmap(dst, AREA_BYTES);
	}
}

static void start_loops(const struct placement *placement, pthread_t *threads)
{
	loop.nr_threads = MIN(placement->nr_places, (unsigned int)MAX_THREADS);
	pthread_barrier_init(&loop.barrier, NULL, loop.nr_threads + 1);
	for (unsigned int i = 0; i < loop.nr_threads; i++)
		loop.cpus[i] = placement->places[i].cpu;
	for (uintptr_t i = 0; i < loop.nr_threads; i++)
		pthread_create(&threads[i], NULL, loop_main, (void *)i);
}

static void end_loops(pthread_t *threads)
{
	loop.copy = NULL;
	pthread_barrier_wait(&loop.barrier);
	for (unsigned int i = 0; i < loop.nr_threads; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	struct placement *placement;
	struct engine_channel *channel;
	pthread_t threads[MAX_THREADS];
	struct engine_env env = {0};
	struct engine *engine;
	char spec[256], why[256];

	items = calloc(AREA_BYTES / PAGE_BYTES, sizeof(*items));
	if (!items || placement_open(NULL, &placement) || crew_open(placement, 0, &env.crew)) {
		fprintf(stderr, "engine_copy: no crew: %s\n", strerror(errno));
		return 1;
	}
	snprintf(spec, sizeof(spec), "cpu:%s", argc > 1 ? argv[1] : "");
	if (engine_open(spec, &env, &engine, why, sizeof(why)) ||
	    engine->ops->channel_open(engine, -1, &channel)) {
		fprintf(stderr, "engine_copy: %s\n", why);
		return 1;
	}
	start_loops(placement, threads);
	measure_all(channel);
	end_loops(threads);
	engine->ops->channel_close(channel);
	engine_close(engine);
	crew_close(env.crew);
	placement_close(placement);
	free(items);
	return 0;
}
