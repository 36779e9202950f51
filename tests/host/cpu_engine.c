// SPDX-License-Identifier: LGPL-2.1-or-later
/* The CPU engine copies every byte and no other: alone, shared, from many threads at once. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/futex.h"
#include "base/vault.h"
#include "copy/kernels.h"
#include "tests/testlib/engines.h"
#include "tests/testlib/random.h"

#define AREA_BYTES (4UL << 20)
#define NR_ITEMS   300
#define NR_LANES   4
#define NR_ROUNDS  12

static struct crew *crew;

/* Source and destination have areas of their own, with gaps between items that must not change. */
struct lot {
	uint8_t *src, *dst, *expected;
	struct engine_item items[NR_ITEMS];
	struct engine_batch batch;
	uint64_t random;
};

static uint32_t lot_draw(struct lot *lot, uint32_t below)
{
	return (uint32_t)(next_random(&lot->random) % below);
}

static void lot_open(struct lot *lot, unsigned int seed)
{
	lot->random = seed;
	lot->src = malloc(AREA_BYTES);
	lot->dst = malloc(AREA_BYTES);
	lot->expected = malloc(AREA_BYTES);
	for (size_t i = 0; i < AREA_BYTES; i++)
		lot->src[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + seed);
}

static void lot_close(struct lot *lot)
{
	free(lot->src);
	free(lot->dst);
	free(lot->expected);
}

static void lot_add(struct lot *lot, size_t at, uint32_t len)
{
	lot->items[lot->batch.nr_items++] = (struct engine_item){
		.dst = lot->dst + at, .src = lot->src + at, .len_bytes = len, .detail = 99};
	lot->batch.bytes += len;
	memcpy(lot->expected + at, lot->src + at, len);
}

static void lot_clear(struct lot *lot)
{
	lot->batch = (struct engine_batch){.items = lot->items};
	memset(lot->dst, 0x55, AREA_BYTES);
	memset(lot->expected, 0x55, AREA_BYTES);
}

/* Random sizes, from odd ones to pages and huge pages. */
static void lot_fill(struct lot *lot, uint32_t max_item)
{
	size_t at = 0;

	lot_clear(lot);
	while (lot->batch.nr_items < NR_ITEMS) {
		uint32_t len =
			lot_draw(lot, 3) ? (uint32_t)PAGE_BYTES : 1 + lot_draw(lot, max_item);

		at += lot_draw(lot, 2) ? lot_draw(lot, 100) : ALIGN_UP(at, PAGE_BYTES) - at;
		if (at + len > AREA_BYTES)
			break;
		lot_add(lot, at, len);
		at += len;
	}
}

static bool lot_copied(const struct lot *lot)
{
	for (uint32_t i = 0; i < lot->batch.nr_items; i++)
		if (lot->items[i].state != ENGINE_COPIED || lot->items[i].detail)
			return false;
	return !memcmp(lot->dst, lot->expected, AREA_BYTES);
}

static bool lot_copies(struct engine_channel *channel, struct lot *lot)
{
	return channel->engine->ops->submit(channel, &lot->batch) == ENGINE_DONE && lot_copied(lot);
}

static bool copies_all_shapes(const char *spec, struct crew *with)
{
	static const uint32_t max_items[] = {100, 3 * PAGE_BYTES, 100000, HUGE_BYTES};
	struct engine *engine = open_engine(spec, with);
	struct engine_channel *channel = open_channel(engine);
	struct lot lot;
	bool good = true;

	lot_open(&lot, 1);
	for (size_t i = 0; i < ARRAY_SIZE(max_items); i++) {
		lot_fill(&lot, max_items[i]);
		good &= lot_copies(channel, &lot);
	}
	lot_clear(&lot);
	lot_add(&lot, 4096 + 17, (2U << 20) + 3);
	good &= lot_copies(channel, &lot);
	lot_clear(&lot);
	lot_add(&lot, 5, 1);
	good &= lot_copies(channel, &lot);
	lot_close(&lot);
	engine->ops->channel_close(channel);
	engine_close(engine);
	return good;
}

static void test_shapes(void)
{
	bool good = true;

	tap_ok(copies_all_shapes("cpu", NULL), "without a crew: every byte and no other");
	tap_ok(copies_all_shapes("cpu", crew), "with a crew: every byte and no other");
	tap_ok(copies_all_shapes("cpu:split=0", crew), "however small a batch is shared");
	tap_ok(copies_all_shapes("cpu:threads=1", crew), "a single thread");
	for (unsigned int i = 0; i < nr_copy_kernels; i++) {
		char spec[64];

		if (!copy_kernels[i].usable() || !copy_kernels[i].vault_safe)
			continue;
		snprintf(spec, sizeof(spec), "cpu:kernel=%s,split=1", copy_kernels[i].name);
		good &= copies_all_shapes(spec, crew);
	}
	tap_ok(good, "every kernel that this CPU has");
}

static struct engine *shared_engine;

static void *lane_main(void *arg)
{
	struct engine_channel *channel = open_channel(shared_engine);
	bool good = true;
	struct lot lot;

	lot_open(&lot, 1 + (unsigned int)(uintptr_t)arg);
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		lot_fill(&lot, 1U << (10 + i % 12));
		good &= lot_copies(channel, &lot);
	}
	lot_close(&lot);
	shared_engine->ops->channel_close(channel);
	return (void *)(uintptr_t)good;
}

static void test_lanes(void)
{
	pthread_t threads[NR_LANES];
	bool good = true;
	void *result;

	shared_engine = open_engine("cpu:split=8192", crew);
	for (uintptr_t i = 0; i < NR_LANES; i++)
		pthread_create(&threads[i], NULL, lane_main, (void *)i);
	for (unsigned int i = 0; i < NR_LANES; i++) {
		pthread_join(threads[i], &result);
		good &= result != NULL;
	}
	tap_ok(good, "%d channels at once", NR_LANES);
	engine_close(shared_engine);
}

/* Workers of the crew as lanes: idle workers help them, and they never wait for help. */
struct lanes {
	struct crew_task task;
	atomic_uint nr_bad;
};

static bool lanes_work(struct crew_task *task, unsigned int worker)
{
	struct lanes *lanes = CONTAINER_OF(task, struct lanes, task);

	if (!lane_main((void *)(uintptr_t)worker))
		atomic_fetch_add(&lanes->nr_bad, 1);
	return false;
}

static void test_workers_as_lanes(void)
{
	struct lanes lanes = {.task = {.work = lanes_work, .nr_wanted = 2}};

	shared_engine = open_engine("cpu:split=8192", crew);
	crew_post(crew, &lanes.task);
	crew_wait(crew, &lanes.task, FUTEX_FOREVER);
	tap_ok(!atomic_load(&lanes.nr_bad), "workers of the crew submit themselves");
	engine_close(shared_engine);
}

struct counted {
	uint64_t alone, shared, bytes;
};

static void note_counter(void *arg, const char *name, uint64_t value)
{
	struct counted *counted = arg;

	if (!strcmp(name, "batches.alone"))
		counted->alone = value;
	else if (!strcmp(name, "batches.shared"))
		counted->shared = value;
	else if (!strcmp(name, "bytes"))
		counted->bytes = value;
}

static void test_counters(void)
{
	struct engine *engine = open_engine("cpu:split=65536", crew);
	struct engine_channel *channel = open_channel(engine);
	struct counted counted = {0};
	struct lot lot;

	lot_open(&lot, 1);
	lot_clear(&lot);
	lot_add(&lot, 0, 65535);
	lot_copies(channel, &lot);
	lot_clear(&lot);
	lot_add(&lot, 0, 65536);
	lot_copies(channel, &lot);
	engine->ops->counters(engine, note_counter, &counted);
	tap_ok(counted.alone == 1 && counted.shared == 1 && counted.bytes == 131071,
	       "counters: one batch alone, one shared, their bytes");
	lot_close(&lot);
	engine->ops->channel_close(channel);
	engine_close(engine);
}

static void test_alone_wish(void)
{
	struct engine *engine = open_engine("cpu:split=0", crew);
	struct engine_channel *channel = open_channel(engine);
	struct counted counted = {0};
	struct lot lot;
	bool good;

	lot_open(&lot, 3);
	lot_fill(&lot, 100000);
	lot.batch.nr_threads = 1;
	good = lot_copies(channel, &lot);
	engine->ops->counters(engine, note_counter, &counted);
	tap_ok(good && counted.alone == 1 && !counted.shared,
	       "a batch that asks for it is copied by its thread alone");
	lot_close(&lot);
	engine->ops->channel_close(channel);
	engine_close(engine);
}

#define NR_HELD 5

static bool lot_is_untouched(const struct lot *lot)
{
	for (size_t i = 0; i < AREA_BYTES; i++)
		if (lot->dst[i] != 0x55)
			return false;
	return true;
}

static uint32_t poll_some(struct engine_channel *channel, struct engine_batch **done, uint32_t max)
{
	return channel->engine->ops->poll(channel, 0, done, max);
}

/* Batches marked `more` are held back, then copied together; poll may return them in portions. */
static void test_held(const char *spec, uint32_t nr_threads)
{
	struct engine *engine = open_engine(spec, crew);
	struct engine_channel *channel = open_channel(engine);
	struct engine_batch *done[NR_HELD];
	struct lot lots[NR_HELD];
	uint32_t nr = 0;
	bool good = true;

	for (unsigned int i = 0; i < NR_HELD; i++) {
		lot_open(&lots[i], 1 + 7 * i);
		lot_fill(&lots[i], i == 2 ? 4096 : 123457 + i);
		lots[i].batch.more = true;
		lots[i].batch.nr_threads = nr_threads;
		good &= engine->ops->submit(channel, &lots[i].batch) == ENGINE_QUEUED;
	}
	for (unsigned int i = 0; i < NR_HELD; i++)
		good &= lot_is_untouched(&lots[i]);
	tap_ok(good, "%s, %u threads: batches that more follow are held back", spec, nr_threads);
	for (uint32_t got; nr < NR_HELD && (got = poll_some(channel, done + nr, 2)) > 0; nr += got)
		good &= got <= 2;
	good &= nr == NR_HELD && !poll_some(channel, done, 1);
	for (unsigned int i = 0; i < nr; i++) {
		good &= done[i] == &lots[i].batch;
		good &= lot_copied(&lots[i]);
	}
	tap_ok(good, "%s, %u threads: poll copies them and hands out each once", spec, nr_threads);
	for (unsigned int i = 0; i < NR_HELD; i++)
		lot_close(&lots[i]);
	engine->ops->channel_close(channel);
	engine_close(engine);
}

/* A batch without room is copied at once: submit never refuses it. */
static void test_held_too_many(void)
{
	struct engine *engine = open_engine("cpu", crew);
	struct engine_channel *channel = open_channel(engine);
	struct engine_batch *done[64];
	struct lot lots[40];
	uint32_t nr_queued = 0;
	bool good = true;

	for (unsigned int i = 0; i < ARRAY_SIZE(lots); i++) {
		lot_open(&lots[i], 1);
		lot_fill(&lots[i], 5000);
		lots[i].batch.more = true;
		if (engine->ops->submit(channel, &lots[i].batch) == ENGINE_QUEUED)
			nr_queued++;
		else
			good &= lot_copied(&lots[i]);
	}
	good &= nr_queued == engine->hold && poll_some(channel, done, 64) == nr_queued;
	for (unsigned int i = 0; i < ARRAY_SIZE(lots); i++) {
		good &= lot_copied(&lots[i]);
		lot_close(&lots[i]);
	}
	tap_ok(good, "no more are held than the engine says, and none is lost");
	engine->ops->channel_close(channel);
	engine_close(engine);
}

static void test_params(void)
{
	static const char *const bad[] = {
		"kernel=warp", "kernel=libc", "threads=0", "threads=",       "threads=4x",
		"threads",     "split=-1",    "speed=9",   "threads=2,pace", "kernel"};
	struct engine *engine;
	bool good = true;
	char why[256];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char spec[64];

		snprintf(spec, sizeof(spec), "cpu:%s", bad[i]);
		why[0] = '\0';
		if (engine_open(spec, NULL, &engine, why, sizeof(why)) != -EINVAL ||
		    strncmp(why, "engine cpu: ", 12)) {
			tap_note("%s: %s", spec, why);
			good = false;
		}
	}
	tap_ok(good, "bad parameters are named");
}

int main(void)
{
	tap_plan(17);
	crew = open_crew(NR_LANES);
	test_params();
	test_shapes();
	test_counters();
	test_lanes();
	test_workers_as_lanes();
	test_alone_wish();
	test_held("cpu", 0);
	test_held("cpu:split=0", 1);
	test_held("cpu:split=0", 2);
	test_held_too_many();
	crew_close(crew);
	return tap_done();
}
