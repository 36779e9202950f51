// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The engine that splits batches: its parts here are engines whose rate and failures the test sets.
 * No real clock runs: copying moves the test's clock.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sys.h"
#include "engines/spec.h"
#include "engines/split/split.h"
#include "tests/testlib/paced_engine.h"

#define NS_PER_BYTE 0.1
#define MAX_ITEMS   64
#define AREA_BYTES  (8UL << 20)
#define UNTOUCHED   0x5a

static uint64_t fake_ns;

/* Reading the clock takes a little time. */
static bool tick(long nr, const long args[6], long *ret)
{
	struct timespec *ts = (struct timespec *)args[1];

	if (nr != SYS_clock_gettime)
		return false;
	fake_ns += 20;
	ts->tv_sec = (time_t)(fake_ns / NS_PER_SEC);
	ts->tv_nsec = (long)(fake_ns % NS_PER_SEC);
	*ret = 0;
	return true;
}

static void paced_wait(uint64_t ns)
{
	fake_ns += ns;
}

static struct paced_engine *device, *second, *cpu;
static struct engine *engine;
static struct engine_channel *channel;
static uint8_t *src, *dst;
static struct engine_item items[MAX_ITEMS];
static struct engine_batch batch;

static void open_parts(unsigned int nr_parts)
{
	static const char *const names[] = {"cpu", "dev", "second"};
	struct engine *parts[3];

	sys_hook = tick;
	fake_ns = 1000 * NS_PER_SEC;
	cpu = paced_new(false, NS_PER_BYTE);
	device = paced_new(true, NS_PER_BYTE);
	second = paced_new(true, NS_PER_BYTE);
	parts[0] = &cpu->engine;
	parts[1] = &device->engine;
	parts[2] = &second->engine;
	cr_assert_eq(split_open(parts, names, nr_parts, &engine), 0);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
	src = malloc(AREA_BYTES);
	dst = malloc(AREA_BYTES);
	for (size_t i = 0; i < AREA_BYTES; i++)
		src[i] = (uint8_t)(i * 31 + (i >> 9) * 7);
}

static void open_two(void)
{
	open_parts(2);
}

static void open_three(void)
{
	open_parts(3);
}

static void close_all(void)
{
	device->fault = second->fault = PACED_WORKS;
	if (channel->engine->ops->quiet)
		channel->engine->ops->quiet(channel);
	engine->ops->channel_close(channel);
	cr_expect_eq(cpu->nr_channels + device->nr_channels, 0);
	engine_close(engine);
	free(src);
	free(dst);
}

TestSuite(split_engine, .init = open_two, .fini = close_all);
TestSuite(split_engine_three, .init = open_three, .fini = close_all);

static uint64_t counter_of;
static const char *counter_wanted;

static void counter_match(void *arg __attribute__((unused)), const char *name, uint64_t value)
{
	if (!strcmp(name, counter_wanted))
		counter_of = value;
}

static uint64_t counter(const char *name)
{
	counter_wanted = name;
	counter_of = UINT64_MAX;
	engine->ops->counters(engine, counter_match, NULL);
	cr_assert_neq(counter_of, UINT64_MAX, "no counter %s", name);
	return counter_of;
}

/* ---- batches ---- */

static void batch_begin(void)
{
	batch = (struct engine_batch){.items = items, .nr_threads = 1};
}

static void batch_clear(void)
{
	memset(dst, UNTOUCHED, AREA_BYTES);
	batch_begin();
}

static void batch_add(size_t at, uint32_t len_bytes)
{
	items[batch.nr_items++] = (struct engine_item){
		.dst = dst + at, .src = src + at, .len_bytes = len_bytes, .detail = 99};
	batch.bytes += len_bytes;
}

/* As a chunk of the exchange mover: 32 items of 64 KiB. */
static void batch_chunk_items(void)
{
	batch_begin();
	for (unsigned int i = 0; i < 32; i++)
		batch_add(i * (64UL << 10), 64U << 10);
}

static void batch_chunk(void)
{
	memset(dst, UNTOUCHED, AREA_BYTES);
	batch_chunk_items();
}

static void run_one(void)
{
	struct engine_batch *done = NULL;
	enum engine_verdict verdict = engine->ops->submit(channel, &batch);

	/* Nothing may be touched then. */
	for (uint32_t i = 0; verdict == ENGINE_BUSY && i < batch.nr_items; i++) {
		cr_assert_eq(items[i].detail, 99);
		items[i].state = ENGINE_NOT_ATTEMPTED;
		items[i].detail = 0;
	}
	for (int tries = 0; verdict == ENGINE_QUEUED && !done; tries++) {
		engine->ops->poll(channel, NS_PER_MS, &done, 1);
		cr_assert(tries < 1000, "a batch does not end");
	}
	cr_assert(verdict != ENGINE_QUEUED || done == &batch);
}

static bool all_are(const uint8_t *at, const uint8_t *end, uint8_t value)
{
	while (at < end)
		if (*at++ != value)
			return false;
	return true;
}

/* The state of each item is true, and nothing between the items has been touched. */
static void expect_true_states(const char *what)
{
	const uint8_t *end = dst;

	for (uint32_t i = 0; i < batch.nr_items; i++) {
		const struct engine_item *item = &items[i];
		const uint8_t *to = item->dst;

		cr_assert(all_are(end, to, UNTOUCHED), "%s: before item %u", what, i);
		end = to + item->len_bytes;
		cr_assert_leq(item->state, ENGINE_STRAY, "%s: item %u", what, i);
		cr_assert_neq(item->detail, 99, "%s: item %u", what, i);
		if (item->state == ENGINE_COPIED)
			cr_assert_eq(memcmp(to, item->src, item->len_bytes), 0, "%s: item %u", what,
				     i);
		if (item->state == ENGINE_NOT_ATTEMPTED)
			cr_assert(all_are(to, end, UNTOUCHED), "%s: item %u", what, i);
	}
	cr_assert(all_are(end, dst + AREA_BYTES, UNTOUCHED), "%s: behind the last item", what);
}

static unsigned int random_state = 1;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 8) % below;
}

/* Items from bytes to megabytes, with gaps, at any alignment. */
static void batch_random(void)
{
	static const uint32_t sizes[] = {100, 5000, 64U << 10, 200000, 1U << 20, 3U << 20};
	uint32_t nr = 1 + draw(MAX_ITEMS), most = sizes[draw(6)];
	size_t at = 0;

	batch_clear();
	while (batch.nr_items < nr) {
		uint32_t len = draw(4) ? 1 + draw(most) : most;

		at += draw(300);
		if (at + len > AREA_BYTES)
			break;
		batch_add(at, len);
		at += len;
	}
}

/* ---- shares ---- */

static void set_time_only(bool time_only)
{
	cpu->time_only = device->time_only = second->time_only = time_only;
}

/* Batches one after the other; a part's share of the bytes. The bytes of the last are compared. */
static double share_of(const struct paced_engine *part, unsigned int nr_batches)
{
	uint64_t before = part->bytes;

	set_time_only(true);
	for (unsigned int i = 1; i < nr_batches; i++) {
		batch_chunk_items();
		run_one();
	}
	set_time_only(false);
	batch_chunk();
	run_one();
	expect_true_states("a chunk");
	return (double)(part->bytes - before) / ((double)nr_batches * (double)batch.bytes);
}

/* Pauses of the caller make the test's time pass faster. */
static void wait_until_used(const char *what)
{
	for (int tries = 0; share_of(device, 20) < 0.4; tries++) {
		cr_assert(tries < 2000, "%s: never taken back", what);
		fake_ns += 200 * NS_PER_MS;
	}
}

Test(split_engine, takes_a_device_into_use)
{
	share_of(device, 20);
	cr_expect(share_of(device, 20) > 0.4);
	cr_expect_eq(counter("split.dev.probes"), 1);
	cr_expect_eq(counter("split.dev.taken"), 1);
	cr_expect_eq(counter("split.dev.left"), 0);
	cr_expect_eq(counter("split.dev.bytes"), device->bytes);
	cr_expect_eq(counter("split.cpu.bytes"), cpu->bytes);
	cr_expect_eq(counter("split.dev.copied_bytes"), device->bytes);
	cr_expect_eq(counter("split.dev.bytes") + counter("split.cpu.bytes"), 40 * batch.bytes);
}

/* By the test's clock: what the CPU alone would take, divided by what both take. */
static double speedup(unsigned int nr_batches)
{
	uint64_t start = fake_ns;

	share_of(device, nr_batches);
	return (double)nr_batches * (double)batch.bytes * cpu->ns_per_byte /
	       (double)(fake_ns - start);
}

Test(split_engine, two_equal_parts_are_nearly_twice_as_fast)
{
	share_of(device, 20);
	cr_expect(speedup(100) > 1.8);
}

Test(split_engine_three, three_parts_share)
{
	device->ns_per_byte = NS_PER_BYTE / 2;
	share_of(device, 40);
	cr_expect(share_of(device, 40) > 0.4);
	cr_expect(share_of(second, 40) > 0.18);
	cr_expect(speedup(100) > 3);
}

Test(split_engine, one_large_item_is_shared)
{
	share_of(device, 20);
	for (int i = 0; i < 20; i++) {
		batch_clear();
		batch_add(5, 2U << 20);
		run_one();
		expect_true_states("one item");
		cr_assert_eq(items[0].state, ENGINE_COPIED);
	}
	cr_expect(counter("split.dev.batches") >= 30);
}

/* The device of each failure in turn: it is left, costs next to nothing, and is taken back. */
static void expect_left_and_taken_back(const char *what)
{
	uint64_t start, took_ns;
	double share;

	share_of(device, 30);
	cr_expect(share_of(device, 20) < 0.02, "%s", what);
	start = fake_ns;
	share = share_of(device, 2000);
	took_ns = fake_ns - start;
	cr_expect(share < 0.02, "%s: %g", what, share);
	cr_expect((double)took_ns < 1.05 * 2000 * (double)batch.bytes * cpu->ns_per_byte,
		  "%s: exploring costs too much", what);
	device->fault = PACED_WORKS;
	device->ns_per_byte = NS_PER_BYTE;
	wait_until_used(what);
	cr_expect(share_of(device, 50) > 0.4, "%s", what);
}

Test(split_engine, leaves_a_device_that_turns_slow)
{
	share_of(device, 50);
	device->ns_per_byte = 10 * NS_PER_BYTE;
	expect_left_and_taken_back("slow");
	cr_expect_eq(counter("split.dev.left"), 1);
	cr_expect_eq(counter("split.dev.taken"), 2);
}

Test(split_engine, leaves_a_device_that_fails)
{
	share_of(device, 50);
	device->fault = PACED_FAILS;
	expect_left_and_taken_back("fails");
}

Test(split_engine, leaves_a_device_that_copies_nothing)
{
	share_of(device, 50);
	device->fault = PACED_LEAVES;
	expect_left_and_taken_back("copies nothing");
}

Test(split_engine, leaves_a_device_that_refuses)
{
	share_of(device, 50);
	device->fault = PACED_REFUSES;
	expect_left_and_taken_back("refuses");
	cr_expect(counter("split.dev.busy") >= 3);
}

/* Its memory is in doubt until the device is quiet, which the engine is asked for. */
Test(split_engine, leaves_a_device_that_hangs)
{
	share_of(device, 50);
	device->fault = PACED_HANGS;
	batch_chunk();
	run_one();
	cr_expect_eq(items[0].state, ENGINE_STRAY);
	cr_expect_eq(items[31].state, ENGINE_COPIED);
	cr_expect_not(engine->ops->quiet(channel));
	cr_expect_eq(share_of(device, 20), 0);
	device->fault = PACED_WORKS;
	cr_expect(engine->ops->quiet(channel));
	device->fault = PACED_HANGS;
	expect_left_and_taken_back("hangs");
}

/* A fragment that strays makes the whole item stray; one that is left undone, an error. */
Test(split_engine, an_item_has_the_worse_state_of_its_fragments)
{
	static const struct {
		enum paced_fault fault;
		enum engine_state state;
	} cases[] = {
		{PACED_HANGS, ENGINE_STRAY},
		{PACED_FAILS, ENGINE_ERROR},
		{PACED_LEAVES, ENGINE_ERROR},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		device->fault = PACED_WORKS;
		cr_assert(engine->ops->quiet(channel));
		wait_until_used("works");
		device->fault = cases[i].fault;
		batch_clear();
		batch_add(0, 2U << 20);
		run_one();
		cr_expect_eq(items[0].state, cases[i].state, "case %u: %u", i, items[0].state);
	}
}

/* Every part fails in every way, at random times, with all kinds of batches. */
Test(split_engine_three, every_byte_is_what_its_state_says)
{
	static const enum paced_fault faults[] = {PACED_WORKS, PACED_WORKS,  PACED_REFUSES,
						  PACED_FAILS, PACED_LEAVES, PACED_HANGS};
	struct paced_engine *parts[] = {device, second, cpu};
	uint64_t nr_by_state[ENGINE_STRAY + 1] = {0};

	for (int round = 0; round < 400; round++) {
		struct paced_engine *part = parts[draw(3)];

		part->fault = faults[draw(part == cpu ? 5 : 6)];
		part->ns_per_byte = NS_PER_BYTE * (draw(2) ? 1 : 1 + draw(20));
		part->delay_ns = draw(2) ? 0 : draw(100000);
		batch_random();
		run_one();
		expect_true_states("random");
		for (uint32_t i = 0; i < batch.nr_items; i++)
			nr_by_state[items[i].state]++;
		device->fault = device->fault == PACED_HANGS ? PACED_WORKS : device->fault;
		second->fault = second->fault == PACED_HANGS ? PACED_WORKS : second->fault;
		cr_assert(engine->ops->quiet(channel));
		fake_ns += draw(3) ? 0 : draw(300 * NS_PER_MS);
	}
	cr_expect(nr_by_state[ENGINE_COPIED] && nr_by_state[ENGINE_NOT_ATTEMPTED] &&
		  nr_by_state[ENGINE_ERROR] && nr_by_state[ENGINE_STRAY]);
}

/* ---- several batches and channels ---- */

static uint64_t pipelined_ns(unsigned int nr_batches, uint64_t other_work_ns)
{
	static struct engine_item all[4][32];
	struct engine_batch batches[4] = {0}, *done[4];
	uint64_t start = fake_ns;
	unsigned int nr_free = 4;

	for (unsigned int nr = 0; nr < nr_batches;) {
		uint32_t nr_done = 0;

		for (unsigned int b = 0; b < 4; b++) {
			if (batches[b].owner || !nr_free)
				continue;
			batch_chunk_items();
			memcpy(all[b], items, sizeof(all[b]));
			batches[b] = batch;
			batches[b].items = all[b];
			batches[b].owner = &batches[b];
			fake_ns += other_work_ns;
			if (engine->ops->submit(channel, &batches[b]) == ENGINE_QUEUED) {
				nr_free--;
				continue;
			}
			batches[b].owner = NULL;
			nr++;
		}
		if (nr_free < 4)
			nr_done = engine->ops->poll(channel, NS_PER_MS, done, 4);
		for (uint32_t i = 0; i < nr_done; i++, nr++, nr_free++)
			done[i]->owner = NULL;
	}
	while (nr_free < 4)
		nr_free += engine->ops->poll(channel, NS_PER_MS, done, 4);
	return fake_ns - start;
}

/* While the caller takes out and puts in, the device copies. */
Test(split_engine, a_device_works_while_the_caller_does_something_else)
{
	uint64_t chunk_ns = (uint64_t)((2U << 20) * NS_PER_BYTE), other_ns = chunk_ns / 2;
	uint64_t before;

	set_time_only(true);
	pipelined_ns(50, other_ns);
	before = device->bytes;
	/* Alone the CPU takes 1.5 of a chunk's time; both, 0.75. */
	cr_expect((double)pipelined_ns(200, other_ns) < 0.85 * 200 * (double)chunk_ns);
	cr_expect(device->bytes - before > (2ULL << 20) * 200 * 6 / 10);
}

Test(split_engine, a_channel_learns_from_another_one)
{
	struct engine_channel *first = channel;

	share_of(device, 20);
	cr_expect(share_of(device, 20) > 0.4);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
	share_of(device, 20);
	cr_expect(share_of(device, 20) > 0.4);
	device->fault = PACED_FAILS;
	share_of(device, 20);
	engine->ops->channel_close(channel);
	channel = first;
	cr_expect(share_of(device, 1) < 0.13);
	cr_expect(counter("split.dev.left") >= 1);
}

Test(split_engine, refuses_more_batches_than_it_can_keep)
{
	static struct engine_batch many[SPLIT_FLIGHTS + 1];
	static struct engine_item item[SPLIT_FLIGHTS + 1];
	struct engine_batch *done[SPLIT_FLIGHTS];
	uint32_t nr = 0, nr_done = 0;

	share_of(device, 20);
	/* So that the device gets all. */
	cpu->fault = PACED_LEAVES;
	share_of(device, 5);
	device->ns_per_byte = 1000 * NS_PER_BYTE;
	batch_clear();
	for (; nr <= SPLIT_FLIGHTS; nr++) {
		batch_add(nr * (128UL << 10) % AREA_BYTES, 128U << 10);
		batch.nr_items = 0;
		item[nr] = items[0];
		many[nr] = (struct engine_batch){
			.items = &item[nr], .nr_items = 1, .bytes = 128U << 10, .nr_threads = 1};
		if (engine->ops->submit(channel, &many[nr]) == ENGINE_BUSY)
			break;
	}
	for (int tries = 0; tries < 100000 && nr_done < nr; tries++)
		nr_done += engine->ops->poll(channel, NS_PER_MS, done, SPLIT_FLIGHTS);
	cr_expect_eq(nr_done, SPLIT_FLIGHTS);
	cr_expect_eq(nr, SPLIT_FLIGHTS);
}

/* ---- specs ---- */

static void expect_first(const char *spec, const char *first)
{
	cr_expect_eq(spec_first_len(spec), strlen(first), "%s: %zu", spec, spec_first_len(spec));
}

Test(engine_spec, plus_joins_engines_and_parameters)
{
	expect_first("cpu", "cpu");
	expect_first("cpu+dsa:model", "cpu");
	expect_first("cpu:kernel=movsb+dsa", "cpu:kernel=movsb");
	expect_first("dsa:wq0.0+wq2.0+cpu", "dsa:wq0.0+wq2.0");
	expect_first("dsa:model,faults=page:20000+hang:5+sdxi:model",
		     "dsa:model,faults=page:20000+hang:5");
	expect_first("cpu+nonsense", "cpu");
	expect_first("fault:inner=cpu+dsa:model", "fault:inner=cpu");
	expect_first("fault:inner=(cpu+dsa:model)+sdxi:model", "fault:inner=(cpu+dsa:model)");
	expect_first("/opt/c++/engine.so:a=1+cpu", "/opt/c++/engine.so:a=1");
	expect_first("cpu+/opt/engine.so", "cpu");
	expect_first("dsa:model+cpuid", "dsa:model+cpuid");
}

Test(engine_spec, names_what_copies)
{
	char name[16];

	spec_copier("dsa:model", name, sizeof(name));
	cr_expect_str_eq(name, "dsa");
	spec_copier("fault:every=3,inner=fault:inner=sdxi:model", name, sizeof(name));
	cr_expect_str_eq(name, "sdxi");
	spec_copier("fault:every=3", name, sizeof(name));
	cr_expect_str_eq(name, "cpu");
	spec_copier("/usr/lib/quick.so.2:a=/b", name, sizeof(name));
	cr_expect_str_eq(name, "quick");
}

static void expect_refused(const char *spec, int err, const char *why_has)
{
	struct engine *none = NULL;
	char why[512];

	cr_expect_eq(engine_open(spec, NULL, &none, why, sizeof(why)), err, "%s", spec);
	cr_expect_not_null(strstr(why, why_has), "%s: %s", spec, why);
	cr_expect_null(none);
}

Test(engine_spec, bad_ones_are_refused)
{
	expect_refused("cpu+nonsense", -ENOENT, "'nonsense'");
	expect_refused("cpu+", -ENOENT, "''");
	expect_refused("+cpu", -ENOENT, "''");
	expect_refused("cpu+auto", -ENOENT, "'auto'");
	expect_refused("cpu+cpu", -EINVAL, "cpu is named twice");
	expect_refused("cpu+fault:inner=cpu", -EINVAL, "cpu is named twice");
	expect_refused("dsa:model+cpu+dsa:model,devices=2", -EINVAL, "dsa is named twice");
	expect_refused("cpu+dsa:model,no_such=1", -EINVAL, "no_such");
	expect_refused("cpu:no_such=1+dsa:model", -EINVAL, "no_such");
	expect_refused("cpu+dsa:model+sdxi:model+/no/such.so+/nor/this.so", -ENOENT, "/no/such.so");
}

Test(engine_spec, good_ones_open)
{
	static const char *const specs[] = {
		"cpu+dsa:model",
		"dsa:model,devices=2+cpu",
		"cpu:threads=1+sdxi:model",
		"cpu+dsa:model,faults=page:1000+retry+sdxi:model",
		"dsa:model+sdxi:model",
		"fault:every=3,inner=(cpu+dsa:model)",
		"(cpu+dsa:model)",
	};
	struct engine *opened;
	char why[512];

	for (unsigned int i = 0; i < ARRAY_SIZE(specs); i++) {
		cr_assert_eq(engine_open(specs[i], NULL, &opened, why, sizeof(why)), 0, "%s: %s",
			     specs[i], why);
		engine_close(opened);
	}
}

/* Models are never chosen; without a device that works, auto is the CPU alone. */
Test(engine_spec, auto_opens_without_devices)
{
	struct engine *opened;
	char why[512];

	cr_assert_eq(engine_open("auto", NULL, &opened, why, sizeof(why)), 0, "%s", why);
	cr_expect(!strcmp(opened->ops->name, "cpu") || !strcmp(opened->ops->name, "split"));
	engine_close(opened);
}
