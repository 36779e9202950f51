// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * 100,000 jobs are open at a time: queued behind one that is held, then run, then kept until they
 * are closed. They need few mappings and no descriptors.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/vault.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

/* A sanitizer makes each of them slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NR_JOBS 10000U
#else
#define NR_JOBS 100000U
#endif

static struct ferry *ferry;
static struct ferry_job *jobs[NR_JOBS];
static char *mem;
static atomic_ulong nr_mmaps, nr_eventfds;
static atomic_bool hold, counts;

static bool hook(long nr, const long args[6], long *ret)
{
	(void)args;
	(void)ret;
	while (nr == SYS_move_pages && atomic_load(&hold) && syscall(SYS_gettid) != getpid())
		usleep(1000);
	if (atomic_load(&counts)) {
		nr_mmaps += nr == SYS_mmap;
		nr_eventfds += nr == SYS_eventfd2;
	}
	return false;
}

/* Job i moves one page: all the same page, or each its own. */
static bool submit_all(bool same, enum ferry_mover mover)
{
	for (unsigned int i = 0; i < NR_JOBS; i++) {
		struct move move = {
			.ferry = ferry,
			.addr = mem + (same ? 0 : i % 1024 * PAGE_BYTES),
			.len = PAGE_BYTES,
			.mover = mover,
		};
		int err = move_submit(&move, &jobs[i]);

		if (!err)
			continue;
		tap_note("job %u: %s", i, strerror(-err));
		return false;
	}
	return true;
}

static bool end_all(void)
{
	unsigned int nr_good = 0;

	for (unsigned int i = 0; i < NR_JOBS && jobs[i]; i++) {
		struct ferry_result result = FERRY_RESULT_INIT;

		if (!ferry_job_wait(jobs[i], WAIT_NS) && !ferry_job_result(jobs[i], &result))
			nr_good += result.nr_moved + result.nr_in_place == 1;
	}
	for (unsigned int i = 0; i < NR_JOBS; i++) {
		ferry_job_close(jobs[i]);
		jobs[i] = NULL;
	}
	return nr_good == NR_JOBS;
}

static void test_jobs(bool same, enum ferry_mover mover, bool held, const char *what)
{
	bool submitted, ended;

	watchdog(300, what);
	atomic_store(&hold, held);
	submitted = submit_all(same, mover);
	atomic_store(&hold, false);
	ended = end_all();
	tap_ok(submitted && ended, "%u jobs: %s", NR_JOBS, what);
}

/* Blocks of all sizes do not overlap, keep what is written to them, and are zero at first. */
static bool vault_is_sound(void)
{
	enum { NR = 4000 };
	static unsigned char *blocks[NR];
	static size_t lens[NR];
	bool good = true;

	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int i = 0; i < NR; i++) {
			size_t align;

			if (blocks[i] && (i + round) % 3)
				continue;
			for (size_t k = 0; blocks[i] && k < lens[i]; k++)
				good &= blocks[i][k] == (unsigned char)i;
			vault_free(blocks[i], lens[i]);
			lens[i] = 1 + content(round, i) % (i % 50 ? 5000 : 700000);
			if (vault_alloc(lens[i], (void **)&blocks[i]))
				return false;
			for (align = 1; align < lens[i] && align < PAGE_BYTES;)
				align *= 2;
			good &= !((uintptr_t)blocks[i] % align) &&
				vault_overlaps(blocks[i] + lens[i] - 1, 1);
			for (size_t k = 0; k < lens[i]; k++)
				good &= !blocks[i][k];
			memset(blocks[i], (int)i, lens[i]);
		}
	}
	for (unsigned int i = 0; i < NR; i++) {
		for (size_t k = 0; k < lens[i]; k++)
			good &= blocks[i][k] == (unsigned char)i;
		vault_free(blocks[i], lens[i]);
		blocks[i] = NULL;
	}
	return good;
}

/* More mappings than one table has entries. */
static bool vault_has_many_mappings(void)
{
	enum { NR = 3000 };
	static void *blocks[NR];
	bool good = true;

	for (unsigned int i = 0; i < NR; i++)
		good &= !vault_reserve(PAGE_BYTES, &blocks[i]);
	for (unsigned int i = 0; i < NR; i++)
		good &= vault_overlaps(blocks[i], 1) && vault_overlaps_settled(blocks[i], 1);
	for (unsigned int i = 0; i < NR; i++)
		vault_unreserve(blocks[i], PAGE_BYTES);
	for (unsigned int i = 0; i < NR; i++)
		good &= !vault_overlaps(blocks[i], 1);
	return good;
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.nr_workers = 2;
	ferry = open_context(&options);
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	mem = memory_new(1024 * PAGE_BYTES, false);
	fill(mem, 1024 * PAGE_BYTES, 3);
	tap_plan(7);
	tap_ok(vault_is_sound(), "blocks of the vault");
	tap_ok(vault_has_many_mappings(), "mappings of the vault");
	atomic_store(&counts, true);
	test_jobs(false, FERRY_MOVER_KERNEL, true, "none waits for another, all are queued");
	tap_ok(nr_mmaps < NR_JOBS / 100 && !nr_eventfds, "%lu mappings and %lu eventfds for them",
	       nr_mmaps, nr_eventfds);
	atomic_store(&counts, false);
	test_jobs(true, FERRY_MOVER_EXCHANGE, false, "each waits for the one before");
	test_jobs(false, FERRY_MOVER_AUTO, false, "some wait");
	tap_ok(is_intact(mem, 1024 * PAGE_BYTES, 3), "the bytes are right");
	ferry_close(ferry);
	return tap_done();
}
