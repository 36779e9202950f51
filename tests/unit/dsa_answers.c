// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the DSA engine makes of a device's answers, one by one: here the test is the device. It
 * keeps the descriptors that the engine submits, and writes their records.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "base/vault.h"
#include "engines/dsa/dsa.h"
#include "models/dsa/dsa_model.h"

#define MAX_SENT  64
#define MAX_ITEMS 32

struct sent {
	struct dsa_portal *portal;
	struct dsa_hw_desc desc;
};

static struct sent sent[MAX_SENT];
static uint32_t nr_sent;
static uint32_t room = UINT32_MAX; /* descriptors that the device still accepts */
static struct dsa_portal_ops device_ops;
static struct engine *engine;
static struct engine_channel *channel;
static struct engine_item items[MAX_ITEMS];
static struct engine_batch batch;

static int device_take(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	uint32_t taken = 0;

	for (; taken < nr && room; taken++, room--) {
		cr_assert_lt(nr_sent, MAX_SENT);
		sent[nr_sent++] = (struct sent){portal, descs[taken]};
	}
	return (int)taken;
}

static struct dsa_channel *dsa_channel_of_test(void)
{
	return CONTAINER_OF(channel, struct dsa_channel, channel);
}

static void open_engine(const char *spec)
{
	struct engine_env env = {0};
	struct dsa_engine *dsa;
	char why[512];

	cr_assert_eq(engine_open(spec, &env, &engine, why, sizeof(why)), 0, "%s", why);
	dsa = CONTAINER_OF(engine, struct dsa_engine, engine);
	device_ops = *dsa->portals[0].ops;
	device_ops.submit = device_take;
	device_ops.idle = NULL;
	for (uint32_t i = 0; i < dsa->nr_portals; i++)
		dsa->portals[i].ops = &device_ops;
	cr_assert_eq(engine->ops->channel_open(engine, -1, &channel), 0);
}

static void close_engine(void)
{
	engine->ops->channel_close(channel);
	engine_close(engine);
}

static uint8_t *map_area(size_t len_bytes)
{
	void *p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	madvise(p, len_bytes, MADV_NOHUGEPAGE);
	return p;
}

static void submit_items(uint32_t nr_items, uint32_t len_bytes)
{
	uint8_t *src = map_area(nr_items * (size_t)len_bytes + PAGE_BYTES);
	uint8_t *dst = map_area(nr_items * (size_t)len_bytes + PAGE_BYTES);

	for (uint32_t i = 0; i < nr_items; i++)
		items[i] = (struct engine_item){.dst = dst + 64 + i * (size_t)len_bytes,
						.src = src + 64 + i * (size_t)len_bytes,
						.len_bytes = len_bytes,
						.detail = 0xee};
	batch = (struct engine_batch){
		.items = items, .nr_items = nr_items, .bytes = nr_items * (uint64_t)len_bytes};
	cr_assert_eq(engine->ops->submit(channel, &batch), ENGINE_QUEUED);
}

static void put_record(uint64_t addr, struct dsa_completion_record cr)
{
	struct dsa_completion_record *to = (void *)(uintptr_t)addr;
	uint8_t status = cr.status;

	cr.status = 0;
	*to = cr;
	__atomic_store_n(&to->status, status, __ATOMIC_RELEASE);
}

/* The answer to the ith descriptor. */
static void answer(uint32_t i, struct dsa_completion_record cr)
{
	cr_assert_lt(i, nr_sent);
	put_record(sent[i].desc.completion_addr, cr);
}

#define ANSWER(i, ...) answer(i, (struct dsa_completion_record){__VA_ARGS__})

static const struct dsa_hw_desc *listed(uint32_t i)
{
	return (const void *)(uintptr_t)sent[i].desc.desc_list_addr;
}

/* True once the batch has ended. */
static bool look(void)
{
	struct engine_batch *done = NULL;

	return engine->ops->poll(channel, 0, &done, 1) == 1 && done == &batch;
}

static void look_until_ended(void)
{
	for (uint64_t n = 0; !look(); n++)
		cr_assert_lt(n, 1000000000);
}

static void expect_item(uint32_t i, enum engine_state state, uint8_t detail)
{
	cr_expect_eq(items[i].state, state, "item %u: state %u", i, items[i].state);
	cr_expect_eq(items[i].detail, detail, "item %u: detail %#x", i, items[i].detail);
}

Test(dsa_answers, refusals_are_not_attempted)
{
	static const uint8_t first = DSA_COMP_BAD_OPCODE, last = DSA_COMP_TRAFFIC_CLASS_CONF;

	open_engine("dsa:model,stepped,batch=1");
	submit_items(4, PAGE_BYTES);
	ANSWER(0, .status = first);
	ANSWER(1, .status = last);
	ANSWER(2, .status = (uint8_t)(last + 1));
	ANSWER(3, .status = (uint8_t)(first - 1));
	look_until_ended();
	expect_item(0, ENGINE_NOT_ATTEMPTED, first);
	expect_item(1, ENGINE_NOT_ATTEMPTED, last);
	expect_item(2, ENGINE_ERROR, (uint8_t)(last + 1));
	expect_item(3, ENGINE_ERROR, (uint8_t)(first - 1));
	close_engine();
}

Test(dsa_answers, a_resumed_copy)
{
	open_engine("dsa:model,stepped,batch=1");
	submit_items(1, PAGE_BYTES);
	ANSWER(0, .status = DSA_COMP_PAGE_FAULT_NOBOF, .bytes_completed = 1000);
	cr_assert_not(look());
	cr_expect_eq(sent[1].desc.src_addr, (uintptr_t)items[0].src + 1000);
	cr_expect_eq(sent[1].desc.dst_addr, (uintptr_t)items[0].dst + 1000);
	cr_expect_eq(sent[1].desc.xfer_size, PAGE_BYTES - 1000);
	/* From the end: the addresses remain. */
	ANSWER(1, .status = DSA_COMP_PAGE_FAULT_NOBOF, .result = 1, .bytes_completed = 96);
	cr_assert_not(look());
	cr_expect_eq(sent[2].desc.src_addr, (uintptr_t)items[0].src + 1000);
	cr_expect_eq(sent[2].desc.dst_addr, (uintptr_t)items[0].dst + 1000);
	cr_expect_eq(sent[2].desc.xfer_size, 3000);
	/* A refusal: but parts of the item have been written. */
	ANSWER(2, .status = DSA_COMP_BAD_OPCODE);
	cr_expect(look());
	expect_item(0, ENGINE_ERROR, DSA_COMP_BAD_OPCODE);
	close_engine();
}

Test(dsa_answers, eight_resumptions)
{
	open_engine("dsa:model,stepped,batch=1");
	submit_items(1, PAGE_BYTES);
	for (uint32_t i = 0; i < 8; i++) {
		ANSWER(i, .status = DSA_COMP_PAGE_FAULT_NOBOF);
		cr_assert_not(look());
	}
	ANSWER(8, .status = DSA_COMP_PAGE_FAULT_NOBOF);
	cr_expect(look());
	cr_expect_eq(nr_sent, 9);
	expect_item(0, ENGINE_FAULT, DSA_COMP_PAGE_FAULT_NOBOF);
	close_engine();
}

/* The item begins and ends within a page. */
Test(dsa_answers, every_page_is_made_present)
{
	unsigned char present[3];
	uint8_t *page;

	open_engine("dsa:model,stepped,batch=1");
	submit_items(1, 2 * PAGE_BYTES);
	page = (uint8_t *)items[0].dst - 64;
	madvise(page, 3 * PAGE_BYTES, MADV_DONTNEED);
	ANSWER(0, .status = DSA_COMP_PAGE_FAULT_NOBOF | DSA_COMP_STATUS_WRITE);
	cr_assert_not(look());
	cr_assert_eq(mincore(page, 3 * PAGE_BYTES, present), 0);
	cr_expect(present[0] & present[1] & present[2] & 1);
	close_engine();
}

/* Resumed, and then the queue accepts nothing more: the item is half copied. */
Test(dsa_answers, an_abandoned_half)
{
	open_engine("dsa:model,stepped,batch=1,timeout_us=1000");
	room = 1;
	submit_items(3, PAGE_BYTES);
	ANSWER(0, .status = DSA_COMP_PAGE_FAULT_NOBOF, .bytes_completed = 1000);
	look_until_ended();
	expect_item(0, ENGINE_ERROR, 0);
	expect_item(1, ENGINE_NOT_ATTEMPTED, 0);
	expect_item(2, ENGINE_NOT_ATTEMPTED, 0);
	cr_expect_eq(dsa_channel_of_test()->waiting_bytes, 0);
	close_engine();
}

Test(dsa_answers, a_batch_that_a_fence_or_an_error_ended)
{
	open_engine("dsa:model,stepped");
	submit_items(3, PAGE_BYTES);
	cr_assert_eq(sent[0].desc.opcode, DSA_OPCODE_BATCH);
	put_record(listed(0)[0].completion_addr,
		   (struct dsa_completion_record){.status = DSA_COMP_SUCCESS});
	put_record(listed(0)[1].completion_addr,
		   (struct dsa_completion_record){.status = DSA_COMP_HW_ERR1});
	ANSWER(0, .status = DSA_COMP_BATCH_FAIL, .bytes_completed = 2);
	cr_expect(look());
	expect_item(0, ENGINE_COPIED, DSA_COMP_SUCCESS);
	expect_item(1, ENGINE_ERROR, DSA_COMP_HW_ERR1);
	expect_item(2, ENGINE_NOT_ATTEMPTED, 0);
	close_engine();
}

Test(dsa_answers, a_list_that_cannot_be_read)
{
	open_engine("dsa:model,stepped");
	submit_items(2, PAGE_BYTES);
	for (uint32_t i = 0; i < 8; i++) {
		ANSWER(i, .status = DSA_COMP_BATCH_PAGE_FAULT);
		cr_assert_not(look());
	}
	ANSWER(8, .status = DSA_COMP_BATCH_PAGE_FAULT);
	cr_expect(look());
	expect_item(0, ENGINE_NOT_ATTEMPTED, 0);
	expect_item(1, ENGINE_NOT_ATTEMPTED, 0);
	close_engine();
}

/* The second record of its operation still holds what an earlier batch reported. */
Test(dsa_answers, a_single_that_hangs_after_a_batch)
{
	open_engine("dsa:model,stepped,timeout_us=1000");
	submit_items(2, PAGE_BYTES);
	for (uint32_t i = 0; i < 2; i++)
		put_record(listed(0)[i].completion_addr,
			   (struct dsa_completion_record){.status = DSA_COMP_SUCCESS});
	ANSWER(0, .status = DSA_COMP_SUCCESS);
	cr_assert(look());
	submit_items(1, PAGE_BYTES);
	look_until_ended();
	expect_item(0, ENGINE_STRAY, 0);
	close_engine();
}

Test(dsa_answers, a_wrong_crc)
{
	open_engine("dsa:model,stepped,batch=1,verify=crc");
	submit_items(2, PAGE_BYTES);
	ANSWER(0, .status = DSA_COMP_SUCCESS, .crc_val = 5);
	ANSWER(1, .status = DSA_COMP_SUCCESS, .crc_val = 5);
	cr_assert_not(look());
	cr_assert_eq(nr_sent, 4);
	for (uint32_t i = 2; i < 4; i++)
		ANSWER(i, .status = DSA_COMP_SUCCESS,
		       .crc_val = sent[i].desc.src_addr == (uintptr_t)items[0].dst ? 5 : 6);
	cr_expect(look());
	expect_item(0, ENGINE_COPIED, DSA_COMP_SUCCESS);
	expect_item(1, ENGINE_ERROR, DSA_COMP_SUCCESS);
	close_engine();
}

/* ---- items in pieces, one for each device --------------------------------------------------- */

#define LARGE (512U << 10)

static void expect_pieces(uint8_t a, uint8_t b, enum engine_state state)
{
	submit_items(1, LARGE);
	cr_assert_eq(nr_sent, 2);
	cr_assert_neq(sent[0].portal, sent[1].portal);
	if (a)
		ANSWER(0, .status = a);
	if (b)
		ANSWER(1, .status = b);
	look_until_ended();
	cr_expect_eq(items[0].state, state, "%#x and %#x: state %u", a, b, items[0].state);
	nr_sent = 0;
}

Test(dsa_answers, the_worse_of_two_pieces)
{
	static const uint8_t ok = DSA_COMP_SUCCESS, refused = DSA_COMP_BAD_OPCODE;
	static const uint8_t fault = DSA_COMP_PAGE_FAULT_NOBOF, broken = DSA_COMP_HW_ERR1;

	open_engine("dsa:model,stepped,devices=2,on_partial=cpu,timeout_us=1000");
	expect_pieces(ok, ok, ENGINE_COPIED);
	expect_pieces(refused, refused, ENGINE_NOT_ATTEMPTED);
	expect_pieces(ok, refused, ENGINE_ERROR);
	expect_pieces(refused, ok, ENGINE_ERROR);
	expect_pieces(fault, ok, ENGINE_FAULT);
	expect_pieces(ok, fault, ENGINE_FAULT);
	expect_pieces(broken, fault, ENGINE_FAULT);
	expect_pieces(broken, ok, ENGINE_ERROR);
	/* The last: the other device is not used again. */
	expect_pieces(0, fault, ENGINE_STRAY);
	close_engine();
}

Test(dsa_answers, a_stray_piece_that_ends_last)
{
	open_engine("dsa:model,stepped,devices=2,on_partial=cpu,timeout_us=1000");
	expect_pieces(DSA_COMP_PAGE_FAULT_NOBOF, 0, ENGINE_STRAY);
	close_engine();
}

/* ---- drains --------------------------------------------------------------------------------- */

Test(dsa_answers, a_dedicated_queue_keeps_room_for_a_drain)
{
	open_engine("dsa:model,stepped,mode=dedicated,wq_size=4,batch=1,timeout_us=1000");
	submit_items(8, PAGE_BYTES);
	cr_expect_eq(nr_sent, 3);
	look_until_ended();
	cr_assert_not(engine->ops->quiet(channel));
	cr_assert_eq(nr_sent, 4);
	cr_expect_eq(sent[3].desc.opcode, DSA_OPCODE_DRAIN);
	ANSWER(3, .status = DSA_COMP_SUCCESS);
	cr_expect(engine->ops->quiet(channel));
	close_engine();
}

Test(dsa_answers, a_drain_is_that_of_its_device)
{
	uint32_t drain;

	open_engine("dsa:model,stepped,devices=2,timeout_us=1000");
	expect_pieces(0, 0, ENGINE_STRAY);
	cr_expect_not(engine->ops->quiet(channel));
	cr_assert_eq(nr_sent, 2);
	drain = 0;
	ANSWER(drain, .status = DSA_COMP_SUCCESS);
	cr_expect_not(engine->ops->quiet(channel), "the other device may still write");
	ANSWER(1, .status = DSA_COMP_SUCCESS);
	cr_expect(engine->ops->quiet(channel));
	close_engine();
}

/* The drain reports into the channel, even if the operation has ended by itself meanwhile. */
Test(dsa_answers, a_channel_outlives_its_drain)
{
	struct dsa_channel *ch;
	size_t len_bytes;
	void *block[32];

	open_engine("dsa:model,stepped,batch=1,timeout_us=1000");
	ch = dsa_channel_of_test();
	len_bytes = ch->map_bytes;
	submit_items(1, PAGE_BYTES);
	look_until_ended();
	cr_expect_not(engine->ops->quiet(channel));
	cr_assert_eq(sent[1].desc.opcode, DSA_OPCODE_DRAIN);
	ANSWER(0, .status = DSA_COMP_SUCCESS);
	cr_expect(engine->ops->quiet(channel));
	engine->ops->channel_close(channel);
	/* The vault returns blocks that were freed. */
	for (size_t i = 0; i < ARRAY_SIZE(block); i++) {
		cr_assert_eq(vault_alloc(len_bytes, &block[i]), 0);
		cr_expect_neq(block[i], (void *)ch);
	}
	ANSWER(1, .status = DSA_COMP_SUCCESS);
	engine_close(engine);
}

/* ---- write() -------------------------------------------------------------------------------- */

static long write_result;

static bool hook_write(long nr, const long args[6] __maybe_unused, long *ret)
{
	*ret = write_result;
	return nr == SYS_write;
}

Test(dsa_answers, what_write_returns)
{
	const struct dsa_portal_ops *by_write = dsa_hardware_modes[2];
	struct dsa_portal portal = {.file = OWN_FD_NONE};
	struct dsa_hw_desc descs[4];

	memset(descs, 0, sizeof(descs));
	cr_assert_eq(own_fd_take(&portal.file, open("/dev/null", O_WRONLY | O_CLOEXEC)), 0);
	cr_assert_eq(strcmp(by_write->name, "write"), 0);
	sys_hook = hook_write;
	write_result = -EAGAIN;
	cr_expect_eq(by_write->submit(&portal, descs, 4), 0);
	write_result = -EINTR;
	cr_expect_eq(by_write->submit(&portal, descs, 4), 0);
	write_result = 3 * DSA_DESC_BYTES;
	cr_expect_eq(by_write->submit(&portal, descs, 4), 3);
	write_result = -EPERM;
	cr_expect_eq(by_write->submit(&portal, descs, 4), -EPERM);
	sys_hook = NULL;
	own_fd_drop(&portal.file);
}

/* A device that works does not keep a lost answer alive for ever. */
Test(dsa_answers, patience_ends)
{
	struct patience p;
	uint32_t nr_ended = 100, nr_renewed = 0;
	uint64_t now = 1000;

	patience_begin(&p, now, nr_ended, 2);
	while (!patience_is_over(&p, now, 10, nr_ended) && nr_renewed < 1000) {
		nr_renewed++;
		nr_ended++;
		now += 10;
	}
	cr_expect_eq(nr_renewed, 0, "nothing has ended");
	patience_begin(&p, now, nr_ended, 2);
	while (!patience_is_over(&p, now, 10, ++nr_ended) && nr_renewed < 1000) {
		nr_renewed++;
		now += 10;
	}
	cr_expect_eq(nr_renewed, 3 * PATIENCE_PASSES_EACH);
}
