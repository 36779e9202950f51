// SPDX-License-Identifier: LGPL-2.1-or-later
/* The fault engine does to items exactly what it reports. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engines/engine.h"

#define NR_ITEMS 60
#define ITEM_LEN 512

static uint8_t src[NR_ITEMS][ITEM_LEN], dst[NR_ITEMS][ITEM_LEN];
static struct engine_item items[NR_ITEMS];
static struct engine *engine;
static struct engine_channel *channel;

static void open_spec(const char *spec)
{
	char why[256];

	cr_assert_eq(engine_open(spec, NULL, &engine, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
	cr_assert_gt(engine->depth, 1);
}

static void close_all(void)
{
	engine->ops->channel_close(channel);
	engine_close(engine);
}

static struct engine_batch fresh_batch(unsigned int start, unsigned int nr)
{
	for (unsigned int i = start; i < start + nr; i++) {
		memset(src[i], (int)i + 1, ITEM_LEN);
		memset(dst[i], 0x55, ITEM_LEN);
		items[i] = (struct engine_item){
			.dst = dst[i], .src = src[i], .len_bytes = ITEM_LEN, .state = 77};
	}
	return (struct engine_batch){
		.items = &items[start], .nr_items = nr, .bytes = (uint64_t)nr * ITEM_LEN};
}

static bool is_copied(unsigned int i)
{
	return !memcmp(dst[i], src[i], ITEM_LEN);
}

static bool is_untouched(unsigned int i)
{
	for (unsigned int at = 0; at < ITEM_LEN; at++)
		if (dst[i][at] != 0x55)
			return false;
	return true;
}

static unsigned int count_state(uint8_t state)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_ITEMS; i++)
		nr += items[i].state == state;
	return nr;
}

static struct {
	const char *name;
	uint64_t value;
} wanted;

static void note_counter(void *arg __maybe_unused, const char *name, uint64_t value)
{
	if (!strcmp(name, wanted.name))
		wanted.value = value;
}

static uint64_t counter_value(const char *name)
{
	wanted.name = name;
	wanted.value = UINT64_MAX;
	engine->ops->counters(engine, note_counter, NULL);
	return wanted.value;
}

static void check_kind(const char *what, uint8_t state, bool touched)
{
	struct engine_batch batch = fresh_batch(0, NR_ITEMS);
	char text[64];

	snprintf(text, sizeof(text), "fault:every=5,what=%s", what);
	open_spec(text);
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
	cr_assert_eq(count_state(state), NR_ITEMS / 5);
	cr_assert_eq(count_state(ENGINE_COPIED), NR_ITEMS - NR_ITEMS / 5);
	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		if (items[i].state == ENGINE_COPIED)
			cr_assert(is_copied(i));
		else
			cr_assert(!is_copied(i) && is_untouched(i) == !touched);
	}
	snprintf(text, sizeof(text), "injected.%s", what);
	cr_assert_eq(counter_value(text), NR_ITEMS / 5);
	close_all();
}

Test(fault, every_nth_item_errs_and_is_partly_written)
{
	check_kind("fail", ENGINE_ERROR, true);
}

Test(fault, every_nth_item_faults_and_is_partly_written)
{
	check_kind("fault", ENGINE_FAULT, true);
}

Test(fault, every_nth_item_is_left_untouched)
{
	check_kind("undone", ENGINE_NOT_ATTEMPTED, false);
}

Test(fault, every_item)
{
	struct engine_batch batch = fresh_batch(0, NR_ITEMS);

	open_spec("fault:every=1,what=undone");
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
	cr_assert_eq(count_state(ENGINE_NOT_ATTEMPTED), NR_ITEMS);
	close_all();
}

Test(fault, busy_refuses_untouched_and_only_once)
{
	struct engine_batch batch = fresh_batch(0, NR_ITEMS);

	open_spec("fault:every=7,what=busy");
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_BUSY);
	cr_assert_eq(count_state(77), NR_ITEMS);
	for (unsigned int i = 0; i < NR_ITEMS; i++)
		cr_assert(is_untouched(i));
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
	cr_assert_eq(count_state(ENGINE_COPIED), NR_ITEMS);
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_BUSY);
	cr_assert_eq(counter_value("injected.busy"), 2);
	close_all();
}

Test(fault, delayed_batches_come_back_once_each)
{
	struct engine_batch batches[5], *done[8];
	unsigned int nr_done = 0, seen = 0;

	open_spec("fault:every=1,what=delay,delay_us=200");
	for (unsigned int i = 0; i < 5; i++)
		batches[i] = fresh_batch(i * 12, 12);
	for (unsigned int i = 0; i < engine->depth; i++) {
		cr_assert_eq(engine->ops->submit(channel, &batches[i]), ENGINE_QUEUED);
		cr_assert(is_untouched(i * 12));
	}
	cr_assert_eq(engine->ops->submit(channel, &batches[4]), ENGINE_BUSY, "the queue is full");
	while (nr_done < engine->depth) {
		uint32_t nr = engine->ops->poll(channel, NS_PER_SEC, done, 2);

		cr_assert(nr >= 1 && nr <= 2);
		for (uint32_t i = 0; i < nr; i++) {
			unsigned int which = (unsigned int)(done[i] - batches);

			cr_assert(which < 4 && !(seen >> which & 1));
			seen |= 1U << which;
			cr_assert(is_copied(which * 12) && is_copied(which * 12 + 11));
		}
		nr_done += nr;
	}
	cr_assert_eq(engine->ops->poll(channel, 0, done, 8), 0);
	cr_assert_eq(engine->ops->submit(channel, &batches[4]), ENGINE_QUEUED);
	cr_assert_eq(engine->ops->poll(channel, NS_PER_SEC, done, 8), 1);
	close_all();
}

Test(fault, delayed_batches_overtake_each_other)
{
	bool overtaken = false;

	open_spec("fault:every=1,what=delay,delay_us=20");
	for (unsigned int round = 0; round < 200 && !overtaken; round++) {
		struct engine_batch first = fresh_batch(0, 1), second = fresh_batch(1, 1);
		struct engine_batch *done[2];

		cr_assert_eq(engine->ops->submit(channel, &first), ENGINE_QUEUED);
		cr_assert_eq(engine->ops->submit(channel, &second), ENGINE_QUEUED);
		for (uint32_t nr = 0; nr < 2;)
			nr += engine->ops->poll(channel, NS_PER_SEC, done + nr, 2 - nr);
		overtaken = done[0] == &second;
	}
	cr_assert(overtaken);
	close_all();
}

Test(fault, strays_are_written_before_it_is_quiet)
{
	struct engine_batch batch = fresh_batch(0, NR_ITEMS);

	open_spec("fault:every=3,what=stray,delay_us=2000");
	cr_assert(engine->ops->quiet(channel));
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
	cr_assert_eq(count_state(ENGINE_STRAY), NR_ITEMS / 3);
	while (!engine->ops->quiet(channel))
		cpu_relax();
	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		if (items[i].state == ENGINE_STRAY)
			cr_assert(!is_copied(i) && !is_untouched(i));
		else
			cr_assert(is_copied(i));
	}
	close_all();
}

/* --- behind an engine that takes nothing --- */

extern const struct engine_ops fault_engine_ops;

static bool stub_is_quiet;

static int stub_channel_open(struct engine *inner, int near_node __maybe_unused,
			     struct engine_channel **out)
{
	static struct engine_channel only;

	only.engine = inner;
	*out = &only;
	return 0;
}

static void stub_channel_close(struct engine_channel *only __maybe_unused)
{
}

static enum engine_verdict stub_submit(struct engine_channel *only __maybe_unused,
				       struct engine_batch *batch __maybe_unused)
{
	return ENGINE_BUSY;
}

static bool stub_quiet(struct engine_channel *only __maybe_unused)
{
	return stub_is_quiet;
}

static void stub_close(struct engine *inner __maybe_unused)
{
}

static int stub_open(const char *spec __maybe_unused, const struct engine_env *env __maybe_unused,
		     struct engine **out, char *why __maybe_unused, size_t why_bytes __maybe_unused)
{
	static const struct engine_ops ops = {.channel_open = stub_channel_open,
					      .channel_close = stub_channel_close,
					      .submit = stub_submit,
					      .quiet = stub_quiet,
					      .close = stub_close};
	static struct engine inner = {.ops = &ops, .depth = 1, .batch_items = 1};

	*out = &inner;
	return 0;
}

static void open_behind_stub(void)
{
	const struct engine_env env = {.open_inner = stub_open};
	char why[256];

	cr_assert_eq(fault_engine_ops.open(&env, "every=1000000,inner=stub", &engine, why,
					   sizeof(why)),
		     0, "%s", why);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
}

Test(fault, what_the_inner_engine_does_not_take_is_not_attempted)
{
	struct engine_batch batch = fresh_batch(0, NR_ITEMS);

	open_behind_stub();
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
	cr_expect_eq(count_state(ENGINE_NOT_ATTEMPTED), NR_ITEMS);
	close_all();
}

Test(fault, quiet_only_if_the_inner_engine_is)
{
	open_behind_stub();
	cr_expect_not(engine->ops->quiet(channel));
	stub_is_quiet = true;
	cr_expect(engine->ops->quiet(channel));
	close_all();
}

Test(fault, closing_a_channel_waits_for_strays)
{
	struct engine_batch batch = fresh_batch(0, NR_ITEMS);

	open_spec("fault:every=60,what=stray,delay_us=5000");
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
	close_all();
	for (unsigned int i = 0; i < NR_ITEMS; i++)
		if (items[i].state == ENGINE_STRAY)
			cr_assert(!is_untouched(i));
}

/* The states of some batches under "mix", whatever submit returns. */
static void run_mix(const char *spec, uint8_t *states)
{
	struct engine_batch *done[4];

	open_spec(spec);
	for (unsigned int at = 0; at < NR_ITEMS; at += 10) {
		struct engine_batch batch = fresh_batch(at, 10);
		enum engine_verdict verdict;

		do
			verdict = engine->ops->submit(channel, &batch);
		while (verdict == ENGINE_BUSY);
		if (verdict == ENGINE_QUEUED)
			while (!engine->ops->poll(channel, NS_PER_SEC, done, 4))
				;
	}
	for (unsigned int i = 0; i < NR_ITEMS; i++)
		states[i] = items[i].state;
}

Test(fault, mix_meets_every_kind)
{
	static const char *const names[] = {"injected.fail",  "injected.fault", "injected.undone",
					    "injected.delay", "injected.stray", "injected.busy"};
	uint8_t states[NR_ITEMS];

	run_mix("fault:every=4,what=mix", states);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_assert(counter_value(names[i]) >= 1 && counter_value(names[i]) <= 15, "%s",
			  names[i]);
	cr_assert_eq(count_state(77), 0);
	close_all();
}

Test(fault, the_seed_decides)
{
	uint8_t first[NR_ITEMS], again[NR_ITEMS], other[NR_ITEMS];
	bool differs = false;

	run_mix("fault:every=4,seed=11", first);
	close_all();
	run_mix("fault:every=4,seed=11", again);
	close_all();
	cr_assert(!memcmp(first, again, sizeof(first)));
	for (unsigned int seed = 12; seed < 20; seed++) {
		char spec[64];

		snprintf(spec, sizeof(spec), "fault:every=4,seed=%u", seed);
		run_mix(spec, other);
		close_all();
		differs |= memcmp(first, other, sizeof(first)) != 0;
	}
	cr_assert(differs);
}

Test(fault, wraps_what_it_is_told_to)
{
	struct engine_batch batch = fresh_batch(0, NR_ITEMS);

	open_spec("fault:every=2,what=undone,inner=fault:every=3,what=fail,inner=cpu:threads=1");
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
	cr_assert_eq(count_state(ENGINE_NOT_ATTEMPTED), NR_ITEMS / 2);
	cr_assert_eq(count_state(ENGINE_ERROR), NR_ITEMS / 2 / 3);
	cr_assert_eq(counter_value("bytes"), (uint64_t)count_state(ENGINE_COPIED) * ITEM_LEN);
	close_all();
}

Test(fault, bad_parameters_are_named)
{
	static const char *const bad[] = {
		"fault:every=0", "fault:every",   "fault:what=nothing", "fault:delay_us=1s",
		"fault:seed=-1", "fault:speed=2", "fault:inner=",
	};
	char why[256];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why[0] = '\0';
		cr_assert_eq(engine_open(bad[i], NULL, &engine, why, sizeof(why)), -EINVAL, "%s",
			     bad[i]);
		cr_assert_eq(strncmp(why, "engine fault: ", 14), 0, "%s", why);
	}
	cr_assert_eq(engine_open("fault:inner=none", NULL, &engine, why, sizeof(why)), -ENOENT);
	cr_assert_eq(engine_open("fault:inner=cpu:threads=0", NULL, &engine, why, sizeof(why)),
		     -EINVAL);
	cr_assert_eq(strncmp(why, "engine cpu: ", 12), 0, "%s", why);
}
