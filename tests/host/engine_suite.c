// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The rules of engines/engine.h, for every engine: the same cases on all of them, whatever copies.
 * An engine that injects faults may leave items undone, but the state of each must be true.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "engines/skeleton/skeleton.c"
#include "tests/testlib/engines.h"

#define AREA_BYTES  (8UL << 20)
#define MAX_ITEMS   1500
#define MAX_BATCHES 80
#define NR_THREADS  4
#define NR_WORKERS  3
#define WAIT_NS     (30 * NS_PER_SEC)
#define UNTOUCHED   0x5a

struct subject {
	const char *spec;
	const struct engine_ops *ops; /* NULL: open by spec; else the spec is only its parameters */
	const char *bad;              /* the spec with a parameter that it does not know */
	bool faulty;                  /* may leave items undone */
};

/* Under sanitizers a model may take seconds. */
#define DSA  "dsa:model,timeout_us=20000000"
#define SDXI "sdxi:model,timeout_ms=20000"

static const struct subject subjects[] = {
	{"cpu", NULL, "cpu:no_such=1", false},
	{"cpu:threads=1", NULL, "cpu:threads=1,no_such=1", false},
	{DSA, NULL, "dsa:model,no_such=1", false},
	{DSA ",devices=3,mode=dedicated", NULL, "dsa:no_such=1", false},
	{DSA ",mode=write", NULL, "dsa:model,no_such", false},
	{DSA ",verify=crc", NULL, "dsa:model,verify=no_such", false},
	{DSA ",faults=page+list+retry,seed=3", NULL, "dsa:model,faults=no_such", true},
	{SDXI, NULL, "sdxi:model,no_such=1", false},
	{SDXI ",inline", NULL, "sdxi:no_such", false},
	{SDXI ",faults=error,seed=3", NULL, "sdxi:model,faults=no_such", true},
	{"fault:every=3,what=delay,inner=cpu", NULL, "fault:no_such=1", false},
	{"fault:every=3,what=busy,inner=" DSA, NULL, "fault:what=no_such", false},
	{"fault:every=5,what=mix,inner=" SDXI, NULL, "fault:inner=no_such", true},
	{"cpu+" DSA, NULL, "cpu+dsa:model,no_such=1", false},
	{"cpu+" DSA ",devices=2+" SDXI, NULL, "cpu:no_such=1+dsa:model", false},
	{DSA "+" SDXI, NULL, "dsa:model+no_such", false},
	{"cpu+" DSA ",faults=page+list+retry,seed=3", NULL, "cpu+no_such:model", true},
	{"fault:every=3,what=mix,inner=cpu+" DSA, NULL, "fault:inner=cpu+no_such:x", true},
	{"cpu+fault:every=5,what=mix,inner=" DSA, NULL, "cpu+fault:inner=no_such", true},
	{"fault:every=7,what=mix,inner=(cpu+" DSA ")", NULL, "fault:inner=(cpu+no_such)", true},
	{"depth=3", &skeleton_engine_ops, "no_such=1", false},
};

static struct crew *crew;

/* ---- memory and batches ------------------------------------------------------------------- */

/* Items with gaps between their destinations. Everything outside the items stays UNTOUCHED. */
struct lot {
	uint8_t *src, *dst;
	struct engine_item items[MAX_ITEMS];
	uint32_t nr_items;
	size_t end;
	unsigned int random;
};

static void *map_area(void)
{
	void *area =
		mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		exit(1);
	return area;
}

static struct lot *lot_open(unsigned int seed)
{
	struct lot *lot = calloc(1, sizeof(*lot));

	if (!lot)
		exit(1);
	lot->src = map_area();
	lot->dst = map_area();
	lot->random = seed;
	for (size_t i = 0; i < AREA_BYTES; i++)
		lot->src[i] = (uint8_t)(i * 31 + (i >> 9) * 7 + seed);
	memset(lot->dst, UNTOUCHED, AREA_BYTES);
	return lot;
}

static void lot_close(struct lot *lot)
{
	munmap(lot->src, AREA_BYTES);
	munmap(lot->dst, AREA_BYTES);
	free(lot);
}

static uint32_t lot_draw(struct lot *lot, uint32_t below)
{
	lot->random = lot->random * 1103515245 + 12345;
	return (lot->random >> 8) % below;
}

static void lot_clear(struct lot *lot)
{
	memset(lot->dst, UNTOUCHED, lot->end);
	lot->nr_items = 0;
	lot->end = 0;
}

/* False if it does not fit. */
static bool lot_add(struct lot *lot, uint32_t len_bytes, uint32_t src_offset, uint32_t dst_offset)
{
	size_t at = ALIGN_UP(lot->end, (size_t)CACHELINE);

	if (lot->nr_items == MAX_ITEMS || at + len_bytes + 4 * CACHELINE > AREA_BYTES)
		return false;
	lot->items[lot->nr_items++] = (struct engine_item){
		.dst = lot->dst + at + dst_offset,
		.src = lot->src + at + src_offset,
		.len_bytes = len_bytes,
		.detail = 99,
	};
	lot->end = at + len_bytes + 3 * CACHELINE;
	return true;
}

static struct engine_batch lot_batch(struct lot *lot, uint32_t first, uint32_t nr_items)
{
	struct engine_batch batch = {.items = &lot->items[first], .nr_items = nr_items};

	for (uint32_t i = 0; i < nr_items; i++)
		batch.bytes += batch.items[i].len_bytes;
	return batch;
}

static bool all_untouched(const uint8_t *from, const uint8_t *to)
{
	while (from < to)
		if (*from++ != UNTOUCHED)
			return false;
	return true;
}

/* Every item is what its state says, and nothing around the items has changed. */
static bool lot_is_true(const struct lot *lot, bool faulty)
{
	const uint8_t *at = lot->dst;

	for (uint32_t i = 0; i < lot->nr_items; i++) {
		const struct engine_item *item = &lot->items[i];
		const uint8_t *dst = item->dst;

		if (!all_untouched(at, dst) || (!faulty && item->state != ENGINE_COPIED))
			return false;
		at = dst + item->len_bytes;
		if (item->state == ENGINE_COPIED && memcmp(dst, item->src, item->len_bytes))
			return false;
		if (item->state == ENGINE_NOT_ATTEMPTED && !all_untouched(dst, at))
			return false;
	}
	return all_untouched(at, lot->dst + lot->end);
}

/* ---- engines ------------------------------------------------------------------------------ */

static int subject_open(const struct subject *subject, const char *spec, struct engine **out,
			char *why, size_t why_bytes)
{
	struct engine_env env = {.crew = crew};

	why[0] = '\0';
	return subject->ops ? subject->ops->open(&env, spec, out, why, why_bytes)
			    : engine_open(spec, &env, out, why, why_bytes);
}

static struct engine *open_subject(const struct subject *subject)
{
	struct engine *engine;
	char why[1024];

	if (subject_open(subject, subject->spec, &engine, why, sizeof(why))) {
		tap_note("%s: %s", subject->spec, why);
		exit(1);
	}
	return engine;
}

static uint32_t poll_in_time(struct engine_channel *channel, struct engine_batch **done,
			     uint32_t max)
{
	uint64_t start_ns = now_ns();
	uint32_t nr;

	while (!(nr = channel->engine->ops->poll(channel, NS_PER_MS, done, max)))
		if (now_ns() - start_ns > WAIT_NS)
			return 0;
	return nr;
}

/* With nothing else in flight: false if the batch does not end in time. */
static bool run_batch(struct engine_channel *channel, struct engine_batch *batch)
{
	uint64_t start_ns = now_ns();
	struct engine_batch *done;

	while (now_ns() - start_ns < WAIT_NS) {
		switch (channel->engine->ops->submit(channel, batch)) {
		case ENGINE_DONE:
			return true;
		case ENGINE_QUEUED:
			return poll_in_time(channel, &done, 1) == 1 && done == batch;
		case ENGINE_BUSY:
			break;
		}
	}
	return false;
}

static bool wait_until_quiet(struct engine_channel *channel)
{
	bool (*quiet)(struct engine_channel *) = channel->engine->ops->quiet;
	uint64_t start_ns = now_ns();

	while (quiet && !quiet(channel))
		if (now_ns() - start_ns > WAIT_NS)
			return false;
	return true;
}

/* The whole lot as one batch. */
static bool lot_runs(struct lot *lot, struct engine_channel *channel, bool faulty)
{
	struct engine_batch batch = lot_batch(lot, 0, lot->nr_items);

	return run_batch(channel, &batch) && wait_until_quiet(channel) && lot_is_true(lot, faulty);
}

/* ---- cases -------------------------------------------------------------------------------- */

static bool describes_itself(const struct subject *subject __maybe_unused, struct engine *engine)
{
	const struct engine_ops *ops = engine->ops;

	return ops->abi == ENGINE_ABI && ops->size == sizeof(*ops) && ops->name && *ops->name &&
	       ops->summary && *ops->summary && engine->depth && engine->batch_items &&
	       ops->submit && (ops->poll || engine->depth == 1);
}

static bool refuses_bad_parameters(const struct subject *subject,
				   struct engine *engine __maybe_unused)
{
	struct engine *none = NULL;
	char why[1024];

	return subject_open(subject, subject->bad, &none, why, sizeof(why)) < 0 &&
	       strstr(why, "no_such") && !strchr(why, '\n') && !none;
}

static bool close_accepts_null(const struct subject *subject __maybe_unused, struct engine *engine)
{
	engine->ops->channel_close(NULL);
	engine->ops->close(NULL);
	return true;
}

static bool copies_all_sizes(const struct subject *subject, struct engine *engine)
{
	static const uint32_t sizes[] = {1,    2,    3,    7,    8,     63,        64,
					 65,   127,  511,  512,  513,   4095,      4096,
					 4097, 8191, 8192, 8193, 65537, HUGE_BYTES};
	static const uint32_t offsets[][2] = {{0, 0}, {0, 1}, {1, 0}, {3, 3}, {5, 59}, {63, 63}};
	struct engine_channel *channel = open_channel(engine);
	struct lot *lot = lot_open(1);
	bool good = true;

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (size_t o = 0; o < ARRAY_SIZE(offsets); o++) {
			lot_clear(lot);
			lot_add(lot, sizes[s], offsets[o][0], offsets[o][1]);
			good &= lot_runs(lot, channel, subject->faulty);
		}
	}
	lot_close(lot);
	engine->ops->channel_close(channel);
	return good;
}

static void lot_fill(struct lot *lot, uint32_t nr_items)
{
	lot_clear(lot);
	while (lot->nr_items < nr_items)
		if (!lot_add(lot, lot_draw(lot, 2) ? PAGE_BYTES : 1 + lot_draw(lot, 5000),
			     lot_draw(lot, 64), lot_draw(lot, 64)))
			break;
}

static bool copies_batches(const struct subject *subject, struct engine *engine)
{
	const uint32_t sizes[] = {1, 2, 5, engine->batch_items, engine->batch_items + 1, MAX_ITEMS};
	struct engine_channel *channel = open_channel(engine);
	struct lot *lot = lot_open(2);
	bool good = true;

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		lot_fill(lot, sizes[s]);
		good &= lot_runs(lot, channel, subject->faulty);
	}
	lot_close(lot);
	engine->ops->channel_close(channel);
	return good;
}

static bool copies_contiguous_items(const struct subject *subject, struct engine *engine)
{
	struct engine_channel *channel = open_channel(engine);
	struct lot *lot = lot_open(3);
	bool good;

	for (uint32_t i = 0; i < 64; i++)
		lot->items[i] = (struct engine_item){.dst = lot->dst + i * PAGE_BYTES,
						     .src = lot->src + i * PAGE_BYTES,
						     .len_bytes = PAGE_BYTES};
	lot->nr_items = 64;
	lot->end = 65 * PAGE_BYTES;
	good = lot_runs(lot, channel, subject->faulty);
	lot_close(lot);
	engine->ops->channel_close(channel);
	return good;
}

static bool ends_empty_batches(const struct subject *subject __maybe_unused, struct engine *engine)
{
	struct engine_channel *channel = open_channel(engine);
	struct engine_batch batch = {0};
	bool good = run_batch(channel, &batch);

	engine->ops->channel_close(channel);
	return good;
}

static bool polls_nothing_at_once(const struct subject *subject __maybe_unused,
				  struct engine *engine)
{
	struct engine_channel *channel = open_channel(engine);
	uint64_t start_ns = now_ns();
	struct engine_batch *done;
	bool good = !engine->ops->poll || !engine->ops->poll(channel, WAIT_NS, &done, 1);

	good &= now_ns() - start_ns < WAIT_NS / 2;
	engine->ops->channel_close(channel);
	return good;
}

/* Batches in flight: accepted until BUSY, returned once each, never more than asked for. */
struct flights {
	struct engine_batch batches[MAX_BATCHES];
	uint32_t nr_queued, nr_submitted;
	bool returned[MAX_BATCHES];
	bool good;
};

static void flights_poll(struct flights *f, struct engine_channel *channel, uint32_t max)
{
	struct engine_batch *done[MAX_BATCHES];
	uint32_t nr = poll_in_time(channel, done, max);

	f->good &= nr >= 1 && nr <= max;
	for (uint32_t i = 0; i < nr; i++) {
		size_t at = (size_t)(done[i] - f->batches);

		f->good &= at < MAX_BATCHES && !f->returned[at];
		if (at < MAX_BATCHES)
			f->returned[at] = true;
		f->nr_queued--;
	}
}

static void flights_submit(struct flights *f, struct engine_channel *channel)
{
	struct engine_batch *batch = &f->batches[f->nr_submitted];

	for (;;) {
		switch (channel->engine->ops->submit(channel, batch)) {
		case ENGINE_QUEUED:
			f->nr_queued++;
			f->nr_submitted++;
			return;
		case ENGINE_DONE:
			f->returned[f->nr_submitted++] = true;
			return;
		case ENGINE_BUSY:
			for (uint32_t i = 0; i < batch->nr_items; i++)
				f->good &= batch->items[i].detail == 99;
			if (f->nr_queued)
				flights_poll(f, channel, 3);
		}
		if (!f->good)
			return;
	}
}

static bool flies(const struct subject *subject, struct engine *engine, bool more)
{
	struct engine_channel *channel = open_channel(engine);
	struct lot *lot = lot_open(4);
	struct flights f = {.good = true};
	bool good;

	lot_fill(lot, MAX_BATCHES * 10);
	for (uint32_t i = 0; i < MAX_BATCHES; i++) {
		f.batches[i] = lot_batch(lot, i * 10, 10);
		f.batches[i].more = more;
	}
	while (f.good && f.nr_submitted < MAX_BATCHES)
		flights_submit(&f, channel);
	while (f.good && f.nr_queued)
		flights_poll(&f, channel, 1 + f.nr_queued % 4);
	for (uint32_t i = 0; i < MAX_BATCHES; i++)
		f.good &= f.returned[i];
	good = f.good && wait_until_quiet(channel) && lot_is_true(lot, subject->faulty);
	lot_close(lot);
	engine->ops->channel_close(channel);
	return good;
}

static bool returns_every_batch_once(const struct subject *subject, struct engine *engine)
{
	return flies(subject, engine, false);
}

static bool holds_batches_that_more_follow(const struct subject *subject, struct engine *engine)
{
	return flies(subject, engine, true);
}

static bool channels_come_and_go(const struct subject *subject __maybe_unused,
				 struct engine *engine)
{
	struct engine_channel *channel, *other;
	bool good = true;

	for (int node = -1; node < 200 && good; node++) {
		good = !engine->ops->channel_open(engine, node % 3, &channel) &&
		       !engine->ops->channel_open(engine, -1, &other) &&
		       channel->engine == engine && wait_until_quiet(channel);
		if (good) {
			engine->ops->channel_close(channel);
			engine->ops->channel_close(other);
		}
	}
	return good;
}

struct worker {
	pthread_t thread;
	const struct subject *subject;
	struct engine *engine;
	unsigned int seed;
	bool good;
};

static void *worker_main(void *arg)
{
	struct worker *self = arg;
	struct engine_channel *channel = open_channel(self->engine);
	struct lot *lot = lot_open(self->seed);

	self->good = true;
	for (int round = 0; round < 10 && self->good; round++) {
		lot_fill(lot, 1 + lot_draw(lot, 200));
		self->good = lot_runs(lot, channel, self->subject->faulty);
	}
	lot_close(lot);
	self->engine->ops->channel_close(channel);
	return NULL;
}

#define MAX_COUNTERS 400

struct counters {
	struct {
		char name[96];
		uint64_t value;
	} of[MAX_COUNTERS];
	uint32_t nr;
	bool good; /* no empty name, none twice */
};

static void counters_add(void *arg, const char *name, uint64_t value)
{
	struct counters *counters = arg;

	counters->good &= *name && counters->nr < MAX_COUNTERS;
	for (uint32_t i = 0; i < counters->nr; i++)
		counters->good &= strcmp(counters->of[i].name, name) != 0;
	if (counters->nr == MAX_COUNTERS)
		return;
	snprintf(counters->of[counters->nr].name, sizeof(counters->of[0].name), "%s", name);
	counters->of[counters->nr++].value = value;
}

static bool counters_read(struct engine *engine, struct counters *counters)
{
	*counters = (struct counters){.good = true};
	if (engine->ops->counters)
		engine->ops->counters(engine, counters_add, counters);
	return counters->good;
}

/* Every counter of before is there and has not fallen. */
static bool counters_rise(const struct counters *before, const struct counters *after)
{
	uint32_t nr_found = 0;

	for (uint32_t b = 0; b < before->nr; b++)
		for (uint32_t a = 0; a < after->nr; a++)
			nr_found += !strcmp(before->of[b].name, after->of[a].name) &&
				    after->of[a].value >= before->of[b].value;
	return nr_found == before->nr;
}

/* Reads counters while the channels of several threads are in use and when they are closed. */
static bool serves_threads_and_counts(const struct subject *subject, struct engine *engine)
{
	static struct counters before, after;
	struct worker workers[NR_THREADS];
	bool good = counters_read(engine, &before);

	for (unsigned int i = 0; i < NR_THREADS; i++) {
		workers[i] = (struct worker){.subject = subject, .engine = engine, .seed = 100 + i};
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]))
			exit(1);
	}
	for (int i = 0; i < 50; i++) {
		good &= counters_read(engine, &after) && counters_rise(&before, &after);
		before = after;
	}
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		good &= workers[i].good;
	}
	return good && counters_read(engine, &after) && counters_rise(&before, &after) &&
	       counters_read(engine, &before) && counters_rise(&after, &before);
}

static const struct {
	const char *name;
	bool (*run)(const struct subject *subject, struct engine *engine);
} cases[] = {
	{"describes itself", describes_itself},
	{"refuses bad parameters by name", refuses_bad_parameters},
	{"closes NULL", close_accepts_null},
	{"ends empty batches", ends_empty_batches},
	{"polls without work at once", polls_nothing_at_once},
	{"copies items of all sizes and alignments", copies_all_sizes},
	{"copies batches of all lengths", copies_batches},
	{"copies contiguous items", copies_contiguous_items},
	{"returns every batch in flight once", returns_every_batch_once},
	{"returns batches marked `more`", holds_batches_that_more_follow},
	{"opens and closes channels", channels_come_and_go},
	{"serves threads, and its counters never fall", serves_threads_and_counts},
};

int main(void)
{
	tap_plan((int)(ARRAY_SIZE(subjects) * ARRAY_SIZE(cases)));
	crew = open_crew(NR_WORKERS);
	for (size_t s = 0; s < ARRAY_SIZE(subjects); s++) {
		const struct subject *subject = &subjects[s];

		for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
			struct engine *engine = open_subject(subject);

			tap_ok(cases[c].run(subject, engine), "%s%s %s",
			       subject->ops ? "skeleton:" : "", subject->spec, cases[c].name);
			engine->ops->close(engine);
		}
	}
	crew_close(crew);
	return tap_done();
}
