// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The decisions of the DSA engine: batches and singles, the share of each device, and what happens
 * when a device stops. Models are stepped: one thread, the same in every run.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vault.h"
#include "engines/dsa/dsa.h"
#include "models/dsa/dsa_model.h"

#define MAX_ITEMS 300

static struct engine *engine;
static struct engine_channel *channel;
static struct engine_item items[MAX_ITEMS];
static struct engine_batch batch;
static uint8_t *src, *dst;

static struct dsa_engine *dsa_engine_of_test(void)
{
	return CONTAINER_OF(engine, struct dsa_engine, engine);
}

static void open_engine(const char *spec)
{
	struct engine_env env = {0};
	char why[512];

	cr_assert_eq(engine_open(spec, &env, &engine, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
}

static void close_engine(void)
{
	engine->ops->channel_close(channel);
	if (dsa_engine_of_test()->model)
		cr_expect_eq(dsa_model_all_breaches(dsa_engine_of_test()->model), 0);
	engine_close(engine);
}

static uint64_t counter_total(unsigned int counter)
{
	uint64_t total[NR_DSA_CTRS];

	counts_total(&dsa_engine_of_test()->counts, total);
	return total[counter];
}

static uint64_t fallback_items(enum dsa_reason reason)
{
	return counter_total(DSA_CTR_FALLBACK + reason);
}

static uint64_t fallback_bytes(enum dsa_reason reason)
{
	return counter_total(DSA_CTR_FALLBACK + NR_DSA_REASONS + reason);
}

static uint64_t status_total(uint8_t status)
{
	return counter_total(DSA_CTR_STATUS + status);
}

static uint8_t *map_area(size_t len_bytes)
{
	void *p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	return p;
}

static void make_batch(uint32_t nr_items, uint32_t len_bytes)
{
	size_t stride = ALIGN_UP(len_bytes, (uint32_t)PAGE_BYTES);

	src = map_area(nr_items * stride);
	dst = map_area(nr_items * stride);
	for (size_t i = 0; i < nr_items * stride; i++)
		src[i] = (uint8_t)(i ^ i >> 7 ^ i >> 15);
	for (uint32_t i = 0; i < nr_items; i++)
		items[i] = (struct engine_item){
			.dst = dst + i * stride, .src = src + i * stride, .len_bytes = len_bytes};
	batch = (struct engine_batch){
		.items = items, .nr_items = nr_items, .bytes = (uint64_t)nr_items * len_bytes};
}

static void poll_all(void)
{
	struct engine_batch *done = NULL;

	for (int i = 0; i < 100 && !engine->ops->poll(channel, 100000000, &done, 1); i++)
		;
	cr_assert_eq(done, &batch);
}

static void all_copied(void)
{
	for (uint32_t i = 0; i < batch.nr_items; i++) {
		cr_assert_eq(items[i].state, ENGINE_COPIED, "item %u: %u", i, items[i].state);
		cr_assert_eq(memcmp(items[i].dst, items[i].src, items[i].len_bytes), 0);
	}
}

static void copy_items_through(uint32_t nr_items, uint32_t len_bytes)
{
	make_batch(nr_items, len_bytes);
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_QUEUED);
	poll_all();
}

Test(dsa_engine, batches_up_to_the_limit)
{
	open_engine("dsa:model,stepped");
	copy_items_through(96, PAGE_BYTES);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_BATCHES), 3);
	cr_expect_eq(counter_total(DSA_CTR_SINGLES), 0);
	cr_expect_eq(counter_total(DSA_CTR_DESCRIPTORS), 96);
	close_engine();
}

Test(dsa_engine, a_batch_of_one_is_a_single)
{
	open_engine("dsa:model,stepped");
	copy_items_through(33, PAGE_BYTES);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_BATCHES), 1);
	cr_expect_eq(counter_total(DSA_CTR_SINGLES), 1);
	close_engine();
}

Test(dsa_engine, smaller_batches_on_request)
{
	open_engine("dsa:model,stepped,batch=8");
	copy_items_through(64, PAGE_BYTES);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_BATCHES), 8);
	close_engine();
}

Test(dsa_engine, no_batches_by_write)
{
	open_engine("dsa:model,stepped,mode=write");
	copy_items_through(50, PAGE_BYTES);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_BATCHES), 0);
	cr_expect_eq(counter_total(DSA_CTR_SINGLES), 50);
	cr_expect(strstr(dsa_engine_of_test()->portals[0].refusals, "rawio=0"));
	cr_expect(strstr(dsa_engine_of_test()->portals[0].refusals, "batch"));
	close_engine();
}

Test(dsa_engine, huge_pages_are_split_over_devices)
{
	open_engine("dsa:model,stepped,devices=4");
	copy_items_through(1, HUGE_BYTES);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_SINGLES), 4);
	cr_expect_eq(counter_total(DSA_CTR_BYTES), HUGE_BYTES);
	close_engine();
}

Test(dsa_engine, nothing_exceeds_the_transfer_size)
{
	open_engine("dsa:model,stepped,max_transfer=65536");
	copy_items_through(3, 1000000);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_DESCRIPTORS), 3 * 16);
	close_engine();
}

/* One batch with more items than a channel has pieces. */
Test(dsa_engine, long_batches)
{
	open_engine("dsa:model,stepped,max_transfer=4096,max_batch=4");
	copy_items_through(10, 4 << 20);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_DESCRIPTORS), 10240);
	close_engine();
}

Test(dsa_engine, an_empty_batch_is_done)
{
	open_engine("dsa:model,stepped");
	batch = (struct engine_batch){.items = items};
	cr_expect_eq(engine->ops->submit(channel, &batch), ENGINE_DONE);
	close_engine();
}

Test(dsa_engine, many_batches_then_busy)
{
	static struct engine_batch batches[65];
	struct engine_batch *done[64];
	uint32_t nr = 0, accepted = 0;

	open_engine("dsa:model,stepped,wq_size=2");
	make_batch(65, PAGE_BYTES);
	for (uint32_t i = 0; i < 65; i++) {
		batches[i] = (struct engine_batch){.items = &items[i], .nr_items = 1};
		accepted += engine->ops->submit(channel, &batches[i]) == ENGINE_QUEUED;
	}
	cr_expect_eq(accepted, 64);
	for (int i = 0; i < 1000 && nr < accepted; i++)
		nr += engine->ops->poll(channel, 100000000, done, 64);
	cr_expect_eq(nr, 64);
	cr_expect_eq(items[64].state, 0, "what is refused is not touched");
	close_engine();
}

Test(dsa_engine, part_of_it_by_cpu)
{
	open_engine("dsa:model,stepped,cpu_fraction=25");
	copy_items_through(32, PAGE_BYTES);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_CPU_BYTES), 8 * PAGE_BYTES);
	cr_expect_eq(counter_total(DSA_CTR_DESCRIPTORS), 24);
	close_engine();
}

Test(dsa_engine, verified_by_crc)
{
	open_engine("dsa:model,stepped,verify=crc");
	copy_items_through(32, PAGE_BYTES);
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_DESCRIPTORS), 64, "each is copied, then checked");
	close_engine();
}

Test(dsa_engine, the_null_model_copies_nothing_and_says_so)
{
	open_engine("dsa:model,null");
	copy_items_through(32, PAGE_BYTES);
	for (uint32_t i = 0; i < 32; i++) {
		cr_expect_eq(items[i].state, ENGINE_NOT_ATTEMPTED);
		cr_expect_eq(items[i].detail, DSA_COMP_SUCCESS);
	}
	close_engine();
}

Test(dsa_engine, pages_that_are_not_there_are_made)
{
	open_engine("dsa:model,stepped");
	make_batch(32, PAGE_BYTES);
	madvise(dst, 32 * PAGE_BYTES, MADV_DONTNEED);
	engine->ops->submit(channel, &batch);
	poll_all();
	all_copied();
	cr_expect_eq(counter_total(DSA_CTR_FAULT_WRITE), 32);
	cr_expect_eq(counter_total(DSA_CTR_RESUMED), 32);
	close_engine();
}

Test(dsa_engine, addresses_that_do_not_exist_are_faults)
{
	open_engine("dsa:model,stepped");
	make_batch(8, PAGE_BYTES);
	munmap(dst + 3 * PAGE_BYTES, PAGE_BYTES);
	engine->ops->submit(channel, &batch);
	poll_all();
	for (uint32_t i = 0; i < 8; i++)
		cr_expect_eq(items[i].state, i == 3 ? ENGINE_FAULT : ENGINE_COPIED);
	cr_expect_eq(items[3].detail, 0x83);
	cr_expect_eq(fallback_items(DSA_REASON_FAULT), 1);
	cr_expect_eq(fallback_bytes(DSA_REASON_FAULT), PAGE_BYTES);
	close_engine();
}

Test(dsa_engine, faults_are_left_to_the_cpu_on_request)
{
	open_engine("dsa:model,stepped,on_partial=cpu");
	make_batch(32, PAGE_BYTES);
	madvise(dst, PAGE_BYTES, MADV_DONTNEED);
	engine->ops->submit(channel, &batch);
	poll_all();
	cr_expect_eq(items[0].state, ENGINE_FAULT);
	cr_expect_eq(items[1].state, ENGINE_COPIED);
	cr_expect_eq(counter_total(DSA_CTR_RESUMED), 0);
	cr_expect_eq(fallback_items(DSA_REASON_FAULT), 1);
	cr_expect_eq(fallback_bytes(DSA_REASON_FAULT), PAGE_BYTES);
	close_engine();
}

/* --- what is counted --- */

/* Exactly one record for the batch and one for each descriptor. */
Test(dsa_engine, statuses_are_counted_by_record)
{
	open_engine("dsa:model,stepped,on_partial=cpu");
	copy_items_through(32, PAGE_BYTES);
	cr_expect_eq(status_total(DSA_COMP_SUCCESS), 33);
	make_batch(32, PAGE_BYTES);
	madvise(dst, PAGE_BYTES, MADV_DONTNEED);
	engine->ops->submit(channel, &batch);
	poll_all();
	cr_expect_eq(status_total(DSA_COMP_SUCCESS), 33 + 31);
	cr_expect_eq(status_total(DSA_COMP_BATCH_FAIL), 1);
	cr_expect_eq(status_total(DSA_COMP_PAGE_FAULT_NOBOF | DSA_COMP_STATUS_WRITE), 1);
	cr_expect_eq(counter_total(DSA_CTR_FAULT_WRITE), 1);
	cr_expect_eq(counter_total(DSA_CTR_FAULT_READ), 0);
	copy_items_through(1, PAGE_BYTES);
	cr_expect_eq(status_total(DSA_COMP_SUCCESS), 33 + 31 + 1);
	close_engine();
}

/* The CPU copies the whole item, however many of its pieces failed. */
Test(dsa_engine, an_item_is_left_once)
{
	open_engine("dsa:model,stepped,devices=4,on_partial=cpu");
	make_batch(1, HUGE_BYTES);
	madvise(dst, HUGE_BYTES, MADV_DONTNEED);
	engine->ops->submit(channel, &batch);
	poll_all();
	cr_expect_eq(items[0].state, ENGINE_FAULT);
	cr_expect_geq(counter_total(DSA_CTR_FAULT_WRITE), 4);
	cr_expect_eq(fallback_items(DSA_REASON_FAULT), 1);
	cr_expect_eq(fallback_bytes(DSA_REASON_FAULT), HUGE_BYTES);
	close_engine();
}

Test(dsa_engine, what_the_null_device_leaves_is_counted)
{
	open_engine("dsa:model,null");
	copy_items_through(40, PAGE_BYTES);
	for (uint32_t i = 0; i < 40; i++)
		cr_expect_eq(items[i].state, ENGINE_NOT_ATTEMPTED);
	cr_expect_eq(fallback_items(DSA_REASON_NULL), 40);
	cr_expect_eq(fallback_bytes(DSA_REASON_NULL), 40 * PAGE_BYTES);
	close_engine();
}

/* The totals include channels that are closed. */
Test(dsa_engine, counts_outlive_their_channel)
{
	open_engine("dsa:model,stepped");
	copy_items_through(32, PAGE_BYTES);
	engine->ops->channel_close(channel);
	cr_expect_eq(counter_total(DSA_CTR_DESCRIPTORS), 32);
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
	copy_items_through(32, PAGE_BYTES);
	cr_expect_eq(counter_total(DSA_CTR_DESCRIPTORS), 64);
	close_engine();
}

static void find_names(void *arg, const char *name, uint64_t value)
{
	unsigned int *found = arg;

	*found |= !strcmp(name, "status.success") && value == 33 ? 1 : 0;
	*found |= !strcmp(name, "descriptors") && value == 32 ? 2 : 0;
	*found |= !strcmp(name, "fallback.queue_full.bytes") && value == 0 ? 4 : 0;
	*found |= !strncmp(name, "status.", 7) && strcmp(name, "status.success") ? 8 : 0;
}

Test(dsa_engine, counters_have_names)
{
	unsigned int found = 0;

	open_engine("dsa:model,stepped");
	copy_items_through(32, PAGE_BYTES);
	engine->ops->counters(engine, find_names, &found);
	cr_expect_eq(found, 7, "found %x", found);
	close_engine();
}

/* --- devices that stop --- */

Test(dsa_engine, a_device_that_hangs_for_ever)
{
	open_engine("dsa:model,stepped,timeout_us=1000,hang_ns=0,faults=hang:1000000");
	copy_items_through(32, PAGE_BYTES);
	for (uint32_t i = 0; i < 32; i++)
		cr_expect_eq(items[i].state, ENGINE_STRAY);
	for (int i = 0; i < 100; i++)
		cr_assert_not(engine->ops->quiet(channel), "it may still write");
	cr_expect_eq(counter_total(DSA_CTR_DRAINS), 1, "one drain is asked for, not a hundred");
	cr_expect_eq(fallback_items(DSA_REASON_HUNG), 32);
	cr_expect_eq(fallback_bytes(DSA_REASON_HUNG), 32 * PAGE_BYTES);
	make_batch(4, PAGE_BYTES);
	cr_expect_eq(engine->ops->submit(channel, &batch), ENGINE_DONE, "nothing more is sent");
	for (uint32_t i = 0; i < 4; i++)
		cr_expect_eq(items[i].state, ENGINE_NOT_ATTEMPTED);
	cr_expect_eq(fallback_items(DSA_REASON_NO_DEVICE), 4);
	cr_expect_eq(fallback_bytes(DSA_REASON_NO_DEVICE), 4 * PAGE_BYTES);
	close_engine();
}

Test(dsa_engine, a_record_that_never_comes_is_quiet_after_a_drain)
{
	bool quiet = false;

	open_engine("dsa:model,stepped,timeout_us=1000,faults=lost:1000000");
	copy_items_through(32, PAGE_BYTES);
	for (uint32_t i = 0; i < 32; i++)
		cr_expect(items[i].state == ENGINE_COPIED || items[i].state == ENGINE_STRAY);
	for (int i = 0; i < 1000 && !quiet; i++)
		quiet = engine->ops->quiet(channel);
	cr_expect(quiet);
	cr_expect_eq(counter_total(DSA_CTR_DRAINS), 1);
	close_engine();
}

/* --- portals whose submissions a test watches --- */

static const struct dsa_portal_ops *watched_ops;
static struct dsa_portal_ops watching_ops;
static uint32_t nr_drains_to_fail;

static int fail_drains(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	struct dsa_completion_record *cr = (void *)(uintptr_t)descs->completion_addr;

	if (descs->opcode != DSA_OPCODE_DRAIN || !nr_drains_to_fail)
		return watched_ops->submit(portal, descs, nr);
	nr_drains_to_fail--;
	cr->status = DSA_COMP_TRANSLATION_FAIL;
	return 1;
}

static void watch_portal(struct dsa_portal *portal,
			 int (*submit)(struct dsa_portal *, const struct dsa_hw_desc *, uint32_t))
{
	watched_ops = portal->ops;
	watching_ops = *portal->ops;
	watching_ops.submit = submit;
	portal->ops = &watching_ops;
}

/* Only success of a drain means that nothing is written any more. */
Test(dsa_engine, a_drain_that_fails_settles_nothing)
{
	bool quiet = false;

	open_engine("dsa:model,stepped,timeout_us=1000,faults=lost:1000000");
	copy_items_through(32, PAGE_BYTES);
	watch_portal(&dsa_engine_of_test()->portals[0], fail_drains);
	nr_drains_to_fail = 1;
	cr_expect_not(engine->ops->quiet(channel), "the drain is out");
	cr_expect_not(engine->ops->quiet(channel), "it has failed");
	for (int i = 0; i < 1000 && !quiet; i++)
		quiet = engine->ops->quiet(channel);
	cr_expect(quiet);
	cr_expect_eq(counter_total(DSA_CTR_DRAINS), 2, "a second one has succeeded");
	close_engine();
}

/* The vault keeps blocks that were freed, and returns them first. */
static bool was_freed(const void *memory, size_t len_bytes)
{
	unsigned char present;
	void *block[32];
	bool found = false;

	if (mincore((void *)memory, PAGE_BYTES, &present))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(block); i++) {
		cr_assert_eq(vault_alloc(len_bytes, &block[i]), 0);
		found |= block[i] == memory;
	}
	for (size_t i = 0; i < ARRAY_SIZE(block); i++)
		vault_free(block[i], len_bytes);
	return found;
}

static bool channel_is_freed(void)
{
	struct dsa_channel *ch = CONTAINER_OF(channel, struct dsa_channel, channel);
	size_t len_bytes = ch->map_bytes;

	engine->ops->channel_close(channel);
	return was_freed(ch, len_bytes);
}

/* A hung device may write the records in the channel at any time. */
Test(dsa_engine, a_channel_outlives_a_device_that_hangs)
{
	open_engine("dsa:model,stepped,timeout_us=1000,hang_ns=0,faults=hang:1000000");
	copy_items_through(32, PAGE_BYTES);
	cr_expect_not(channel_is_freed());
	engine_close(engine);

	open_engine("dsa:model,stepped");
	copy_items_through(32, PAGE_BYTES);
	cr_expect(channel_is_freed(), "else it is freed");
	engine_close(engine);
}

Test(dsa_engine, the_other_devices_go_on)
{
	open_engine("dsa:model,stepped,devices=3,timeout_us=300000");
	dsa_model_halt(dsa_engine_of_test()->model, 1);
	for (int i = 0; i < 20; i++) {
		copy_items_through(32, PAGE_BYTES);
		for (uint32_t n = 0; n < 32; n++)
			cr_assert(items[n].state == ENGINE_COPIED ||
				  items[n].state == ENGINE_STRAY ||
				  items[n].state == ENGINE_NOT_ATTEMPTED);
	}
	all_copied();
	close_engine();
}

/* A device that halts before the first submission reports nothing: it just accepts nothing. */
Test(dsa_engine, a_queue_that_stays_full)
{
	open_engine("dsa:model,stepped,timeout_us=1000");
	dsa_model_halt(dsa_engine_of_test()->model, 0);
	copy_items_through(8, PAGE_BYTES);
	for (uint32_t i = 0; i < 8; i++)
		cr_expect_eq(items[i].state, ENGINE_NOT_ATTEMPTED);
	cr_expect_eq(fallback_items(DSA_REASON_FULL), 8);
	cr_expect_eq(fallback_bytes(DSA_REASON_FULL), 8 * PAGE_BYTES);
	cr_expect(engine->ops->quiet(channel));
	close_engine();
}

/* --- which device --- */

static char root[] = "/tmp/dsa-engine-XXXXXX";

static void put_number(const char *fmt, int n, const char *value)
{
	char path[256], *slash;
	int at = snprintf(path, sizeof(path), "%s/", root);
	FILE *f;

	snprintf(path + at, sizeof(path) - (size_t)at, fmt, n);
	for (slash = path + at; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0755);
	}
	f = fopen(path, "w");
	cr_assert(f);
	fputs(value, f);
	fclose(f);
}

/* Nodes 0 and 1 in package 0, node 2 in package 1; node 3 has no CPUs. */
static void make_machine(void)
{
	cr_assert(mkdtemp(root));
	for (int node = 0; node < 3; node++) {
		char cpu[8];

		snprintf(cpu, sizeof(cpu), "%d", node);
		put_number("devices/system/node/node%d/cpulist", node, cpu);
		put_number("devices/system/cpu/cpu%d/topology/physical_package_id", node,
			   node < 2 ? "0" : "1");
	}
	put_number("devices/system/node/node%d/cpulist", 3, "\n");
	setenv("FERRY_SYSFS_ROOT", root, 1);
}

static void remove_machine(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	cr_expect_eq(system(command), 0);
}

static void place_device(uint32_t device, int node, int package)
{
	dsa_engine_of_test()->portals[device].queue.node = node;
	dsa_engine_of_test()->portals[device].queue.package = package;
}

static uint32_t nr_near(int near_node, uint64_t *which)
{
	struct engine_channel *probe;
	struct dsa_channel *ch;
	uint32_t nr = 0;

	cr_assert_eq(engine->ops->channel_open(engine, near_node, &probe), 0);
	ch = CONTAINER_OF(probe, struct dsa_channel, channel);
	*which = 0;
	for (uint32_t i = 0; i < ch->nr_portals; i++) {
		nr += ch->portals[i].near;
		*which |= (uint64_t)ch->portals[i].near << i;
	}
	engine->ops->channel_close(probe);
	return nr;
}

Test(dsa_engine, devices_in_the_package_of_the_destination, .fini = remove_machine)
{
	uint64_t which;

	make_machine();
	open_engine("dsa:model,stepped,devices=3");
	place_device(0, 0, 0);
	place_device(1, 1, 0);
	place_device(2, 2, 1);
	cr_expect_eq(nr_near(0, &which), 2);
	cr_expect_eq(which, 3);
	cr_expect_eq(nr_near(2, &which), 1);
	cr_expect_eq(which, 4);
	cr_expect_eq(nr_near(3, &which), 3, "memory without CPUs belongs to no package");
	cr_expect_eq(nr_near(-1, &which), 3);
	close_engine();
}

Test(dsa_engine, far_devices_when_the_near_ones_are_dead, .fini = remove_machine)
{
	struct engine_channel *near;

	make_machine();
	open_engine("dsa:model,stepped,devices=2,timeout_us=300000");
	place_device(0, 0, 0);
	place_device(1, 2, 1);
	cr_assert_eq(engine->ops->channel_open(engine, 0, &near), 0);
	engine->ops->channel_close(channel);
	channel = near;
	copy_items_through(32, PAGE_BYTES);
	all_copied();
	cr_expect_eq(dsa_model_outstanding(dsa_engine_of_test()->model, 1), 0);
	dsa_engine_of_test()->portals[0].dead = true;
	copy_items_through(32, PAGE_BYTES);
	all_copied();
	close_engine();
}
