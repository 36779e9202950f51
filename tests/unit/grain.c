// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How the CPU engine divides batches: whatever lies in a row in source, destination or both, and
 * wherever a grain ends, each byte is copied once and no other is touched. The copy loops here add
 * instead, so that a byte that is copied twice shows.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "engines/cpu/grain.h"
#include "tests/testlib/random.h"

#define AREA_BYTES (1U << 20)
#define MAX_ITEMS  64
#define NR_ROUNDS  200

static uint8_t src[AREA_BYTES] __attribute__((aligned(64)));
static uint8_t dst[AREA_BYTES] __attribute__((aligned(64)));
static uint8_t expected[AREA_BYTES];
static struct engine_item items[MAX_ITEMS];
static struct engine_batch batch;
static uint32_t nr_in_step, nr_longest;

static void add_bytes(void *to, const void *from, size_t len_bytes)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	nr_longest = (uint32_t)MAX((size_t)nr_longest, len_bytes);
	for (size_t i = 0; i < len_bytes; i++)
		out[i] = (uint8_t)(out[i] + in[i]);
}

static void add_bytes4(char *const to[4], const char *const from[4], size_t len_bytes)
{
	for (int i = 0; i < 4; i++) {
		cr_assert_eq((uintptr_t)to[i] % CACHELINE, 0);
		add_bytes(to[i], from[i], len_bytes);
	}
	cr_assert_eq(len_bytes % CACHELINE, 0);
	nr_in_step++;
}

static const struct copy_kernel adding = {.name = "add", .copy = add_bytes};
static const struct copy_kernel adding4 = {.name = "add4", .copy = add_bytes, .copy4 = add_bytes4};

/* Items of few lengths, which continue where the one before ends, in source or destination. */
static void make_items(uint64_t *random)
{
	static const uint32_t lengths[] = {64, 4096, 4096, 4096, 4096, 8192, 100, 20000};
	uint32_t from = 0, to = 0;

	memset(dst, 0, sizeof(dst));
	memset(expected, 0, sizeof(expected));
	batch = (struct engine_batch){.items = items};
	for (uint32_t i = 0; i < MAX_ITEMS; i++) {
		uint32_t len = lengths[next_random(random) % ARRAY_SIZE(lengths)];

		from += next_random(random) % 2 ? 0 : 64 * (uint32_t)(next_random(random) % 8);
		to += next_random(random) % 8 ? 0 : 1 + (uint32_t)(next_random(random) % 100);
		to = next_random(random) % 8 ? ALIGN_UP(to, (uint32_t)CACHELINE) : to;
		if (from + len > AREA_BYTES || to + len > AREA_BYTES)
			break;
		items[batch.nr_items++] =
			(struct engine_item){.dst = dst + to, .src = src + from, .len_bytes = len};
		memcpy(expected + to, src + from, len);
		batch.bytes += len;
		from += len;
		to += len;
	}
}

static void expect_copied(const char *how, uint64_t round)
{
	cr_assert_eq(memcmp(dst, expected, sizeof(dst)), 0, "%s, round %lu", how,
		     (unsigned long)round);
}

static void set_source(void)
{
	for (size_t i = 0; i < sizeof(src); i++)
		src[i] = (uint8_t)(1 + i % 255 + i / 4096);
}

Test(grain, items_in_a_row)
{
	uint64_t random = 1;

	set_source();
	for (uint64_t round = 0; round < NR_ROUNDS; round++) {
		make_items(&random);
		copy_items(round % 2 ? &adding4 : &adding, items, batch.nr_items);
		expect_copied("items", round);
	}
	cr_expect_gt(nr_in_step, 100);
	cr_expect_gt(nr_longest, 20000, "nothing was copied as one");
}

Test(grain, every_part_once)
{
	uint64_t random = 2;

	set_source();
	for (uint64_t round = 0; round < NR_ROUNDS; round++) {
		struct grain_at at = {0}, end;

		make_items(&random);
		while (at.item < batch.nr_items) {
			uint32_t room = 1 + (uint32_t)(next_random(&random) % 30000);

			end = grain_end(&batch, at, room);
			copy_grain(round % 2 ? &adding4 : &adding, items, at, end);
			at = end;
		}
		expect_copied("grains", round);
	}
}

/* A batch that comes while others are being returned would be returned without having been copied.
 */
Test(grain, nothing_is_held_while_others_return)
{
	const struct engine_env env = {0};
	struct engine_channel *channel;
	struct engine_batch batches[3], *done[3];
	struct engine *engine;
	char why[256];

	cr_assert_eq(engine_open("cpu", &env, &engine, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
	set_source();
	memset(dst, 0, sizeof(dst));
	for (uint32_t i = 0; i < 3; i++) {
		items[i] = (struct engine_item){
			.dst = dst + 4096 * i, .src = src + 4096 * i, .len_bytes = 4096};
		batches[i] = (struct engine_batch){
			.items = &items[i], .nr_items = 1, .bytes = 4096, .more = true};
	}
	for (uint32_t i = 0; i < 2; i++)
		cr_assert_eq(engine->ops->submit(channel, &batches[i]), ENGINE_QUEUED);
	cr_assert_eq(engine->ops->poll(channel, 0, done, 1), 1);
	cr_expect_eq(engine->ops->submit(channel, &batches[2]), ENGINE_DONE);
	cr_assert_eq(engine->ops->poll(channel, 0, done, 3), 1);
	cr_expect_eq(done[0], &batches[1]);
	cr_expect_eq(memcmp(dst, src, 3 * 4096), 0);
	engine->ops->channel_close(channel);
	engine_close(engine);
}
