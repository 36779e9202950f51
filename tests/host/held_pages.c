// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Everything that a program may do to pages while they are in flight, one case after another. A
 * hook holds the put-in up until the program has done it, so nothing here is luck.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/vault.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define NR_PAGES 16
#define LEN      (NR_PAGES * PAGE_BYTES)
#define HOLE     (NR_PAGES + 2) /* a page that was never touched, in the same mapping */
#define MAP_LEN  (2 * LEN)
#define SEED     7

static struct ferry *ferry;
static char *mem;   /* where the pages are */
static char *aside; /* two places to move them to */

/* ---- the hook ---- */

enum { NOT_HELD, AWAIT_FLIGHT, IN_FLIGHT };

static atomic_uint held;
static atomic_uint nr_taken_out;
static atomic_uint nr_zero_failures; /* of the hole's zero page that are still to come */
static atomic_uint nr_beside_out;    /* taken out of the rest of the mapping */
static _Atomic int64_t slow_since_s; /* from then on the library's clock is slow; 0: it is not */
static atomic_uint nr_queries;       /* calls of move_pages(2) that have returned */
static atomic_int own_uffd = -1;
/* Whether the mapping is to be replaced when it is scanned after its registration. */
enum { REPLACE_NOT, REPLACE_ONCE_REGISTERED, REPLACE_AT_SCAN, REPLACED };
static atomic_uint replace;

static bool is_in(uint64_t addr, const char *start, size_t len)
{
	return addr >= (uintptr_t)start && addr < (uintptr_t)start + len;
}

/* In place of the mapping comes one that is not registered. Its pages are present. */
static void replace_mapping(void)
{
	sys_raw(SYS_mmap, (long)mem, LEN, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	fill(mem, LEN, SEED + 1);
}

static bool hold_move(long nr, const long args[6], long *ret)
{
	const struct uffdio_move *move = (const struct uffdio_move *)args[2];
	unsigned int awaits = AWAIT_FLIGHT;

	atomic_store(&own_uffd, (int)args[0]);
	if (!vault_overlaps((void *)move->dst, 1)) {
		*ret = -EAGAIN;
		return atomic_load(&held) == IN_FLIGHT;
	}
	if (!is_in(move->src, mem, LEN)) {
		atomic_fetch_add(&nr_beside_out, is_in(move->src, mem + LEN, LEN));
		return false;
	}
	*ret = sys_raw(nr, args[0], args[1], args[2], 0, 0, 0);
	if (!*ret) {
		atomic_fetch_add(&nr_taken_out, 1);
		atomic_compare_exchange_strong(&held, &awaits, IN_FLIGHT);
	}
	return true;
}

/* A second takes half an hour, so that no pause of this test is long for the library. */
static bool slow_clock(long nr, const long args[6], long *ret)
{
	struct timespec *ts = (struct timespec *)args[1];
	int64_t since = atomic_load(&slow_since_s);

	if (!since || args[0] != CLOCK_MONOTONIC)
		return false;
	*ret = sys_raw(nr, args[0], args[1], 0, 0, 0, 0);
	ts->tv_nsec = (ts->tv_sec - since) * 500000 + ts->tv_nsec / 2000;
	ts->tv_sec = since;
	return true;
}

static bool hook(long nr, const long args[6], long *ret)
{
	const struct uffdio_zeropage *zero = (const struct uffdio_zeropage *)args[2];
	const struct pm_scan_arg *scan = (const struct pm_scan_arg *)args[2];
	unsigned int state = REPLACE_ONCE_REGISTERED;

	if (nr == SYS_clock_gettime)
		return slow_clock(nr, args, ret);
	if (nr == SYS_move_pages) {
		*ret = sys_raw(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		atomic_fetch_add(&nr_queries, 1);
		return true;
	}
	if (nr != SYS_ioctl)
		return false;
	switch ((unsigned long)args[1]) {
	case UFFDIO_MOVE:
		return hold_move(nr, args, ret);
	case UFFDIO_COPY:
		*ret = -EAGAIN;
		/* Copies for a child go by its own userfaultfd. */
		return args[0] == atomic_load(&own_uffd) && atomic_load(&held) == IN_FLIGHT;
	case UFFDIO_ZEROPAGE:
		if (!is_in(zero->range.start, mem + HOLE * PAGE_BYTES, PAGE_BYTES) ||
		    !atomic_load(&nr_zero_failures))
			return false;
		atomic_fetch_sub(&nr_zero_failures, 1);
		*ret = -ENOMEM;
		return true;
	case UFFDIO_REGISTER:
		*ret = -EINVAL;
		if (atomic_load(&replace) == REPLACED)
			return true;
		if (atomic_load(&replace) != REPLACE_ONCE_REGISTERED)
			return false;
		*ret = sys_raw(nr, args[0], args[1], args[2], 0, 0, 0);
		atomic_compare_exchange_strong(&replace, &state, REPLACE_AT_SCAN);
		return true;
	case PAGEMAP_SCAN:
		state = REPLACE_AT_SCAN;
		if (is_in(scan->start, mem, LEN) &&
		    atomic_compare_exchange_strong(&replace, &state, REPLACED))
			replace_mapping();
		return false;
	}
	return false;
}

/* ---- what the program does ---- */

static bool carry(char *from, char *to, size_t len)
{
	return mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
}

static bool is_zero(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((const volatile char *)at)[i])
			return false;
	return true;
}

static bool does_nothing(void)
{
	return true;
}

static bool stays(void)
{
	return is_intact(mem, LEN, SEED);
}

static bool discards(void)
{
	return !madvise(mem, LEN, MADV_DONTNEED);
}

static bool is_discarded(void)
{
	return is_zero(mem, LEN);
}

static bool discards_first(void)
{
	return !madvise(mem, PAGE_BYTES, MADV_DONTNEED);
}

/* The content of the others is that of their place. */
static bool first_is_discarded(void)
{
	static char expected[LEN];

	fill(expected, LEN, SEED);
	return is_zero(mem, PAGE_BYTES) &&
	       !memcmp(mem + PAGE_BYTES, expected + PAGE_BYTES, LEN - PAGE_BYTES);
}

static bool discards_last(void)
{
	return !madvise(mem + LEN - PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED);
}

static bool last_is_discarded(void)
{
	return is_zero(mem + LEN - PAGE_BYTES, PAGE_BYTES) &&
	       first_wrong(mem, LEN - PAGE_BYTES, SEED) < 0;
}

static bool maps_anew(void)
{
	return mmap(mem, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) == mem;
}

static bool moves(void)
{
	return carry(mem, aside, LEN);
}

static bool is_aside(void)
{
	return is_intact(aside, LEN, SEED);
}

static bool moves_twice(void)
{
	return carry(mem, aside, LEN) && carry(aside, aside + LEN, LEN);
}

static bool is_further(void)
{
	return is_intact(aside + LEN, LEN, SEED);
}

static bool moves_and_returns(void)
{
	return carry(mem, aside, LEN) && carry(aside, mem, LEN);
}

static bool moves_and_discards(void)
{
	return carry(mem, aside, LEN) && !madvise(aside, LEN, MADV_DONTNEED);
}

static bool is_discarded_aside(void)
{
	return is_zero(aside, LEN);
}

static bool moves_and_unmaps(void)
{
	return carry(mem, aside, LEN) && !munmap(aside, LEN);
}

static bool is_unmapped(void)
{
	unsigned char there;

	return mincore(aside, PAGE_BYTES, &there) && errno == ENOMEM;
}

static bool protects(void)
{
	return !mprotect(mem, LEN, PROT_READ);
}

static bool unmaps_and_maps_aside(void)
{
	return !munmap(mem, LEN) && mmap(aside, LEN, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == aside;
}

/* A bare clone(2), whose child looks while the pages are in flight. */
static bool clones(void)
{
	int status = 1;
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!child)
		syscall(SYS_exit_group, first_wrong(mem, LEN, SEED) >= 0);
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

static pthread_t reader;
static atomic_bool reader_runs;
static volatile const uint64_t *read_from;
static atomic_ulong read_word;

static void *reader_run(void *arg)
{
	atomic_store(&reader_runs, true);
	atomic_store(&read_word, *read_from);
	return arg;
}

/*
 * Whether the reader has got as far as its fault is not certain, only likely. If it comes late it
 * sees what is right as well.
 */
static bool reader_starts(const void *at)
{
	read_from = at;
	atomic_store(&reader_runs, false);
	if (pthread_create(&reader, NULL, reader_run, NULL))
		return false;
	while (!atomic_load(&reader_runs))
		sched_yield();
	usleep(20000);
	return true;
}

static bool reads(void)
{
	return reader_starts(mem + 8);
}

static bool has_read(void)
{
	pthread_join(reader, NULL);
	return atomic_load(&read_word) == content(SEED, 1) && stays();
}

static bool reads_and_discards(void)
{
	return reader_starts(mem + 8) && discards();
}

static bool has_read_zero(void)
{
	pthread_join(reader, NULL);
	return !atomic_load(&read_word) && is_discarded();
}

static int where[NR_PAGES];

static void *query_run(void *arg)
{
	void *pages[NR_PAGES];

	for (unsigned int i = 0; i < NR_PAGES; i++)
		pages[i] = mem + i * PAGE_BYTES;
	ferry_move_pages(ferry, 0, NR_PAGES, pages, NULL, where, 0);
	return arg;
}

/* The kernel takes the pages for absent. The library asks again once they are back. */
static bool queries(void)
{
	atomic_store(&nr_queries, 0);
	memset(where, 0xff, sizeof(where));
	if (pthread_create(&reader, NULL, query_run, NULL))
		return false;
	while (!atomic_load(&nr_queries))
		sched_yield();
	return true;
}

static bool has_found(void)
{
	pthread_join(reader, NULL);
	for (unsigned int i = 0; i < NR_PAGES; i++)
		if (where[i] < 0)
			return false;
	return stays();
}

/* The thread ends while the pages are held, so the watcher alone must have served it. */
static bool reads_hole(void)
{
	bool started = reader_starts(mem + HOLE * PAGE_BYTES);

	if (started)
		pthread_join(reader, NULL);
	return started && !atomic_load(&read_word);
}

static bool reads_hole_badly(void)
{
	atomic_store(&nr_zero_failures, 3);
	return reads_hole() && !atomic_load(&nr_zero_failures);
}

/*
 * Pages that are not in flight. The call discards them after its event has been read, at a time
 * that the library does not learn, so they are left alone for a while.
 */
static bool discards_beside(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	atomic_store(&slow_since_s, now.tv_sec);
	atomic_store(&nr_beside_out, 0);
	fill(mem + LEN, LEN, SEED + 2);
	if (madvise(mem + LEN, LEN, MADV_DONTNEED))
		return false;
	fill(mem + LEN, LEN, SEED + 2);
	return true;
}

static bool was_left_alone(void)
{
	atomic_store(&slow_since_s, 0);
	return stays() && is_intact(mem + LEN, LEN, SEED + 2) && !atomic_load(&nr_beside_out);
}

static const struct test_case {
	const char *name;
	bool (*act)(void);   /* while the pages are in flight */
	bool (*check)(void); /* after the job */
} cases[] = {
	{"does nothing", does_nothing, stays},
	{"discards the pages", discards, is_discarded},
	{"discards the first page", discards_first, first_is_discarded},
	{"discards the last page", discards_last, last_is_discarded},
	{"maps other memory there", maps_anew, is_discarded},
	{"moves the mapping", moves, is_aside},
	{"moves the mapping twice", moves_twice, is_further},
	{"moves the mapping there and back", moves_and_returns, stays},
	{"moves the mapping and discards the pages", moves_and_discards, is_discarded_aside},
	{"moves the mapping and unmaps it", moves_and_unmaps, is_unmapped},
	{"unmaps it and maps other memory aside", unmaps_and_maps_aside, is_discarded_aside},
	{"makes the mapping read-only", protects, stays},
	{"clones itself", clones, stays},
	{"reads a page", reads, has_read},
	{"reads a page that another thread discards", reads_and_discards, has_read_zero},
	{"reads a hole", reads_hole, stays},
	{"asks where the pages are", queries, has_found},
	{"discards pages beside", discards_beside, was_left_alone},
	{"reads a hole for which there is no memory", reads_hole_badly, stays},
};

/* ---- cases ---- */

static void set_up(void)
{
	mem = memory_new(MAP_LEN, false);
	fill(mem, LEN, SEED);
	aside = memory_new(2 * LEN, false);
	munmap(aside, 2 * LEN);
}

static void clean_up(void)
{
	munmap(mem, MAP_LEN);
	munmap(aside, 2 * LEN);
}

static bool case_run(const struct test_case *c)
{
	struct move move = {.ferry = ferry,
			    .addr = mem,
			    .len = MAP_LEN,
			    .mover = FERRY_MOVER_EXCHANGE,
			    .chunk_bytes = LEN,
			    .nr_workers = 1};
	struct ferry_job *job;
	bool acted;

	move.addr = mem;
	atomic_store(&held, AWAIT_FLIGHT);
	if (move_submit(&move, &job))
		return false;
	while (atomic_load(&held) != IN_FLIGHT && ferry_job_wait(job, 0))
		sched_yield();
	acted = atomic_load(&held) == IN_FLIGHT && c->act();
	if (!acted)
		tap_note("%s", atomic_load(&held) == IN_FLIGHT ? "the program failed"
							       : "nothing was in flight");
	atomic_store(&held, NOT_HELD);
	/* To close it would cancel what is left. */
	if (ferry_job_wait(job, WAIT_NS))
		return false;
	ferry_job_close(job);
	return c->check() && acted;
}

/*
 * A mapping that comes after the registration is not registered, and here it cannot be: none of its
 * pages is taken out.
 */
static bool replaced_mapping_stays(void)
{
	struct move move = {.ferry = ferry,
			    .addr = mem,
			    .len = LEN,
			    .mover = FERRY_MOVER_EXCHANGE,
			    .nr_workers = 1};
	int err;

	atomic_store(&nr_taken_out, 0);
	atomic_store(&replace, REPLACE_ONCE_REGISTERED);
	err = move_run(&move);
	return !err && atomic_exchange(&replace, REPLACE_NOT) == REPLACED &&
	       !atomic_load(&nr_taken_out) && is_intact(mem, LEN, SEED + 1);
}

int main(void)
{
	ferry = open_exchanging_context(NULL);
	tap_plan(ARRAY_SIZE(cases) + 1);
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		watchdog(60, cases[i].name);
		/* The ranges of discards are spared for a while: each case has memory of its own.
		 */
		set_up();
		tap_ok(case_run(&cases[i]), "a program %s", cases[i].name);
		clean_up();
	}
	watchdog(60, "a mapping that is replaced");
	set_up();
	tap_ok(replaced_mapping_stays(), "a mapping that is replaced after its registration");
	clean_up();
	ferry_close(ferry);
	return tap_done();
}
