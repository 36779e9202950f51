// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One thread copies chunks of 2 MiB by the CPU, by a device, and by both: how much faster both are
 * than the faster one. Then the device turns ten times slower while they run, and recovers: when it
 * is left, when it is taken back, and what exploring costs meanwhile.
 *
 * The device is one of two, at the rate of the CPU, which is measured before. `time` passes its
 *time and copies nothing, so it leaves CPU and memory bandwidth alone, as no real device does: it
 *shows what the split makes of two equal parts. `model` is dsa:model, whose thread copies by a CPU
 *and through the memory that the CPU part uses, too: it shows what this machine has for two.
 *
 *	engine_split [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "engines/dsa/dsa.h"
#include "engines/split/split.h"
#include "models/dsa/dsa_model.h"
#include "tests/testlib/paced_engine.h"

#define AREA_BYTES   (128UL << 20)
#define CHUNK_BYTES  HUGE_BYTES
#define CHUNK_ITEMS  32
#define ITEM_BYTES   (CHUNK_BYTES / CHUNK_ITEMS)
#define DEPTH        4
#define ROUND_NS     (100 * NS_PER_MS)
#define MAX_ROUNDS   99
#define WINDOW       40 /* chunks in which the device's share is counted */
#define PHASE_MAX_NS (10 * NS_PER_SEC)

static void paced_wait(uint64_t ns)
{
	uint64_t until = now_ns() + ns;

	while (now_ns() < until)
		cpu_relax();
}

static uint8_t *src, *dst;

static void *map_area(void)
{
	uint8_t *at = mmap(NULL, AREA_BYTES + HUGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("engine_split: mmap");
		exit(1);
	}
	at = (uint8_t *)ALIGN_UP((uintptr_t)at, HUGE_BYTES);
	madvise(at, AREA_BYTES, MADV_HUGEPAGE);
	memset(at, 1, AREA_BYTES);
	return at;
}

static struct engine *open_spec(const char *spec)
{
	struct engine *engine;
	char why[512];

	if (engine_open(spec, NULL, &engine, why, sizeof(why))) {
		fprintf(stderr, "engine_split: %s: %s\n", spec, why);
		exit(1);
	}
	return engine;
}

static struct engine_channel *open_channel(struct engine *engine)
{
	struct engine_channel *channel;

	if (engine->ops->channel_open(engine, -1, &channel)) {
		fprintf(stderr, "engine_split: no channel\n");
		exit(1);
	}
	return channel;
}

/* ---- chunks through a channel, as a lane sends them ---- */

struct flow {
	struct engine_channel *channel;
	size_t at;
	unsigned int depth, nr_busy;
	struct chunk {
		struct engine_batch batch;
		struct engine_item items[CHUNK_ITEMS];
		bool busy;
	} chunks[DEPTH];
};

static void flow_open(struct flow *flow, struct engine_channel *channel)
{
	memset(flow, 0, sizeof(*flow));
	flow->channel = channel;
	flow->depth = MIN(channel->engine->depth, (uint32_t)DEPTH);
}

static void chunk_fill(struct flow *flow, struct chunk *chunk)
{
	for (unsigned int i = 0; i < CHUNK_ITEMS; i++)
		chunk->items[i] = (struct engine_item){.dst = dst + flow->at + i * ITEM_BYTES,
						       .src = src + flow->at + i * ITEM_BYTES,
						       .len_bytes = ITEM_BYTES};
	chunk->batch = (struct engine_batch){.items = chunk->items,
					     .nr_items = CHUNK_ITEMS,
					     .bytes = CHUNK_BYTES,
					     .owner = chunk,
					     .nr_threads = 1,
					     .folio_bytes = HUGE_BYTES};
	flow->at = (flow->at + CHUNK_BYTES) % AREA_BYTES;
}

static void flow_collect(struct flow *flow)
{
	struct engine_batch *done[DEPTH];
	uint32_t nr = flow->channel->engine->ops->poll(flow->channel, NS_PER_MS, done, DEPTH);

	for (uint32_t i = 0; i < nr; i++)
		((struct chunk *)done[i]->owner)->busy = false;
	flow->nr_busy -= nr;
}

static void flow_send(struct flow *flow)
{
	struct chunk *chunk = flow->chunks;

	while (flow->nr_busy == flow->depth)
		flow_collect(flow);
	while (chunk->busy)
		chunk++;
	chunk_fill(flow, chunk);
	switch (flow->channel->engine->ops->submit(flow->channel, &chunk->batch)) {
	case ENGINE_QUEUED:
		chunk->busy = true;
		flow->nr_busy++;
		break;
	case ENGINE_DONE:
		break;
	case ENGINE_BUSY:
		fprintf(stderr, "engine_split: busy with %u chunks\n", flow->nr_busy);
		exit(1);
	}
}

/* GB/s of so much time. */
static double flow_rate(struct flow *flow, uint64_t for_ns)
{
	uint64_t start = now_ns(), bytes = 0;

	while (now_ns() - start < for_ns) {
		flow_send(flow);
		bytes += CHUNK_BYTES;
	}
	while (flow->nr_busy)
		flow_collect(flow);
	return (double)bytes / (double)(now_ns() - start);
}

/* ---- the devices ---- */

struct subject {
	const char *name;
	struct engine *device; /* alone */
	struct engine *part;   /* of both */
	struct engine *both;
	void (*set_rate)(struct engine *device, double gb_per_s);
};

static void time_set_rate(struct engine *device, double gb_per_s)
{
	CONTAINER_OF(device, struct paced_engine, engine)->ns_per_byte = 1 / gb_per_s;
}

static void model_set_rate(struct engine *device, double gb_per_s)
{
	dsa_model_set_rate(CONTAINER_OF(device, struct dsa_engine, engine)->model,
			   (uint64_t)(gb_per_s * 1000));
}

static struct engine *new_device(const struct subject *subject)
{
	struct paced_engine *paced;

	if (subject->set_rate == model_set_rate)
		return open_spec("dsa:model,engines=1,timeout_us=10000000");
	paced = paced_new(true, 1);
	paced->time_only = true;
	return &paced->engine;
}

static void subject_open(struct subject *subject)
{
	static const char *const names[] = {"cpu", "dev"};
	struct engine *parts[2];

	subject->device = new_device(subject);
	subject->part = new_device(subject);
	parts[0] = open_spec("cpu:threads=1");
	parts[1] = subject->part;
	if (split_open(parts, names, 2, &subject->both)) {
		fprintf(stderr, "engine_split: out of memory\n");
		exit(1);
	}
}

static void subject_set_rate(const struct subject *subject, double gb_per_s)
{
	subject->set_rate(subject->device, gb_per_s);
	subject->set_rate(subject->part, gb_per_s);
}

/* ---- measurements ---- */

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *values, unsigned int nr)
{
	qsort(values, nr, sizeof(*values), by_value);
	return values[nr / 2];
}

/*
 * The rates of a round are taken in turn, so that noise affects all, and the device gets the rate
 * that the CPU has in that round.
 */
static void measure_speedup(const struct subject *subject, struct flow *cpu, struct flow *device,
			    struct flow *both, unsigned int nr_rounds)
{
	double alone[MAX_ROUNDS], by_device[MAX_ROUNDS], together[MAX_ROUNDS], ratio[MAX_ROUNDS];

	flow_rate(both, ROUND_NS);
	for (unsigned int i = 0; i < nr_rounds; i++) {
		alone[i] = flow_rate(cpu, ROUND_NS);
		subject_set_rate(subject, alone[i]);
		by_device[i] = flow_rate(device, ROUND_NS);
		together[i] = flow_rate(both, ROUND_NS);
		ratio[i] = together[i] / MAX(alone[i], by_device[i]);
	}
	printf("%-6s cpu %5.2f GB/s  device %5.2f  both %5.2f  times the faster one: %.2f\n",
	       subject->name, median(alone, nr_rounds), median(by_device, nr_rounds),
	       median(together, nr_rounds), median(ratio, nr_rounds));
}

static void counter_add_up(void *arg, const char *name, uint64_t value)
{
	if (!strcmp(name, "split.dev.bytes"))
		*(uint64_t *)arg = value;
}

static double window_share(struct flow *both)
{
	struct engine *engine = both->channel->engine;
	uint64_t before = 0, after = 0;

	engine->ops->counters(engine, counter_add_up, &before);
	for (unsigned int i = 0; i < WINDOW; i++)
		flow_send(both);
	engine->ops->counters(engine, counter_add_up, &after);
	return (double)(after - before) / WINDOW / CHUNK_BYTES;
}

/* ms until the device's share is on the other side of the limit; -1: it does not get there. */
static double ms_until(struct flow *both, double limit, bool above)
{
	uint64_t start = now_ns();

	while ((window_share(both) > limit) != above)
		if (now_ns() - start > PHASE_MAX_NS)
			return -1;
	return (double)(now_ns() - start) / NS_PER_MS;
}

static void measure_slowdown(const struct subject *subject, struct flow *cpu, struct flow *both,
			     double gb_per_s)
{
	double used_ms = ms_until(both, 0.3, true), left_ms, back_ms, slow = 0, alone = 0;

	subject_set_rate(subject, gb_per_s / 10);
	left_ms = ms_until(both, 0.02, false);
	for (int i = 0; i < 10; i++) {
		alone += flow_rate(cpu, ROUND_NS) / 10;
		slow += flow_rate(both, ROUND_NS) / 10;
	}
	subject_set_rate(subject, gb_per_s);
	back_ms = ms_until(both, 0.3, true);
	printf("%-6s used after %.0f ms; ten times slower: left after %.0f ms, then %.2f of the "
	       "CPU alone; recovered: taken back after %.0f ms\n",
	       subject->name, used_ms, left_ms, slow / alone, back_ms);
}

static void measure_subject(struct subject *subject, struct flow *cpu, unsigned int nr_rounds)
{
	static struct flow device, both;
	double gb_per_s = flow_rate(cpu, 5 * ROUND_NS);

	subject_open(subject);
	subject_set_rate(subject, gb_per_s);
	flow_open(&device, open_channel(subject->device));
	flow_open(&both, open_channel(subject->both));
	measure_speedup(subject, cpu, &device, &both, nr_rounds);
	measure_slowdown(subject, cpu, &both, gb_per_s);
	while (both.nr_busy)
		flow_collect(&both);
	device.channel->engine->ops->channel_close(device.channel);
	both.channel->engine->ops->channel_close(both.channel);
	engine_close(subject->device);
	engine_close(subject->both);
}

int main(int argc, char **argv)
{
	unsigned int nr_rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 9;
	struct subject subjects[] = {
		{.name = "time", .set_rate = time_set_rate},
		{.name = "model", .set_rate = model_set_rate},
	};
	static struct flow cpu;

	if (nr_rounds < 1 || nr_rounds > MAX_ROUNDS) {
		fprintf(stderr, "engine_split: 1 to %d rounds\n", MAX_ROUNDS);
		return 2;
	}
	src = map_area();
	dst = map_area();
	flow_open(&cpu, open_channel(open_spec("cpu:threads=1")));
	flow_rate(&cpu, ROUND_NS);
	for (unsigned int i = 0; i < ARRAY_SIZE(subjects); i++)
		measure_subject(&subjects[i], &cpu, nr_rounds);
	return 0;
}
