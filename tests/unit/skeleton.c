// SPDX-License-Identifier: LGPL-2.1-or-later
/* The template of docs/engines.md compiles and follows the rules of engines. */
#include <criterion/criterion.h>
#include <string.h>

#include "engines/skeleton/skeleton.c"

#define NR_ITEMS  10
#define LEN_BYTES 5000

static struct engine *engine;
static struct engine_channel *channel;
static uint8_t src[NR_ITEMS * LEN_BYTES], dst[NR_ITEMS * LEN_BYTES];
static struct engine_item items[NR_ITEMS];

static void setup(void)
{
	const struct engine_ops *ops = &skeleton_engine_ops;
	struct engine_env env = {0};
	char why[256];

	cr_assert_eq(ops->probe("depth=2", why, sizeof(why)), 0);
	cr_assert_eq(ops->open(&env, "depth=2", &engine, why, sizeof(why)), 0);
	cr_assert_eq(ops->channel_open(engine, -1, &channel), 0);
	for (size_t i = 0; i < sizeof(src); i++)
		src[i] = (uint8_t)(i * 13);
	for (int i = 0; i < NR_ITEMS; i++)
		items[i] = (struct engine_item){.dst = dst + i * LEN_BYTES,
						.src = src + i * LEN_BYTES,
						.len_bytes = LEN_BYTES};
}

static void teardown(void)
{
	engine->ops->channel_close(channel);
	engine->ops->close(engine);
	skeleton_engine_ops.close(NULL);
}

TestSuite(skeleton, .init = setup, .fini = teardown);

static void expect_items(void *arg __maybe_unused, const char *name, uint64_t value)
{
	cr_expect_str_eq(name, "items");
	cr_expect_eq(value, NR_ITEMS);
}

Test(skeleton, copies)
{
	struct engine_batch batch = {.items = items, .nr_items = NR_ITEMS};
	struct engine_batch *done = NULL;
	int nr_polls = 0;

	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_QUEUED);
	while (!engine->ops->poll(channel, 0, &done, 1))
		cr_assert_lt(++nr_polls, NR_ITEMS);
	cr_expect_eq(done, &batch);
	for (int i = 0; i < NR_ITEMS; i++)
		cr_expect_eq(items[i].state, ENGINE_COPIED);
	cr_expect_eq(memcmp(src, dst, sizeof(src)), 0);
	engine->ops->counters(engine, expect_items, NULL);
}

Test(skeleton, is_busy_beyond_its_depth)
{
	struct engine_batch batches[3], *done;
	uint32_t nr = 0;

	for (int i = 0; i < 3; i++) {
		batches[i] = (struct engine_batch){.items = &items[i], .nr_items = 1};
		cr_expect_eq(engine->ops->submit(channel, &batches[i]),
			     i < 2 ? ENGINE_QUEUED : ENGINE_BUSY);
	}
	for (int i = 0; i < 10; i++)
		nr += engine->ops->poll(channel, 0, &done, 1);
	cr_expect_eq(nr, 2);
	cr_expect_eq(items[2].state, ENGINE_NOT_ATTEMPTED);
}

Test(skeleton, names_bad_parameters)
{
	char why[256];

	cr_expect_eq(skeleton_engine_ops.probe("width=3", why, sizeof(why)), -EINVAL);
	cr_expect(strstr(why, "width=3") && strstr(why, PARAMS), "%s", why);
}
