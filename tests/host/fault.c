// SPDX-License-Identifier: LGPL-2.1-or-later
/* The fault engine with a crew: strays that arrive by themselves, and many channels at once. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "tests/testlib/engines.h"

#define NR_WORKERS 3
#define NR_LANES   4
#define NR_BATCHES 100
#define NR_ITEMS   24
#define WAIT_NS    (20 * NS_PER_SEC)

static struct crew *crew;

static void *map_page(int fill)
{
	void *page =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(page, fill, PAGE_BYTES);
	return page;
}

static bool quiet_in_time(struct engine_channel *channel)
{
	uint64_t start = now_ns();

	while (!channel->engine->ops->quiet(channel))
		if (now_ns() - start > WAIT_NS)
			return false;
	return true;
}

static void test_stray_by_itself(void)
{
	struct engine *engine = open_engine("fault:every=1,what=stray,delay_us=1000", crew);
	struct engine_channel *channel = open_channel(engine);
	char *src = map_page(1), *dst = map_page(2);
	struct engine_item item = {.dst = dst, .src = src, .len_bytes = PAGE_BYTES};
	struct engine_batch batch = {.items = &item, .nr_items = 1, .bytes = PAGE_BYTES};
	uint64_t start = now_ns();

	engine->ops->submit(channel, &batch);
	while (*(volatile char *)&dst[PAGE_BYTES - 1] == 2 && now_ns() - start < WAIT_NS)
		cpu_relax();
	tap_ok(item.state == ENGINE_STRAY && dst[PAGE_BYTES - 1] != 2,
	       "a stray write arrives without a call of the engine");
	tap_ok(quiet_in_time(channel), "and then it is quiet");

	engine->ops->submit(channel, &batch);
	munmap(dst, PAGE_BYTES);
	tap_ok(quiet_in_time(channel), "a stray write to memory that is gone is no crash");
	munmap(src, PAGE_BYTES);
	engine->ops->channel_close(channel);
	engine_close(engine);
}

struct lane {
	struct engine_channel *channel;
	uint8_t (*src)[PAGE_BYTES], (*dst)[PAGE_BYTES];
	struct engine_item items[NR_ITEMS];
	unsigned int nr_strays;
	bool good;
};

static bool batch_ends(struct engine_channel *channel, struct engine_batch *batch)
{
	struct engine_batch *done;
	uint64_t start = now_ns();

	for (;;) {
		switch (channel->engine->ops->submit(channel, batch)) {
		case ENGINE_DONE:
			return true;
		case ENGINE_QUEUED:
			while (!channel->engine->ops->poll(channel, NS_PER_MS, &done, 1))
				if (now_ns() - start > WAIT_NS)
					return false;
			return done == batch;
		case ENGINE_BUSY:
			if (now_ns() - start > WAIT_NS)
				return false;
		}
	}
}

static void run_batch(struct lane *lane, unsigned int round)
{
	struct engine_batch batch = {
		.items = lane->items, .nr_items = NR_ITEMS, .bytes = NR_ITEMS * PAGE_BYTES};

	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		memset(lane->src[i], (int)(round + i), PAGE_BYTES);
		lane->items[i] = (struct engine_item){
			.dst = lane->dst[i], .src = lane->src[i], .len_bytes = PAGE_BYTES};
	}
	lane->good &= batch_ends(lane->channel, &batch);
	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		if (lane->items[i].state == ENGINE_COPIED)
			lane->good &= !memcmp(lane->dst[i], lane->src[i], PAGE_BYTES);
		lane->nr_strays += lane->items[i].state == ENGINE_STRAY;
	}
	lane->good &= quiet_in_time(lane->channel);
}

static void *lane_main(void *arg)
{
	struct lane *lane = arg;

	for (unsigned int round = 0; round < NR_BATCHES; round++)
		run_batch(lane, round);
	return NULL;
}

static void test_lanes(void)
{
	struct engine *engine =
		open_engine("fault:every=5,what=mix,delay_us=30,inner=cpu:split=0", crew);
	static struct lane lanes[NR_LANES];
	pthread_t threads[NR_LANES];
	unsigned int nr_strays = 0;
	bool good = true;

	for (unsigned int i = 0; i < NR_LANES; i++) {
		lanes[i].channel = open_channel(engine);
		lanes[i].src = malloc(NR_ITEMS * PAGE_BYTES);
		lanes[i].dst = malloc(NR_ITEMS * PAGE_BYTES);
		lanes[i].good = true;
		pthread_create(&threads[i], NULL, lane_main, &lanes[i]);
	}
	for (unsigned int i = 0; i < NR_LANES; i++) {
		pthread_join(threads[i], NULL);
		good &= lanes[i].good;
		nr_strays += lanes[i].nr_strays;
		engine->ops->channel_close(lanes[i].channel);
		free(lanes[i].src);
		free(lanes[i].dst);
	}
	tap_ok(good && nr_strays, "%d channels, every kind of fault: what is copied is copied",
	       NR_LANES);
	engine_close(engine);
}

int main(void)
{
	tap_plan(4);
	crew = open_crew(NR_WORKERS);
	test_stray_by_itself();
	test_lanes();
	crew_close(crew);
	return tap_done();
}
