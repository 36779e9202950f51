// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The sdxi engine on its model with every fault: several threads with a channel each keep random
 * batches in flight. Every item must be what its state says, byte by byte; nothing may hang; the
 * model must find no breach.
 *
 * FERRY_TEST_DESCRIPTORS=N items per case (default 60000), FERRY_TEST_SEED=N.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engines/engine.h"
#include "models/model.h"
#include "tests/testlib/settings.h"
#include "tests/testlib/tap.h"

#define NR_THREADS   3
#define NR_BATCHES   4
#define MAX_ITEMS    48
#define MAX_LEN      8192
#define SLOT_BYTES   (MAX_LEN + 64) /* a guard after every destination */
#define SOURCE_BYTES (256UL << 10)
#define UNTOUCHED    0xee

struct flight {
	struct engine_batch batch;
	struct engine_item items[MAX_ITEMS];
	uint8_t dst[MAX_ITEMS][SLOT_BYTES];
	bool in_flight;
};

struct worker {
	pthread_t thread;
	struct engine *engine;
	struct model_prng prng;
	const uint8_t *source;
	struct flight *flights;
	uint64_t nr_items, nr_states[ENGINE_STRAY + 1], nr_wrong;
};

static uint8_t source[SOURCE_BYTES];

static bool all_untouched(const uint8_t *bytes, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++)
		if (bytes[i] != UNTOUCHED)
			return false;
	return true;
}

static void flight_prepare(struct worker *worker, struct flight *flight)
{
	uint32_t nr = 1 + (uint32_t)model_below(&worker->prng, MAX_ITEMS);

	flight->batch = (struct engine_batch){.items = flight->items, .nr_items = nr};
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t len = 1 + (uint32_t)model_below(&worker->prng, MAX_LEN);

		memset(flight->dst[i], UNTOUCHED, SLOT_BYTES);
		flight->items[i] = (struct engine_item){
			.dst = flight->dst[i],
			.src = worker->source + model_below(&worker->prng, SOURCE_BYTES - len),
			.len_bytes = len,
		};
		flight->batch.bytes += len;
	}
}

/* As the caller of an engine: the CPU copies what was not copied. */
static void check_item(struct worker *worker, struct engine_item *item)
{
	uint8_t *dst = item->dst;
	bool ok = all_untouched(dst + item->len_bytes, SLOT_BYTES - item->len_bytes);

	if (item->state == ENGINE_COPIED)
		ok = ok && !memcmp(dst, item->src, item->len_bytes);
	else if (item->state == ENGINE_NOT_ATTEMPTED)
		ok = ok && all_untouched(dst, item->len_bytes);
	else
		memcpy(dst, item->src, item->len_bytes);
	if (item->state > ENGINE_STRAY)
		ok = false;
	else
		worker->nr_states[item->state]++;
	worker->nr_wrong += !ok;
	worker->nr_items++;
}

static void flight_finish(struct worker *worker, struct engine_channel *channel,
			  struct flight *flight)
{
	bool stray = false;

	for (uint32_t i = 0; i < flight->batch.nr_items; i++)
		stray |= flight->items[i].state == ENGINE_STRAY;
	while (stray && !worker->engine->ops->quiet(channel))
		usleep(500);
	for (uint32_t i = 0; i < flight->batch.nr_items; i++)
		check_item(worker, &flight->items[i]);
	flight->in_flight = false;
}

static void worker_collect(struct worker *worker, struct engine_channel *channel, uint64_t wait_ns)
{
	struct engine_batch *done[NR_BATCHES];
	uint32_t nr = worker->engine->ops->poll(channel, wait_ns, done, NR_BATCHES);

	for (uint32_t i = 0; i < nr; i++)
		flight_finish(worker, channel, CONTAINER_OF(done[i], struct flight, batch));
}

static void worker_launch(struct worker *worker, struct engine_channel *channel,
			  struct flight *flight)
{
	enum engine_verdict verdict;

	flight_prepare(worker, flight);
	while ((verdict = worker->engine->ops->submit(channel, &flight->batch)) == ENGINE_BUSY)
		worker_collect(worker, channel, NS_PER_MS);
	flight->in_flight = true;
	if (verdict == ENGINE_DONE)
		flight_finish(worker, channel, flight);
}

static bool any_in_flight(const struct worker *worker)
{
	for (unsigned int i = 0; i < NR_BATCHES; i++)
		if (worker->flights[i].in_flight)
			return true;
	return false;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	uint64_t wanted = worker->nr_items;
	struct engine_channel *channel;

	worker->nr_items = 0;
	if (worker->engine->ops->channel_open(worker->engine, -1, &channel)) {
		worker->nr_wrong++;
		return NULL;
	}
	while (worker->nr_items < wanted) {
		for (unsigned int i = 0; i < NR_BATCHES; i++)
			if (!worker->flights[i].in_flight)
				worker_launch(worker, channel, &worker->flights[i]);
		worker_collect(worker, channel, NS_PER_MS);
	}
	while (any_in_flight(worker))
		worker_collect(worker, channel, NS_PER_MS);
	worker->engine->ops->channel_close(channel);
	return NULL;
}

struct tally {
	uint64_t breaches, fallbacks;
	unsigned int nr_faults_seen;
};

static void note_counter(void *arg, const char *name, uint64_t value)
{
	struct tally *tally = arg;

	tap_note("  %s %llu", name, (unsigned long long)value);
	if (!strcmp(name, "model.breaches"))
		tally->breaches = value;
	if (!strncmp(name, "fallback.", 9) && !strstr(name, ".bytes"))
		tally->fallbacks += value;
	if (!strncmp(name, "model.fault.", 12))
		tally->nr_faults_seen += value > 0;
}

static void run_case(const char *spec, uint64_t seed, uint64_t nr_items, unsigned int nr_kinds)
{
	struct worker workers[NR_THREADS] = {0};
	const struct engine_env env = {0};
	struct tally tally = {0};
	uint64_t nr_wrong = 0, states[ENGINE_STRAY + 1] = {0};
	struct engine *engine;
	char why[256];

	if (engine_open(spec, &env, &engine, why, sizeof(why))) {
		tap_ok(false, "%s: %s", spec, why);
		return;
	}
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		workers[i] = (struct worker){
			.engine = engine,
			.prng = model_prng_for(seed, i),
			.source = source,
			.flights = calloc(NR_BATCHES, sizeof(struct flight)),
			.nr_items = nr_items / NR_THREADS,
		};
		pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]);
	}
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		free(workers[i].flights);
		nr_wrong += workers[i].nr_wrong;
		for (unsigned int s = 0; s <= ENGINE_STRAY; s++)
			states[s] += workers[i].nr_states[s];
	}
	tap_note("%s", spec);
	engine->ops->counters(engine, note_counter, &tally);
	engine_close(engine);
	tap_ok(!nr_wrong && !tally.breaches && states[ENGINE_COPIED] &&
		       tally.nr_faults_seen >= nr_kinds &&
		       tally.fallbacks == states[ENGINE_NOT_ATTEMPTED] + states[ENGINE_ERROR] +
						  states[ENGINE_STRAY],
	       "seed %llu: %llu copied, %llu not attempted, %llu errors, %llu strays, %llu wrong, "
	       "%llu breaches",
	       (unsigned long long)seed, (unsigned long long)states[ENGINE_COPIED],
	       (unsigned long long)states[ENGINE_NOT_ATTEMPTED],
	       (unsigned long long)states[ENGINE_ERROR], (unsigned long long)states[ENGINE_STRAY],
	       (unsigned long long)nr_wrong, (unsigned long long)tally.breaches);
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

#define FAULTS "faults=error:5000+stop:500+lost:200+hang:200+stray:200+delay:5000"

int main(void)
{
	uint64_t nr_items = env_number("SDXI_DESCRIPTORS", 60000);
	uint64_t seed = env_number("SDXI_SEED", 1);
	struct model_prng prng = model_prng_for(seed, 1000);
	char spec[512];

	tap_plan(4);
	for (size_t i = 0; i < SOURCE_BYTES; i++)
		source[i] = (uint8_t)model_random(&prng);
	snprintf(spec, sizeof(spec), "sdxi:model,engines=3,seed=%llu", (unsigned long long)seed);
	run_case(spec, seed, nr_items, 0);
	for (unsigned int engines = 1; engines <= 3; engines += 2) {
		snprintf(spec, sizeof(spec),
			 "sdxi:model,engines=%u,seed=%llu,timeout_ms=10," FAULTS, engines,
			 (unsigned long long)seed + engines);
		run_case(spec, seed + engines, nr_items, nr_items >= 60000 ? 6 : 0);
	}
	snprintf(spec, sizeof(spec),
		 "sdxi:model,inline,seed=%llu,timeout_ms=5,"
		 "faults=error:5000+stop:500+lost:300+hang:300",
		 (unsigned long long)seed + 7);
	run_case(spec, seed + 7, nr_items, nr_items >= 60000 ? 4 : 0);
	return tap_done();
}
