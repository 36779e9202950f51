// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Devices that are slow, and devices that stop. No real clock runs: the clock of the engine
 * advances a little with each reading, that of the model with each step.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/sys.h"
#include "engines/dsa/dsa.h"
#include "models/dsa/dsa_model.h"

#define TICK_NS    1000
#define TIMEOUT_NS (100 * NS_PER_MS)
#define MAX_ITEMS  64

/* 4 KiB take 4 ms on the model's clock, about a quarter of the timeout on the engine's. */
#define SLOW "dsa:model,stepped,gbps=0.001,max_batch=2,mode=dedicated,wq_size=4"

static uint64_t fake_ns; /* 0: real time */

static bool tick(long nr, const long args[6], long *ret)
{
	struct timespec *ts = (struct timespec *)args[1];

	if (nr != SYS_clock_gettime || !fake_ns)
		return false;
	fake_ns += TICK_NS;
	ts->tv_sec = (time_t)(fake_ns / NS_PER_SEC);
	ts->tv_nsec = (long)(fake_ns % NS_PER_SEC);
	*ret = 0;
	return true;
}

/* One caller: its channel, and a batch of pages. */
struct caller {
	struct engine_channel *channel;
	struct engine_batch batch;
	struct engine_item items[MAX_ITEMS];
	uint8_t *src, *dst;
	bool ended;
};

static struct engine *engine;
static struct caller callers[3];

static struct dsa_engine *dsa_engine_of_test(void)
{
	return CONTAINER_OF(engine, struct dsa_engine, engine);
}

static uint64_t counter_total(unsigned int counter)
{
	uint64_t total[NR_DSA_CTRS];

	counts_total(&dsa_engine_of_test()->counts, total);
	return total[counter];
}

static void start_clock(void)
{
	sys_hook = tick;
	fake_ns = 1000 * NS_PER_SEC;
}

static void stop_clock(void)
{
	fake_ns = 0;
}

static void open_engine(const char *spec)
{
	struct engine_env env = {0};
	char why[512];

	cr_assert_eq(engine_open(spec, &env, &engine, why, sizeof(why)), 0, "%s", why);
}

static uint8_t byte_of(const struct caller *c, size_t at)
{
	return (uint8_t)(at ^ at >> 7 ^ at >> 12 ^ (size_t)(c - callers));
}

static void caller_submit(struct caller *c, uint32_t nr_items)
{
	c->src = mmap(NULL, 2 * MAX_ITEMS * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	cr_assert_neq(c->src, MAP_FAILED);
	c->dst = c->src + MAX_ITEMS * PAGE_BYTES;
	for (size_t i = 0; i < nr_items * PAGE_BYTES; i++)
		c->src[i] = byte_of(c, i);
	for (uint32_t i = 0; i < nr_items; i++)
		c->items[i] = (struct engine_item){.dst = c->dst + i * PAGE_BYTES,
						   .src = c->src + i * PAGE_BYTES,
						   .len_bytes = PAGE_BYTES};
	c->batch = (struct engine_batch){
		.items = c->items, .nr_items = nr_items, .bytes = nr_items * PAGE_BYTES};
	cr_assert_eq(engine->ops->channel_open(engine, -1, &c->channel), 0);
	cr_assert_eq(engine->ops->submit(c->channel, &c->batch), ENGINE_QUEUED);
}

/* As a lane does: polls, and copies what the device did not, to a frame of its own. */
static void poll_once(struct caller *c)
{
	struct engine_batch *done;

	if (c->ended || !engine->ops->poll(c->channel, 0, &done, 1))
		return;
	cr_assert_eq(done, &c->batch);
	c->ended = true;
}

static void poll_all(uint32_t nr_callers)
{
	bool all = false;

	while (!all) {
		all = true;
		for (uint32_t i = 0; i < nr_callers; i++) {
			poll_once(&callers[i]);
			all &= callers[i].ended;
		}
		dsa_engine_of_test()->portals[0].ops->idle(&dsa_engine_of_test()->portals[0]);
	}
}

/* Every byte is at the destination, or its item is not reported as copied. */
static uint32_t nr_copied(const struct caller *c)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < c->batch.nr_items; i++) {
		const struct engine_item *item = &c->items[i];
		const uint8_t *at = item->state == ENGINE_COPIED ? item->dst : item->src;

		cr_assert_leq(item->state, ENGINE_STRAY);
		for (size_t b = 0; b < PAGE_BYTES; b++)
			cr_assert_eq(at[b], byte_of(c, i * PAGE_BYTES + b));
		nr += item->state == ENGINE_COPIED;
	}
	return nr;
}

static void close_all(uint32_t nr_callers)
{
	stop_clock();
	for (uint32_t i = 0; i < nr_callers; i++)
		engine->ops->channel_close(callers[i].channel);
	cr_expect_eq(dsa_model_all_breaches(dsa_engine_of_test()->model), 0);
	engine_close(engine);
}

static void nothing_was_given_up(void)
{
	cr_expect_eq(counter_total(DSA_CTR_TIMEOUTS), 0);
	cr_expect_eq(counter_total(DSA_CTR_FALLBACK + DSA_REASON_FULL), 0);
	cr_expect_eq(counter_total(DSA_CTR_FALLBACK + DSA_REASON_NO_DEVICE), 0);
}

Test(dsa_patience, a_slow_device_keeps_its_work)
{
	uint64_t started_ns;

	open_engine(SLOW);
	start_clock();
	started_ns = fake_ns;
	caller_submit(&callers[0], MAX_ITEMS);
	poll_all(1);
	cr_expect_gt(fake_ns - started_ns, 4 * TIMEOUT_NS, "that was not slow");
	cr_expect_eq(nr_copied(&callers[0]), MAX_ITEMS);
	nothing_was_given_up();
	close_all(1);
}

/* The queue is full of the first caller's batches; the others wait with nothing in flight. */
Test(dsa_patience, waiting_behind_others_is_no_reason_either)
{
	open_engine(SLOW);
	start_clock();
	for (int i = 0; i < 3; i++)
		caller_submit(&callers[i], MAX_ITEMS / 2);
	poll_all(3);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(nr_copied(&callers[i]), MAX_ITEMS / 2);
	nothing_was_given_up();
	close_all(3);
}

/* Two timeouts: the first may have begun just before the last completion of the device. */
Test(dsa_patience, a_device_that_stops_half_way_is_given_up_in_bounded_time)
{
	uint64_t stopped_ns;

	open_engine(SLOW);
	start_clock();
	for (int i = 0; i < 3; i++)
		caller_submit(&callers[i], MAX_ITEMS / 2);
	while (dsa_model_count(dsa_engine_of_test()->model, DSA_COUNT_EXECUTED) < 24)
		for (int i = 0; i < 3; i++) {
			poll_once(&callers[i]);
			dsa_engine_of_test()->portals[0].ops->idle(
				&dsa_engine_of_test()->portals[0]);
		}
	dsa_model_halt(dsa_engine_of_test()->model, 0);
	stopped_ns = fake_ns;
	poll_all(3);
	cr_expect_lt(fake_ns - stopped_ns, 3 * TIMEOUT_NS);
	for (int i = 0; i < 3; i++)
		cr_expect_lt(nr_copied(&callers[i]), MAX_ITEMS / 2);
	cr_expect_gt(counter_total(DSA_CTR_TIMEOUTS), 0);
	close_all(3);
}

/* Some submissions never complete although the device works: they expire. */
Test(dsa_patience, what_a_working_device_has_lost_is_missed)
{
	uint64_t started_ns;

	open_engine("dsa:model,stepped,latency_ns=1000000,max_batch=2,wq_size=4,seed=7,"
		    "hang_ns=0,faults=hang:60000");
	start_clock();
	started_ns = fake_ns;
	caller_submit(&callers[0], MAX_ITEMS);
	poll_all(1);
	cr_expect_lt(fake_ns - started_ns, 10 * TIMEOUT_NS);
	cr_expect_gt(dsa_model_faults(dsa_engine_of_test()->model, DSA_FAULT_HANG), 0);
	cr_expect_gt(nr_copied(&callers[0]), 0);
	cr_expect_gt(counter_total(DSA_CTR_STRAY), 0);
	close_all(1);
}

/* --- the rule by itself --- */

Test(dsa_patience, silence_ends_it)
{
	struct patience p;

	patience_begin(&p, 100, 7, 3);
	cr_expect_not(patience_is_over(&p, 99, 100, 7));
	cr_expect(patience_is_over(&p, 100, 100, 7));
}

Test(dsa_patience, one_that_trickles_has_as_many_timeouts_as_may_go_past)
{
	struct patience p;
	uint32_t nr_ended = UINT32_MAX - 1; /* it wraps */
	uint64_t now = 100, nr_timeouts = 1;

	patience_begin(&p, now, nr_ended, 3);
	for (; !patience_is_over(&p, now, 100, ++nr_ended); now += 100)
		nr_timeouts++;
	cr_expect_eq(nr_timeouts, 1 + 4 * PATIENCE_PASSES_EACH);
}

Test(dsa_patience, one_that_is_fast_has_two)
{
	struct patience p;

	patience_begin(&p, 100, 0, 3);
	cr_expect_not(patience_is_over(&p, 100, 100, 1000));
	cr_expect(patience_is_over(&p, 200, 100, 2000));
}
