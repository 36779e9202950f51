// SPDX-License-Identifier: LGPL-2.1-or-later
/* How a batch is shared among parts: the arithmetic alone. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/clock.h"
#include "policy/split.h"

#define BATCH (2UL << 20)
#define BASE  1 /* of two parts */

static struct split_part working(double ns_per_byte)
{
	return (struct split_part){.in_use = true, .ns_per_byte = ns_per_byte};
}

static struct split_load load_of(uint64_t bytes)
{
	return (struct split_load){.now_ns = NS_PER_SEC, .bytes = bytes};
}

static uint64_t sum(const uint64_t *bytes, unsigned int nr)
{
	uint64_t total = 0;

	while (nr--)
		total += bytes[nr];
	return total;
}

/* When a part ends its share. */
static double end_ns(const struct split_part *part, uint64_t share, double delay_ns)
{
	return delay_ns + (double)share * part->ns_per_byte;
}

Test(split, equal_parts_get_equal_shares)
{
	struct split_part parts[2] = {working(0.1), working(0.1)};
	struct split_load load = load_of(BATCH);
	uint64_t bytes[2];

	split_share(parts, 2, &load, bytes);
	cr_expect(labs((long)bytes[0] - (long)BATCH / 2) <= 1);
	cr_expect_eq(sum(bytes, 2), BATCH);
}

Test(split, all_parts_end_together)
{
	struct split_part parts[4] = {working(0.03), working(0.2), working(0.11), working(0.07)};
	struct split_load load = load_of(64 * BATCH);
	uint64_t bytes[4];
	double end;

	split_share(parts, 4, &load, bytes);
	end = end_ns(&parts[3], bytes[3], 0);
	cr_expect_eq(sum(bytes, 4), 64 * BATCH);
	for (int i = 0; i < 3; i++)
		cr_expect(fabs(end_ns(&parts[i], bytes[i], 0) - end) < end / 1000, "part %d", i);
}

/* docs/policy.md: (a + k - l) / (k + d). */
Test(split, follows_the_rule_of_the_cost_model)
{
	struct split_part parts[2] = {working(0.05), working(0.1)};
	struct split_load load = load_of(BATCH);
	double a = 30000, k = 0.1 * BATCH, d = 0.05 * BATCH, l;
	uint64_t bytes[2];

	load.other_work_ns = (uint64_t)a;
	parts[0].queued_bytes = parts[0].first_bytes = 1U << 20;
	parts[0].since_ns = load.now_ns - 20000;
	l = 0.05 * (1U << 20) - 20000;
	split_share(parts, 2, &load, bytes);
	cr_expect(fabs((double)bytes[0] / BATCH - (a + k - l) / (k + d)) < 0.001);
}

Test(split, a_part_that_would_begin_too_late_gets_nothing)
{
	struct split_part parts[2] = {working(0.05), working(0.1)};
	struct split_load load = load_of(BATCH);
	uint64_t bytes[2];

	parts[0].queued_bytes = 100 * BATCH;
	parts[0].since_ns = load.now_ns;
	split_share(parts, 2, &load, bytes);
	cr_expect_eq(bytes[0], 0);
	cr_expect_eq(bytes[BASE], BATCH);
}

/* It should have ended long ago. */
Test(split, a_part_that_stalls_gets_nothing_more)
{
	struct split_part parts[2] = {working(0.1), working(0.1)};
	struct split_load load = load_of(BATCH);
	uint64_t due_ns = BATCH / 2 / 10, bytes[2];
	struct split_result ended = {.bytes = BATCH / 2, .copied = BATCH / 2};

	split_sent(&parts[0], load.now_ns, BATCH / 2);
	load.now_ns += due_ns + due_ns / 2;
	split_share(parts, 2, &load, bytes);
	cr_expect(bytes[0] && bytes[0] < BATCH / 2);
	split_sent(&parts[0], load.now_ns, BATCH / 2);
	load.now_ns += due_ns;
	split_share(parts, 2, &load, bytes);
	cr_expect_eq(bytes[0], 0);
	ended.after_ns = ended.now_ns = load.now_ns += due_ns;
	split_ended(parts, 2, 0, &ended);
	split_share(parts, 2, &load, bytes);
	cr_expect(bytes[0] > 0);
}

/* What the base holds back it has not begun, however long ago it got it. */
Test(split, what_is_held_back_waits)
{
	struct split_part parts[2] = {working(0.1), working(0.1)};
	struct split_load load = load_of(BATCH);
	uint64_t begun[2], held[2];

	parts[BASE].queued_bytes = parts[BASE].first_bytes = BATCH / 2;
	parts[BASE].since_ns = load.now_ns - BATCH / 2 / 10;
	split_share(parts, 2, &load, begun);
	load.base_holds = true;
	split_share(parts, 2, &load, held);
	cr_expect(labs((long)begun[0] - (long)BATCH / 2) <= 64);
	cr_expect(labs((long)held[0] - (long)BATCH * 3 / 4) <= 1);
}

Test(split, small_batches_go_to_the_base)
{
	struct split_part parts[2] = {working(0.01), working(0.1)};
	struct split_load load = load_of(PAGE_BYTES);
	uint64_t bytes[2];

	split_share(parts, 2, &load, bytes);
	cr_expect_eq(bytes[BASE], PAGE_BYTES);
	parts[0].in_use = false;
	split_share(parts, 2, &load, bytes);
	cr_expect_eq(bytes[BASE], PAGE_BYTES);
}

/*
 * Two batches are queued. When the first is seen to have ended, the second is half done: that it
 * ends soon after does not make the part fast.
 */
Test(split, a_late_look_makes_no_part_fast)
{
	struct split_part parts[2] = {working(0.1), working(0.1)};
	uint64_t start = NS_PER_SEC, batch_ns = BATCH / 10;
	struct split_result ended = {.bytes = BATCH, .copied = BATCH, .after_ns = start};

	for (int i = 0; i < 20; i++) {
		split_sent(&parts[0], start, BATCH);
		split_sent(&parts[0], start, BATCH);
		ended.after_ns = start;
		ended.now_ns = start + batch_ns * 3 / 2;
		split_ended(parts, 2, 0, &ended);
		ended.after_ns = ended.now_ns = start + 2 * batch_ns;
		split_ended(parts, 2, 0, &ended);
		start += 2 * batch_ns;
	}
	cr_expect(parts[0].ns_per_byte > 0.06 && parts[0].ns_per_byte < 0.12, "%g",
		  parts[0].ns_per_byte);
}

/* ---- parts come and go: a loop of batches in virtual time ---- */

struct run {
	struct split_part parts[2];
	double device_ns_per_byte, base_ns_per_byte;
	bool fails, hangs;
	uint64_t now;
	uint64_t device_bytes, all_bytes; /* of the latest turn */
	uint64_t waited_ns;               /* for the device */
};

#define TIMEOUT_NS (100 * NS_PER_MS)

/* One batch after the other, each awaited; the device is looked at when the base has ended. */
static void run_batch(struct run *run)
{
	struct split_load load = {.now_ns = run->now, .bytes = BATCH};
	struct split_result device = {.stray = run->hangs}, base = {0};
	uint64_t bytes[2], start = run->now, base_end, end;

	split_share(run->parts, 2, &load, bytes);
	split_sent(&run->parts[0], start, bytes[0]);
	split_sent(&run->parts[BASE], start, bytes[BASE]);
	base_end = start + (uint64_t)((double)bytes[BASE] * run->base_ns_per_byte);
	end = start + (uint64_t)((double)bytes[0] * run->device_ns_per_byte);
	if (run->hangs && bytes[0])
		end = start + TIMEOUT_NS;
	if (bytes[BASE]) {
		base = (struct split_result){.bytes = bytes[BASE],
					     .copied = bytes[BASE],
					     .after_ns = base_end,
					     .now_ns = base_end};
		split_ended(run->parts, 2, BASE, &base);
	}
	run->now = MAX(base_end, end);
	if (bytes[0]) {
		device.bytes = bytes[0];
		device.copied = run->fails || run->hangs ? 0 : bytes[0];
		device.after_ns = end > base_end ? end : start;
		device.now_ns = run->now;
		run->parts[0].waited_ns += run->now - base_end;
		run->waited_ns += run->now - base_end;
		split_ended(run->parts, 2, 0, &device);
	}
	run->device_bytes += bytes[0];
	run->all_bytes += BATCH;
}

static double run_batches(struct run *run, unsigned int nr)
{
	run->device_bytes = run->all_bytes = run->waited_ns = 0;
	while (nr--)
		run_batch(run);
	return (double)run->device_bytes / (double)run->all_bytes;
}

static struct run run_begin(void)
{
	return (struct run){.parts[BASE].in_use = true,
			    .device_ns_per_byte = 0.1,
			    .base_ns_per_byte = 0.1,
			    .now = NS_PER_SEC};
}

Test(split, a_new_device_is_tried_and_then_used)
{
	struct run run = run_begin();

	run_batch(&run);
	cr_expect(run.device_bytes > 0 && run.device_bytes <= BATCH / 8);
	run_batches(&run, 20);
	cr_expect(fabs(run_batches(&run, 50) - 0.5) < 0.03);
}

Test(split, shares_follow_the_rates)
{
	struct run run = run_begin();

	run.device_ns_per_byte = 0.05;
	run_batches(&run, 50);
	cr_expect(fabs(run_batches(&run, 50) - 0.667) < 0.03);
	run.device_ns_per_byte = 0.3;
	run_batches(&run, 50);
	cr_expect(fabs(run_batches(&run, 50) - 0.25) < 0.03);
}

/* What exploring costs: waiting for a device that gets probes only. */
static void expect_left(struct run *run, const char *what)
{
	uint64_t start;

	run_batches(run, 40);
	cr_expect_not(run->parts[0].in_use, "%s", what);
	start = run->now;
	cr_expect(run_batches(run, 20000) < 0.02, "%s", what);
	cr_expect(run->waited_ns * 30 < run->now - start, "%s: waited %llu of %llu", what,
		  (unsigned long long)run->waited_ns, (unsigned long long)(run->now - start));
}

static void expect_taken_back(struct run *run, const char *what)
{
	uint64_t start = run->now;

	while (!run->parts[0].in_use && run->now - start < 10 * NS_PER_SEC)
		run_batch(run);
	cr_expect(run->parts[0].in_use, "%s", what);
	run_batches(run, 20);
	cr_expect(fabs(run_batches(run, 50) - 0.5) < 0.03, "%s", what);
}

/* In virtual time, so that this is no matter of the machine's speed. */
Test(split, a_slow_device_is_left_within_a_second_and_taken_back)
{
	struct run run = run_begin();
	uint64_t start;

	run_batches(&run, 50);
	run.device_ns_per_byte = 1;
	start = run.now;
	while (run.parts[0].in_use && run.now - start < NS_PER_SEC)
		run_batch(&run);
	cr_expect_not(run.parts[0].in_use);
	expect_left(&run, "slow");
	run.device_ns_per_byte = 0.1;
	start = run.now;
	while (!run.parts[0].in_use)
		run_batch(&run);
	cr_expect(run.now - start < NS_PER_SEC);
	expect_taken_back(&run, "slow");
}

Test(split, a_device_that_fails_is_left_and_taken_back)
{
	struct run run = run_begin();

	run_batches(&run, 50);
	run.fails = true;
	run_batches(&run, 3);
	cr_expect_not(run.parts[0].in_use);
	expect_left(&run, "fails");
	run.fails = false;
	expect_taken_back(&run, "fails");
}

Test(split, a_device_that_hangs_is_left_at_once)
{
	struct run run = run_begin();

	run_batches(&run, 50);
	run.hangs = true;
	run_batch(&run);
	cr_expect_not(run.parts[0].in_use);
	expect_left(&run, "hangs");
	run.hangs = false;
	expect_taken_back(&run, "hangs");
}

Test(split, a_device_that_refuses_is_left)
{
	struct split_part parts[2] = {working(0.1), working(0.1)};

	split_refused(parts, 2, 0, NS_PER_SEC);
	split_refused(parts, 2, 0, NS_PER_SEC);
	cr_expect(parts[0].in_use);
	split_refused(parts, 2, 0, NS_PER_SEC);
	cr_expect_not(parts[0].in_use);
}

/* Each failed trial doubles the pause, up to a limit. */
Test(split, probes_become_rare)
{
	struct run run = run_begin();
	uint64_t last, gap = 0;

	run.fails = true;
	for (int probe = 0; probe < 20; probe++) {
		last = run.now;
		run.device_bytes = 0;
		while (!run.device_bytes)
			run_batch(&run);
		cr_expect(run.now - last + BATCH >= gap);
		gap = run.now - last;
	}
	cr_expect(gap > 100 * NS_PER_MS && gap < NS_PER_SEC);
}

/* The CPU fails only in tests, but then the device serves alone, and the CPU comes back. */
Test(split, a_base_that_fails_is_left_while_another_part_works)
{
	struct split_part parts[2] = {working(0.1), working(0.1)};
	struct split_load load = load_of(BATCH);
	struct split_result bad = {.bytes = BATCH, .now_ns = NS_PER_SEC};
	uint64_t bytes[2];

	for (int i = 0; i < 3; i++)
		split_ended(parts, 2, BASE, &bad);
	parts[BASE].probe_at_ns = 2 * NS_PER_SEC;
	split_share(parts, 2, &load, bytes);
	cr_expect_eq(bytes[0], BATCH);
	load.now_ns = 3 * NS_PER_SEC;
	split_share(parts, 2, &load, bytes);
	cr_expect_eq(bytes[BASE], BATCH / 8);
	bad.copied = BATCH;
	bad.after_ns = bad.now_ns = 3 * NS_PER_SEC;
	split_ended(parts, 2, BASE, &bad);
	cr_expect(parts[BASE].in_use);
	/* With no other part it serves although it fails. */
	parts[0].in_use = parts[BASE].in_use = false;
	parts[0].probe_at_ns = parts[BASE].probe_at_ns = UINT64_MAX;
	split_share(parts, 2, &load, bytes);
	cr_expect_eq(bytes[BASE], BATCH);
}
