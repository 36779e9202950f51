// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A job registers a window that slides with it. Outside the window the program's faults are its
 * own; the windows cost few mappings; no window is unregistered with pages in flight; and memory of
 * the library that comes to lie in a run is not taken out.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/vault.h"
#include "lib/core/context.h"
#include "lib/job/windows.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN  (3 * WINDOW_BYTES)
#define SEED 9

static struct ferry *ferry;
static char *mem;
static size_t mem_len;

static struct move move_of_mem(void)
{
	return (struct move){
		.ferry = ferry, .addr = mem, .len = mem_len, .mover = FERRY_MOVER_EXCHANGE};
}

/* ---- what the hook sees, and what it does ---- */

static atomic_bool hold;      /* a worker that scans a chunk waits until this is false */
static atomic_bool is_held;   /* it waits */
static atomic_ulong hole;     /* the page that is touched meanwhile */
static atomic_uint nr_served; /* faults on it that the watcher has answered */
static atomic_uint nr_open, most_open, nr_opened;
static bool has_holes;        /* a page may be absent that is not in flight */
static atomic_uint nr_absent; /* pages in flight when their window was unregistered */
static atomic_ulong nr_taken_from_vault;
static atomic_uint failing_nth; /* register call that fails; 0: none */
static int failing_error;
static atomic_uint nr_waits;                    /* steps aside while all windows are in use */
static _Atomic(void (*)(void)) before_register; /* once, before the first window is registered */
static _Atomic(void (*)(void)) after_scan;      /* once, after the first scan by a worker */
static atomic_bool mmap_is_slow;                /* it returns long after it has mapped */
static atomic_ulong slow_start;                 /* what it maps */
static atomic_uint nr_taken_from_slow;
static atomic_ulong map_here; /* where the next mmap of the library goes; 0: anywhere */

static bool in_mem(uintptr_t addr)
{
	return addr >= (uintptr_t)mem && addr < (uintptr_t)mem + mem_len;
}

static void call_once(_Atomic(void (*)(void)) *fn)
{
	void (*once)(void) = atomic_exchange(fn, NULL);

	if (once)
		once();
}

static unsigned int count_absent(uintptr_t start, uintptr_t end)
{
	unsigned int nr = 0;

	for (uintptr_t at = start; at < end; at += PAGE_BYTES) {
		unsigned char present = 0;

		sys_raw(SYS_mincore, (long)at, PAGE_BYTES, (long)&present, 0, 0, 0);
		nr += !(present & 1);
	}
	return nr;
}

static bool hook_register(long nr, const long args[6], long *ret)
{
	unsigned int nth;

	call_once(&before_register);
	nth = atomic_fetch_add(&nr_opened, 1) + 1;
	if (nth == atomic_load(&failing_nth)) {
		*ret = -failing_error;
		return true;
	}
	*ret = sys_raw(nr, args[0], args[1], args[2], 0, 0, 0);
	if (!*ret) {
		unsigned int open = atomic_fetch_add(&nr_open, 1) + 1;

		if (open > atomic_load(&most_open))
			atomic_store(&most_open, open);
	}
	return true;
}

static void hook_scan(void)
{
	if (syscall(SYS_gettid) == getpid())
		return;
	call_once(&after_scan);
	if (!atomic_load(&hold))
		return;
	atomic_store(&is_held, true);
	while (atomic_load(&hold))
		usleep(100);
}

static bool hook_ioctl(long nr, const long args[6], long *ret)
{
	const struct uffdio_range *range = (const void *)args[2];
	const struct uffdio_move *move = (const void *)args[2];

	switch ((unsigned int)args[1]) {
	case UFFDIO_REGISTER:
		return in_mem(range->start) && hook_register(nr, args, ret);
	case UFFDIO_UNREGISTER:
		if (!in_mem(range->start))
			return false;
		if (!has_holes)
			atomic_fetch_add(&nr_absent,
					 count_absent(range->start, range->start + range->len));
		atomic_fetch_sub(&nr_open, 1);
		return false;
	case UFFDIO_ZEROPAGE:
		if (range->start && range->start == atomic_load(&hole))
			atomic_fetch_add(&nr_served, 1);
		return false;
	case UFFDIO_MOVE:
		if (in_mem(move->src) && vault_overlaps((void *)move->src, move->len))
			atomic_fetch_add(&nr_taken_from_vault, 1);
		if (atomic_load(&slow_start) && move->src == atomic_load(&slow_start))
			atomic_fetch_add(&nr_taken_from_slow, 1);
		return false;
	case PAGEMAP_SCAN:
		if (in_mem(((const struct pm_scan_arg *)args[2])->start))
			hook_scan();
		return false;
	}
	return false;
}

static void windows_release_all(void)
{
	futex_lock(&ferry->runs_lock);
	for (unsigned int i = 0; i < NR_WINDOWS; i++)
		ferry->windows[i].job = NULL;
	futex_unlock(&ferry->runs_lock);
}

static bool hook(long nr, const long args[6], long *ret)
{
	unsigned long at = atomic_load(&map_here);

	if (nr == SYS_ioctl)
		return hook_ioctl(nr, args, ret);
	if (nr == SYS_nanosleep && atomic_load(&nr_waits) && atomic_fetch_sub(&nr_waits, 1) == 1)
		windows_release_all();
	if (nr != SYS_mmap || !at)
		return false;
	atomic_store(&map_here, 0);
	*ret = sys_raw(nr, (long)at, args[1], args[2], args[3] | MAP_FIXED, -1, 0);
	if (atomic_exchange(&mmap_is_slow, false))
		for (int i = 0; i < 100 && !atomic_load(&nr_taken_from_slow); i++)
			usleep(1000);
	return true;
}

/* Memory that begins where a window does. */
static void mem_new(size_t len)
{
	char *at = memory_new(len + WINDOW_BYTES, false);

	mem = (char *)ALIGN_UP((uintptr_t)at, WINDOW_BYTES);
	munmap(at, (size_t)(mem - at));
	munmap(mem + len, (size_t)(at + WINDOW_BYTES - mem));
	mem_len = len;
	fill(mem, len, SEED);
	atomic_store(&nr_opened, 0);
	atomic_store(&most_open, 0);
}

static void mem_free(void)
{
	munmap(mem, mem_len);
	mem_len = 0;
}

/* ---- tests ---- */

static void test_hole(void)
{
	struct move move;
	struct ferry_job *job;
	bool ok, read_zero;

	mem_new(LEN);
	madvise(mem + 2 * WINDOW_BYTES, WINDOW_BYTES, MADV_DONTNEED);
	atomic_store(&hole, (unsigned long)mem + LEN - PAGE_BYTES);
	atomic_store(&hold, true);
	move = move_of_mem();
	ok = !move_submit(&move, &job);
	watchdog(60, "a job that is held");
	while (!atomic_load(&is_held))
		usleep(100);
	read_zero = !*(volatile char *)(mem + LEN - PAGE_BYTES);
	mem[LEN - PAGE_BYTES] = 7;
	/* From here on the job may offer the page itself. */
	atomic_store(&hole, 0);
	atomic_store(&hold, false);
	ok = ok && !ferry_job_wait(job, WAIT_NS);
	ferry_job_close(job);
	tap_ok(ok && read_zero && mem[LEN - PAGE_BYTES] == 7 && !atomic_load(&nr_served),
	       "the watcher answers no fault in a hole outside the window (%u)",
	       atomic_load(&nr_served));
	tap_ok(is_intact(mem, 2 * WINDOW_BYTES, SEED) && !atomic_load(&nr_open),
	       "the bytes are right, and no window is left (%u)", atomic_load(&nr_open));
	mem_free();
}

/* Moves every 128 of 129 pages. */
static bool move_many_runs(size_t nr_runs, unsigned int flags, struct ferry_result *result)
{
	struct ferry_range *ranges = calloc(nr_runs, sizeof(*ranges));
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_job *job;
	bool ok;

	for (size_t i = 0; i < nr_runs; i++)
		ranges[i] = (struct ferry_range){mem + i * 129 * PAGE_BYTES, 128 * PAGE_BYTES,
						 some_node()};
	request.ranges = ranges;
	request.nr_ranges = nr_runs;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.flags = FERRY_MOVE_ALWAYS | flags;
	ok = !ferry_submit(ferry, &request, &job) && !ferry_job_wait(job, WAIT_NS) &&
	     !ferry_job_result(job, result);
	ferry_job_close(job);
	free(ranges);
	return ok;
}

static void test_many_runs(unsigned int flags)
{
	const size_t nr_runs = 4 * NR_WINDOWS;
	struct ferry_result result = FERRY_RESULT_INIT;
	bool ok;

	mem_new(nr_runs * 129 * PAGE_BYTES);
	ok = move_many_runs(nr_runs, flags, &result);
	tap_ok(ok && result.pages_by_mover[FERRY_MOVER_EXCHANGE] == 128 * nr_runs &&
		       is_intact(mem, mem_len, SEED),
	       "%zu runs are exchanged", nr_runs);
	tap_ok(most_open && most_open <= NR_WINDOWS && !nr_open,
	       "at most %u are registered at a time", most_open);
	mem_free();
}

static void test_register_fails(int error, enum ferry_reason reason)
{
	struct move move;
	bool ok;

	mem_new(LEN);
	move = move_of_mem();
	failing_error = error;
	atomic_store(&failing_nth, 2);
	ok = !move_run(&move) && adds_up(&move.result) && is_intact(mem, LEN, SEED);
	atomic_store(&failing_nth, 0);
	ok = ok && exchanged(&move) > 0 && exchanged(&move) < LEN / PAGE_BYTES &&
	     move.result.pages_by_reason[reason] == LEN / PAGE_BYTES - exchanged(&move);
	if (!ok)
		print_result(&move.result);
	tap_ok(ok, "%s for one window: the kernel mover moves its pages", strerror(error));
	mem_free();
}

/* All windows belong to other jobs until the lane has waited ten times. */
static void test_no_window(void)
{
	struct move move;
	bool ok;

	mem_new(LEN);
	move = move_of_mem();
	for (unsigned int i = 0; i < NR_WINDOWS; i++)
		ferry->windows[i].job = (const struct ferry_job *)ferry;
	atomic_store(&nr_waits, 10);
	watchdog(60, "a lane that waits for a window");
	ok = !move_run(&move) && exchanged(&move) == LEN / PAGE_BYTES;
	tap_ok(ok && !atomic_load(&nr_waits) && is_intact(mem, LEN, SEED),
	       "a lane waits for a window");
	mem_free();
}

/*
 * A lane that leaves a job, for its cap or for another job, must not take the window with it that
 * other lanes have pages in flight in. The cap makes lanes leave after each chunk.
 */
static void test_lanes_leave(void)
{
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_range range;
	struct ferry_job *job;
	unsigned int before = atomic_load(&nr_absent);
	bool ok;

	mem_new(LEN);
	range = (struct ferry_range){mem, mem_len, some_node()};
	request.ranges = &range;
	request.nr_ranges = 1;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.flags = FERRY_MOVE_ALWAYS | FERRY_MOVE_APART;
	request.chunk_bytes = 1 << 20;
	request.max_bytes_per_s = 512UL << 20;
	ok = !ferry_submit(ferry, &request, &job) && !ferry_job_wait(job, WAIT_NS);
	ferry_job_close(job);
	tap_ok(ok && atomic_load(&nr_absent) == before && is_intact(mem, LEN, SEED),
	       "lanes that leave keep the windows of others (%u)",
	       atomic_load(&nr_absent) - before);
	mem_free();
}

/* ---- memory of the library in a run ---- */

#define VAULT_AT  (4 * HUGE_BYTES)
#define VAULT_LEN HUGE_BYTES

static void *in_hole;
static pthread_t mapper;
static bool has_mapper;

static void map_vault_into_hole(void)
{
	munmap(mem + VAULT_AT, VAULT_LEN);
	atomic_store(&map_here, (unsigned long)mem + VAULT_AT);
	if (vault_alloc(VAULT_LEN, &in_hole) || in_hole != mem + VAULT_AT)
		abort();
	fill(in_hole, VAULT_LEN, SEED + 1);
}

static void *thread_maps_vault(void *arg)
{
	map_vault_into_hole();
	return arg;
}

/* Another thread has mapped the memory, but the vault does not know it yet. */
static void begin_to_map_vault(void)
{
	atomic_store(&mmap_is_slow, true);
	has_mapper = true;
	pthread_create(&mapper, NULL, thread_maps_vault, NULL);
	while (atomic_load(&mmap_is_slow))
		usleep(100);
}

static void map_pool_into_hole(void)
{
	munmap(mem + VAULT_AT, 2 * VAULT_LEN);
	atomic_store(&map_here, (unsigned long)mem + VAULT_AT);
	if (vault_reserve(VAULT_LEN, &in_hole) || in_hole != mem + VAULT_AT ||
	    mprotect(in_hole, VAULT_LEN, PROT_READ | PROT_WRITE))
		abort();
	fill(in_hole, VAULT_LEN, SEED + 1);
	if (uffd_register(ferry->uffd, (uintptr_t)in_hole, VAULT_LEN))
		abort();
}

static bool vault_in_hole_is_spared(void)
{
	struct move move = move_of_mem();
	bool ok;

	watchdog(60, "vault memory in a hole");
	atomic_store(&nr_taken_from_vault, 0);
	ok = !move_run(&move);
	if (has_mapper)
		pthread_join(mapper, NULL);
	has_mapper = false;
	if (!ok || !in_hole)
		return false;
	print_result(&move.result);
	tap_note("%lu take-outs of vault memory", atomic_load(&nr_taken_from_vault));
	return !atomic_load(&nr_taken_from_vault) && is_intact(in_hole, VAULT_LEN, SEED + 1) &&
	       exchanged(&move);
}

static void test_vault_in_hole(void)
{
	mem_new(LEN);
	before_register = map_vault_into_hole;
	tap_ok(vault_in_hole_is_spared(), "vault memory in a hole that is registered stays");
	vault_free(in_hole, VAULT_LEN);
	mem_free();

	in_hole = NULL;
	mem_new(LEN);
	before_register = begin_to_map_vault;
	atomic_store(&slow_start, (unsigned long)mem + VAULT_AT);
	tap_ok(vault_in_hole_is_spared() && !atomic_load(&nr_taken_from_slow),
	       "vault memory that is being mapped there stays");
	atomic_store(&slow_start, 0);
	vault_free(in_hole, VAULT_LEN);
	mem_free();

	in_hole = NULL;
	mem_new(LEN);
	after_scan = map_pool_into_hole;
	tap_ok(vault_in_hole_is_spared(), "a pool in a hole of a run that is under way stays");
	uffd_unregister(ferry->uffd, (uintptr_t)in_hole, VAULT_LEN);
	vault_unreserve(in_hole, VAULT_LEN);
	mem_free();
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.nr_workers = 2;
	ferry = open_exchanging_context(&options);
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	tap_plan(14);
	has_holes = true;
	test_hole();
	has_holes = false;
	test_many_runs(FERRY_MOVE_APART);
	test_many_runs(FERRY_MOVE_TOGETHER);
	test_register_fails(ENOMEM, FERRY_REASON_MAPPING);
	test_register_fails(EBUSY, FERRY_REASON_UFFD_BUSY);
	test_no_window();
	test_lanes_leave();
	has_holes = true;
	test_vault_in_hole();
	tap_ok(!atomic_load(&nr_absent),
	       "no page is in flight when its window is unregistered (%u)",
	       atomic_load(&nr_absent));
	watchdog(60, "ferry_close");
	ferry_close(ferry);
	return tap_done();
}
