// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pages move by several engines at once, while each of them fails in every way. No byte is lost, no
 * frame that a device may still write is used again, and forks and the end of a context are safe.
 */
#include <sys/wait.h>

#include "tests/testlib/engines.h"
#include "tests/testlib/moving.h"

#define LEN      (16UL << 20)
#define NR_MOVES 3

/* Under sanitizers a model may take seconds. */
#define DSA  "dsa:model,timeout_us=20000000"
#define SDXI "sdxi:model,timeout_ms=20000"

struct counts {
	uint64_t copied_by_cpu, copied_by_dsa, copied_by_sdxi;
	uint64_t dsa_descriptors, strays, injected, breaches;
};

static void counts_add_one(void *arg, const char *name, uint64_t value)
{
	struct counts *counts = arg;

	if (!strcmp(name, "split.cpu.copied_bytes"))
		counts->copied_by_cpu = value;
	else if (!strcmp(name, "split.dsa.copied_bytes"))
		counts->copied_by_dsa = value;
	else if (!strcmp(name, "split.sdxi.copied_bytes"))
		counts->copied_by_sdxi = value;
	else if (!strcmp(name, "dsa.descriptors"))
		counts->dsa_descriptors = value;
	else if (!strcmp(name, "dsa.strays"))
		counts->strays = value;
	else if (!strcmp(name, "dsa.model.breaches") || !strcmp(name, "sdxi.model.breaches"))
		counts->breaches += value;
	else if (strstr(name, ".injected."))
		counts->injected += value;
}

static struct counts counts_of(struct ferry *ferry)
{
	struct counts counts = {0};

	if (ferry_engine_counters(ferry, counts_add_one, &counts))
		tap_note("no counters");
	return counts;
}

static struct ferry *open_with(const char *engine)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.engine = engine;
	options.nr_workers = 4;
	return open_context(&options);
}

static uint64_t by_engine, by_cpu;

/* Moves memory some times, apart and together. */
static bool memory_moves(struct ferry *ferry, bool huge, uint64_t seed)
{
	static const unsigned int modes[NR_MOVES] = {FERRY_MOVE_APART, FERRY_MOVE_TOGETHER, 0};
	char *memory = memory_new(LEN, huge);
	bool good = true;

	fill(memory, LEN, seed);
	for (unsigned int i = 0; i < NR_MOVES && good; i++) {
		struct move move = {.ferry = ferry,
				    .addr = memory,
				    .len = LEN,
				    .mover = FERRY_MOVER_EXCHANGE,
				    .flags = modes[i]};

		good = !move_run(&move) && adds_up(&move.result) && is_intact(memory, LEN, seed);
		by_engine += move.result.bytes_by_engine;
		by_cpu += move.result.bytes_by_cpu;
	}
	munmap(memory, LEN);
	return good;
}

/* ---- cases ---- */

static void test_shares(void)
{
	struct ferry *ferry = open_with("cpu+" DSA ",devices=2+" SDXI);
	struct counts counts;
	bool good = true;

	by_engine = by_cpu = 0;
	for (unsigned int i = 0; i < 4 && good; i++)
		good = memory_moves(ferry, i % 2, i);
	counts = counts_of(ferry);
	tap_note("copied by cpu %lu, dsa %lu, sdxi %lu; engine %lu, left %lu",
		 (unsigned long)counts.copied_by_cpu, (unsigned long)counts.copied_by_dsa,
		 (unsigned long)counts.copied_by_sdxi, (unsigned long)by_engine,
		 (unsigned long)by_cpu);
	tap_ok(good && counts.copied_by_cpu && counts.copied_by_dsa && counts.copied_by_sdxi &&
		       counts.dsa_descriptors && !counts.breaches &&
		       counts.copied_by_cpu + counts.copied_by_dsa + counts.copied_by_sdxi ==
			       by_engine,
	       "three engines share the copies, and the counters add up");
	ferry_close(ferry);
}

static void test_failures(const char *name, const char *format)
{
	static const char *const faults[] = {"fail",  "fault", "undone", "delay",
					     "stray", "busy",  "mix"};
	char spec[256];

	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		struct ferry *ferry;
		struct counts counts;
		bool good;

		snprintf(spec, sizeof(spec), format, faults[i]);
		ferry = open_with(spec);
		good = memory_moves(ferry, false, i) && memory_moves(ferry, true, i + 100);
		counts = counts_of(ferry);
		tap_ok(good && counts.injected && !counts.breaches, "%s, what=%s: nothing is lost",
		       name, faults[i]);
		ferry_close(ferry);
	}
}

/*
 * The device keeps what it was given until the context is closed, and writes it then at the latest:
 * to frames that nothing else may have got.
 */
static void test_hang(void)
{
	struct ferry *ferry =
		open_with("cpu+dsa:model,timeout_us=20000,hang_ns=400000000,faults=hang:200000");
	char *memory = memory_new(LEN, false);
	bool good = true;

	fill(memory, LEN, 7);
	/* A few moves are enough, unless the device gets no work on a busy machine. */
	for (unsigned int i = 0; (i < 6 || (i < 300 && !counts_of(ferry).strays)) && good; i++) {
		struct move move = {
			.ferry = ferry, .addr = memory, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};

		good = !move_run(&move) && adds_up(&move.result) && is_intact(memory, LEN, 7);
	}
	good &= counts_of(ferry).strays > 0;
	ferry_close(ferry);
	tap_ok(good && is_intact(memory, LEN, 7),
	       "a device hangs: nothing is lost, even after close");
	munmap(memory, LEN);
}

/* A child copies by engines of its own. */
static bool child_copies(void)
{
	struct engine *engine = open_engine("cpu+" DSA, NULL);
	struct engine_channel *channel = open_channel(engine);
	char *src = memory_new(2 * HUGE_BYTES, false), *dst = src + HUGE_BYTES;
	struct engine_item item = {.dst = dst, .src = src, .len_bytes = HUGE_BYTES};
	bool good = true;

	fill(src, HUGE_BYTES, 3);
	for (unsigned int i = 0; i < 10 && good; i++) {
		struct engine_batch batch = {.items = &item, .nr_items = 1, .bytes = HUGE_BYTES};
		enum engine_verdict verdict = engine->ops->submit(channel, &batch);
		struct engine_batch *done;

		while (verdict == ENGINE_QUEUED && !engine->ops->poll(channel, 1000000, &done, 1))
			;
		good = item.state == ENGINE_COPIED && is_intact(dst, HUGE_BYTES, 3);
		memset(dst, 0, HUGE_BYTES);
	}
	engine->ops->channel_close(channel);
	engine_close(engine);
	return good;
}

/* The channel that a child inherits: its device does not serve the child, so the caller copies. */
static bool child_uses_channel(struct engine_channel *channel)
{
	char *src = memory_new(2 * HUGE_BYTES, false), *dst = src + HUGE_BYTES;
	struct engine_item item = {.dst = dst, .src = src, .len_bytes = HUGE_BYTES};
	struct engine_batch batch = {.items = &item, .nr_items = 1, .bytes = HUGE_BYTES};
	struct engine_batch *done;

	fill(src, HUGE_BYTES, 3);
	if (channel->engine->ops->submit(channel, &batch) == ENGINE_QUEUED)
		while (!channel->engine->ops->poll(channel, 1000000, &done, 1))
			;
	return item.state != ENGINE_COPIED || is_intact(dst, HUGE_BYTES, 3);
}

static void test_fork(void)
{
	struct ferry *ferry = open_with("cpu+" DSA);
	struct engine *engine = open_engine("cpu+dsa:model,mode=write,timeout_us=50000", NULL);
	struct engine_channel *channel = open_channel(engine);
	char *memory = memory_new(LEN, false);
	bool good = true;

	fill(memory, LEN, 9);
	for (unsigned int i = 0; i < 5 && good; i++) {
		struct move move = {
			.ferry = ferry, .addr = memory, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
		struct ferry_job *job;
		int status = 1;
		pid_t pid;

		good = !move_submit(&move, &job);
		pid = fork();
		if (!pid) {
			ferry_close(ferry);
			_exit(!is_intact(memory, LEN, 9) || !child_copies() ||
			      !child_uses_channel(channel));
		}
		good &= pid > 0 && waitpid(pid, &status, 0) == pid && !status;
		good &= !ferry_job_wait(job, WAIT_NS) && is_intact(memory, LEN, 9);
		ferry_job_close(job);
	}
	engine->ops->channel_close(channel);
	engine_close(engine);
	ferry_close(ferry);
	munmap(memory, LEN);
	tap_ok(good, "forks while several engines copy");
}

int main(void)
{
	watchdog(540, "several engines");
	ferry_close(open_exchanging_context(NULL));
	tap_plan(24);
	test_shares();
	test_failures("the CPU fails", "fault:every=3,what=%s,inner=cpu+" DSA);
	test_failures("the device fails", "cpu+fault:every=3,what=%s,inner=" DSA);
	test_failures("both fail",
		      "fault:every=5,what=mix,inner=cpu+fault:every=3,what=%s,inner=" SDXI);
	test_hang();
#ifdef __SANITIZE_THREAD__
	(void)test_fork;
	tap_skip("TSan does not let a forked child start threads", "forks");
#else
	test_fork();
#endif
	return tap_done();
}
