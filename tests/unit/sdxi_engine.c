// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The sdxi engine: parameters, probe, and the states of items when the function misbehaves. The
 * model executes inside submit where possible; where a stop must be refused it has a thread.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "engines/engine.h"
#include "engines/sdxi/channel.h"
#include "engines/sdxi/device.h"

#define NR       64
#define LEN      4096
#define LONG_RUN 3000 /* more items than the ring has entries */

static char why[256];
static uint8_t src[NR][LEN], dst[NR][LEN];
static struct engine_item items[LONG_RUN];
static struct engine_batch batch;
static struct engine *engine;
static struct engine_channel *channel;

static void open_engine(const char *spec)
{
	const struct engine_env env = {0};

	cr_assert_eq(engine_open(spec, &env, &engine, why, sizeof(why)), 0, "%s: %s", spec, why);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
}

static void close_engine(void)
{
	if (!engine)
		return;
	engine->ops->channel_close(channel);
	engine_close(engine);
}
TestSuite(sdxi_engine, .fini = close_engine);

static void make_batch(void)
{
	memset(dst, 0, sizeof(dst));
	for (unsigned int i = 0; i < NR; i++) {
		memset(src[i], (int)i + 1, LEN);
		items[i] = (struct engine_item){.dst = dst[i], .src = src[i], .len_bytes = LEN};
	}
	batch = (struct engine_batch){.items = items, .nr_items = NR, .bytes = NR * LEN};
}

/* Submits and waits without a limit: a batch that never ends hangs the test. */
static void run_batch(void)
{
	struct engine_batch *done = NULL;
	enum engine_verdict verdict = engine->ops->submit(channel, &batch);

	cr_assert_neq(verdict, ENGINE_BUSY);
	while (verdict == ENGINE_QUEUED && !engine->ops->poll(channel, NS_PER_MS, &done, 1))
		;
	if (verdict == ENGINE_QUEUED)
		cr_assert_eq(done, &batch);
}

static unsigned int nr_in(enum engine_state state)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < batch.nr_items; i++)
		nr += items[i].state == state;
	return nr;
}

static void expect_copied_bytes(void)
{
	for (unsigned int i = 0; i < NR; i++)
		if (items[i].state == ENGINE_COPIED)
			cr_assert_arr_eq(dst[i], src[i], LEN, "item %u", i);
}

struct wanted {
	const char *name;
	uint64_t value;
};

static void counter_match(void *arg, const char *name, uint64_t value)
{
	struct wanted *wanted = arg;

	if (!strcmp(name, wanted->name))
		wanted->value = value;
}

static uint64_t counter_value(const char *name)
{
	struct wanted wanted = {.name = name, .value = UINT64_MAX};

	engine->ops->counters(engine, counter_match, &wanted);
	cr_assert_neq(wanted.value, UINT64_MAX, "no counter %s", name);
	return wanted.value;
}

static void add_under(void *arg, const char *name, uint64_t value)
{
	struct wanted *wanted = arg;

	if (!strncmp(name, wanted->name, strlen(wanted->name)))
		wanted->value += value;
}

static uint64_t counters_under(const char *prefix)
{
	struct wanted wanted = {.name = prefix};

	engine->ops->counters(engine, add_under, &wanted);
	return wanted.value;
}

Test(sdxi_engine, copies)
{
	open_engine("sdxi:model");
	make_batch();
	run_batch();
	cr_expect_eq(nr_in(ENGINE_COPIED), NR);
	expect_copied_bytes();
	cr_expect_eq(counter_value("status.success"), NR);
	cr_expect_eq(counter_value("doorbells"), 1);
	cr_expect_eq(counter_value("model.breaches"), 0);
}

Test(sdxi_engine, batch_longer_than_the_ring)
{
	static uint8_t from[LONG_RUN], to[LONG_RUN];

	open_engine("sdxi:model,inline");
	for (unsigned int i = 0; i < LONG_RUN; i++) {
		from[i] = (uint8_t)(i * 31);
		items[i] = (struct engine_item){.dst = &to[i], .src = &from[i], .len_bytes = 1};
	}
	batch = (struct engine_batch){.items = items, .nr_items = LONG_RUN, .bytes = LONG_RUN};
	run_batch();
	cr_expect_eq(nr_in(ENGINE_COPIED), LONG_RUN);
	cr_expect_arr_eq(to, from, LONG_RUN);
	cr_expect_gt(counter_value("retries"), 0);
	cr_expect_eq(counter_value("model.breaches"), 0);
}

Test(sdxi_engine, empty_batch_is_done)
{
	open_engine("sdxi:model,inline");
	batch = (struct engine_batch){.items = items};
	cr_expect_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
}

Test(sdxi_engine, full_queue_is_busy_and_takes_nothing)
{
	struct engine_batch batches[SDXI_DEPTH + 1], *done[SDXI_DEPTH + 1];
	uint32_t nr = 0;

	open_engine("sdxi:model,latency_ns=1000000");
	make_batch();
	for (unsigned int i = 0; i <= SDXI_DEPTH; i++) {
		batches[i] = (struct engine_batch){.items = &items[i], .nr_items = 1, .bytes = LEN};
		cr_expect_eq(engine->ops->submit(channel, &batches[i]),
			     i < SDXI_DEPTH ? ENGINE_QUEUED : ENGINE_BUSY);
	}
	while (nr < SDXI_DEPTH)
		nr += engine->ops->poll(channel, NS_PER_MS, done + nr, SDXI_DEPTH + 1 - nr);
	cr_expect_eq(nr, SDXI_DEPTH);
	cr_expect_eq(items[SDXI_DEPTH].state, ENGINE_NOT_ATTEMPTED);
	cr_expect_eq(counter_value("busy"), 1);
}

Test(sdxi_engine, error_bit_is_an_error_and_the_rest_goes_on)
{
	open_engine("sdxi:model,inline,seed=3,faults=error:300000");
	make_batch();
	run_batch();
	cr_expect_eq(nr_in(ENGINE_COPIED) + nr_in(ENGINE_ERROR), NR);
	cr_expect_gt(nr_in(ENGINE_ERROR), 0);
	cr_expect_eq(counter_value("status.error"), nr_in(ENGINE_ERROR));
	cr_expect_eq(counter_value("status.success"), nr_in(ENGINE_COPIED));
	cr_expect_eq(counter_value("fallback.error"), nr_in(ENGINE_ERROR));
	cr_expect_eq(counter_value("fallback.error.bytes"), (uint64_t)nr_in(ENGINE_ERROR) * LEN);
	expect_copied_bytes();
}

/* The context stops by itself: items that were not read are NOT_ATTEMPTED; then it runs again. */
Test(sdxi_engine, stopped_context_is_restarted)
{
	open_engine("sdxi:model,inline,seed=3,faults=stop:50000");
	make_batch();
	run_batch();
	cr_expect_gt(nr_in(ENGINE_NOT_ATTEMPTED), 0);
	cr_expect_gt(nr_in(ENGINE_ERROR), 0);
	cr_expect_eq(nr_in(ENGINE_STRAY), 0);
	cr_expect_eq(nr_in(ENGINE_COPIED) + nr_in(ENGINE_ERROR) + nr_in(ENGINE_NOT_ATTEMPTED), NR);
	expect_copied_bytes();
	for (unsigned int i = 0; i < NR; i++)
		if (items[i].state == ENGINE_NOT_ATTEMPTED)
			cr_expect_eq(dst[i][0] | dst[i][LEN - 1], 0, "item %u was written", i);
	cr_expect_eq(counter_value("restarts"), 1);
	cr_expect_eq(counter_value("fallback.unread"), nr_in(ENGINE_NOT_ATTEMPTED));
	cr_expect_eq(counter_value("stopped_by_function"), 1);
	cr_expect_eq(counters_under("status.context."), 1);
	batch.nr_items = 1;
	run_batch();
	cr_expect_eq(counter_value("batches"), 2, "the channel serves again");
}

Test(sdxi_engine, lost_status_times_out_as_an_error)
{
	open_engine("sdxi:model,inline,timeout_ms=5,faults=lost:1000000");
	make_batch();
	run_batch();
	cr_expect_eq(nr_in(ENGINE_ERROR), NR);
	cr_expect_eq(counter_value("timeouts"), 1);
	cr_expect_eq(items[0].detail, SDXI_DETAIL_STOPPED);
	cr_expect_eq(counter_value("fallback.stopped"), NR);
	cr_expect_eq(counter_value("fallback.stopped.bytes"), NR * LEN);
}

/* Longer than the ring, so that slots are used again; no item may be COPIED. */
Test(sdxi_engine, the_null_device_copies_nothing)
{
	static uint8_t from[LONG_RUN], to[LONG_RUN];

	open_engine("sdxi:model,null");
	for (unsigned int i = 0; i < LONG_RUN; i++) {
		from[i] = 1;
		items[i] = (struct engine_item){.dst = &to[i], .src = &from[i], .len_bytes = 1};
	}
	batch = (struct engine_batch){.items = items, .nr_items = LONG_RUN, .bytes = LONG_RUN};
	run_batch();
	for (unsigned int i = 0; i < LONG_RUN; i++) {
		cr_assert_eq(items[i].state, ENGINE_NOT_ATTEMPTED);
		cr_assert_eq(items[i].detail, SDXI_DETAIL_NULL);
		cr_assert_eq(to[i], 0);
	}
	cr_expect_eq(counter_value("descriptors"), LONG_RUN);
	cr_expect_eq(counter_value("fallback.null"), LONG_RUN);
	cr_expect_eq(counter_value("fallback.null.bytes"), LONG_RUN);
}

Test(sdxi_engine, counts_outlive_their_channel)
{
	open_engine("sdxi:model,inline");
	make_batch();
	run_batch();
	engine->ops->channel_close(channel);
	cr_expect_eq(counter_value("status.success"), NR);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
	run_batch();
	cr_expect_eq(counter_value("status.success"), 2 * NR);
}

Test(sdxi_engine, hang_ends_with_a_stop)
{
	open_engine("sdxi:model,inline,timeout_ms=5,seed=1,faults=hang:50000");
	make_batch();
	run_batch();
	cr_expect_gt(nr_in(ENGINE_ERROR), 0);
	cr_expect_eq(nr_in(ENGINE_STRAY), 0);
	expect_copied_bytes();
	cr_expect(engine->ops->quiet(channel));
}

/* The test overwrites the destination after the end of the batch; the device writes it later. */
Test(sdxi_engine, stray_until_quiet)
{
	open_engine("sdxi:model,timeout_ms=100,stray_ns=1500000000,faults=stray:1000000");
	make_batch();
	run_batch();
	cr_expect_eq(nr_in(ENGINE_STRAY), NR);
	cr_expect_eq(counter_value("fallback.hung"), NR);
	while (!engine->ops->quiet(channel))
		usleep(1000);
	for (unsigned int i = 0; i < 32; i++)
		cr_assert_arr_eq(dst[i], src[i], LEN, "the model's late write %u is missing", i);
	cr_expect_eq(counter_value("restarts"), 1);
}

/* A context that is being stopped accepts nothing: the CPU copies at once. */
Test(sdxi_engine, refuses_while_strayed)
{
	open_engine("sdxi:model,timeout_ms=100,stray_ns=1500000000,faults=stray:1000000");
	make_batch();
	run_batch();
	cr_assert_eq(nr_in(ENGINE_STRAY), NR);
	if (!engine->ops->quiet(channel)) {
		struct engine_item one = {.dst = dst[0], .src = src[0], .len_bytes = 1};
		struct engine_batch small = {.items = &one, .nr_items = 1, .bytes = 1};

		one.state = ENGINE_COPIED;
		if (engine->ops->submit(channel, &small) == ENGINE_DONE)
			cr_expect_eq(one.state, ENGINE_NOT_ATTEMPTED);
		else
			while (!engine->ops->poll(channel, NS_PER_MS,
						  &(struct engine_batch *){NULL}, 1))
				;
	}
}

/* --- a function that confirms no stop --- */

static struct sdxi_backend_ops deaf_ops;

static void never_stop(struct sdxi_context *cxt __maybe_unused)
{
}

static struct sdxi_engine *sdxi_engine_of_test(void)
{
	return CONTAINER_OF(engine, struct sdxi_engine, engine);
}

static struct sdxi_channel *sdxi_channel_of_test(void)
{
	return CONTAINER_OF(channel, struct sdxi_channel, channel);
}

static void make_deaf(void)
{
	struct sdxi_backend *backend = sdxi_engine_of_test()->backend;

	deaf_ops = *backend->ops;
	deaf_ops.stop = never_stop;
	backend->ops = &deaf_ops;
}

/* Its status blocks are part of the channel: the function may write to them for ever. */
Test(sdxi_engine, a_channel_outlives_a_function_that_hangs)
{
	struct sdxi_channel *ch;

	open_engine("sdxi:model,inline,timeout_ms=5");
	make_deaf();
	ch = sdxi_channel_of_test();
	engine->ops->channel_close(channel);
	channel = NULL;
	cr_expect_eq(atomic_load(&sdxi_engine_of_test()->unstopped), ch);
}

Test(sdxi_engine, only_what_was_in_the_ring_is_stray)
{
	static uint8_t from[LONG_RUN], to[LONG_RUN];

	open_engine("sdxi:model,inline,timeout_ms=5,faults=lost:1000000");
	make_deaf();
	for (unsigned int i = 0; i < LONG_RUN; i++)
		items[i] = (struct engine_item){.dst = &to[i], .src = &from[i], .len_bytes = 1};
	batch = (struct engine_batch){.items = items, .nr_items = LONG_RUN, .bytes = LONG_RUN};
	run_batch();
	cr_expect_eq(nr_in(ENGINE_STRAY), SDXI_RING_ENTRIES);
	cr_expect_eq(nr_in(ENGINE_NOT_ATTEMPTED), LONG_RUN - SDXI_RING_ENTRIES);
	cr_expect_not(engine->ops->quiet(channel));
}

Test(sdxi_engine, status_blocks_are_cleared)
{
	open_engine("sdxi:model,inline");
	for (unsigned int i = 0; i < SDXI_RING_ENTRIES; i++)
		sdxi_channel_of_test()->cxt.shared->csbs[i].flags = SDXI_CST_BLK_ER;
	make_batch();
	run_batch();
	cr_expect_eq(nr_in(ENGINE_COPIED), NR);
}

/* Batches end in any order, and more follow. */
Test(sdxi_engine, the_last_batch_ends_first)
{
	struct engine_batch one = {.items = &items[0], .nr_items = 1, .bytes = LEN}, two = one;
	struct engine_batch three = one, *done[3];
	struct sdxi_shared *shared;

	open_engine("sdxi:model,inline,timeout_ms=10000,faults=lost:1000000");
	make_batch();
	two.items = &items[1];
	three.items = &items[2];
	shared = sdxi_channel_of_test()->cxt.shared;
	cr_assert_eq(engine->ops->submit(channel, &one), ENGINE_QUEUED);
	cr_assert_eq(engine->ops->submit(channel, &two), ENGINE_QUEUED);
	shared->csbs[1].signal = 0;
	cr_assert_eq(engine->ops->poll(channel, 0, done, 3), 1);
	cr_expect_eq(done[0], &two);
	cr_assert_eq(engine->ops->submit(channel, &three), ENGINE_QUEUED);
	shared->csbs[0].signal = 0;
	shared->csbs[2].signal = 0;
	cr_assert_eq(engine->ops->poll(channel, 0, done, 3), 2);
	cr_expect_eq(done[0], &one);
	cr_expect_eq(done[1], &three);
}

static void expect_refused(const char *spec, const char *expected)
{
	const struct engine_env env = {0};

	cr_expect_eq(engine_open(spec, &env, &engine, why, sizeof(why)), -EINVAL, "%s", spec);
	cr_expect(strstr(why, expected), "%s: says '%s', want '%s'", spec, why, expected);
	engine = NULL;
}

Test(sdxi_engine, bad_parameters_are_named)
{
	expect_refused("sdxi:hardware", "hardware");
	expect_refused("sdxi:models", "models");
	expect_refused("sdxi:model,speed=3", "speed=3");
	expect_refused("sdxi:model,gbps=0", "gbps=0");
	expect_refused("sdxi:model,gbps", "gbps");
	expect_refused("sdxi:model,engines=17", "engines=17");
	expect_refused("sdxi:model,inline=1", "inline=1");
	expect_refused("sdxi:model,null=1", "null=1");
	expect_refused("sdxi:model,faults=gremlins", "gremlins");
	expect_refused("sdxi:model,inline,faults=all", "stray");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Each missing link has a message of its own. */
Test(sdxi_engine, probe_says_what_is_missing)
{
	char root[] = "/tmp/sdxi-probe-XXXXXX", command[512];

	cr_assert(mkdtemp(root));
	cr_expect_eq(sdxi_device_probe(root, root, why, sizeof(why)), -ENODEV);
	cr_expect(strstr(why, "no SDXI hardware"), "%s", why);

	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p dev sys/bus/pci/devices/0000:c2:00.1 "
		 "sys/bus/pci/devices/0000:00:00.0 sys/bus/pci/drivers/sdxi",
		 root);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(chdir(root), 0);
	write_file("sys/bus/pci/devices/0000:00:00.0/vendor", "0x1022\n");
	write_file("sys/bus/pci/devices/0000:00:00.0/device", "0x1234\n");
	write_file("sys/bus/pci/devices/0000:c2:00.1/vendor", "0x1022\n");
	write_file("sys/bus/pci/devices/0000:c2:00.1/device", "0x14dc\n");
	cr_expect_eq(sdxi_device_probe(root, root, why, sizeof(why)), -ENODEV);
	cr_expect(strstr(why, "0000:c2:00.1 has no driver"), "%s", why);

	cr_assert_eq(symlink("../../drivers/sdxi", "sys/bus/pci/devices/0000:c2:00.1/driver"), 0);
	cr_expect_eq(sdxi_device_probe(root, root, why, sizeof(why)), -ENODEV);
	cr_expect(strstr(why, "driven by sdxi"), "%s", why);

	write_file("dev/sdxi", "");
	cr_expect_eq(sdxi_device_probe(root, root, why, sizeof(why)), -EOPNOTSUPP);
	snprintf(command, sizeof(command), "rm -r %s", root);
	cr_expect_eq(system(command), 0);
}

Test(sdxi_engine, never_chosen_by_itself)
{
	const char *params;
	const struct engine_ops *ops = engine_find("sdxi", &params);

	cr_assert_not_null(ops);
	cr_expect_lt(ops->priority, 0);
}

Test(sdxi_engine, as_many_channels_as_contexts)
{
	struct engine_channel *more[64];
	unsigned int nr = 0;

	open_engine("sdxi:model,inline");
	while (nr < 64 && !engine->ops->channel_open(engine, -1, &more[nr]))
		nr++;
	cr_expect_eq(nr, 63);
	while (nr)
		engine->ops->channel_close(more[--nr]);
	cr_expect_eq(engine->ops->channel_open(engine, -1, &more[0]), 0, "contexts are given back");
	engine->ops->channel_close(more[0]);
}
