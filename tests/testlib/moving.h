/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Helpers of the tests that move pages: memory with known content, jobs that move it into other
 * frames of its own node (so that one node is enough), and a watchdog.
 */
#ifndef FERRY_TEST_MOVING_H
#define FERRY_TEST_MOVING_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "include/pageferry.h"
#include "tests/testlib/settings.h"

#define WAIT_NS (300 * 1000000000ULL)

/* ---- watchdog ---- */

static const char *volatile watchdog_what;

static inline void watchdog_expired(int sig __maybe_unused)
{
	static const char message[] = "\n# hung: ";
	ssize_t n = write(1, message, sizeof(message) - 1);

	n = write(1, watchdog_what, strlen(watchdog_what));
	n = write(1, "\n", 1);
	_exit(n ? 99 : 98);
}

/* Ends the program after so many seconds, and prints what it was doing. */
static inline void watchdog(unsigned int seconds, const char *what)
{
	watchdog_what = what;
	signal(SIGALRM, watchdog_expired);
	alarm(seconds);
}

/* ---- memory ---- */

static inline uint64_t test_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/*
 * Maps memory aligned to 2 MiB, of huge pages if the machine has some free, or of small pages only.
 * Inaccessible pages around it keep the kernel from merging it with a thread's stack.
 */
static inline char *memory_new(size_t len, bool huge)
{
	char *at = mmap(NULL, len + 2 * HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start = (char *)ALIGN_UP((uintptr_t)at + PAGE_BYTES, HUGE_BYTES);

	if (at == MAP_FAILED || mprotect(start, len, PROT_READ | PROT_WRITE))
		abort();
	madvise(start, len, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return start;
}

static inline uint64_t content(uint64_t seed, uint64_t word)
{
	uint64_t x = (seed << 40) + word + 1;

	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

static inline void fill(void *mem, size_t len, uint64_t seed)
{
	uint64_t *words = mem;

	for (size_t i = 0; i < len / sizeof(*words); i++)
		words[i] = content(seed, i);
}

/* Offset of the first byte that is wrong, or -1. */
static inline long first_wrong(const void *mem, size_t len, uint64_t seed)
{
	const uint64_t *words = mem;

	for (size_t i = 0; i < len / sizeof(*words); i++)
		if (words[i] != content(seed, i))
			return (long)(i * sizeof(*words));
	return -1;
}

static inline bool is_intact(const void *mem, size_t len, uint64_t seed)
{
	long at = first_wrong(mem, len, seed);

	if (at >= 0)
		printf("# wrong word at offset %#lx: %#llx instead of %#llx\n", (unsigned long)at,
		       *(const unsigned long long *)((const char *)mem + at),
		       (unsigned long long)content(seed, (uint64_t)at / sizeof(uint64_t)));
	return at < 0;
}

/* The physical frame of a page; 0 if the page is absent, or if frames are hidden (needs root). */
static inline uint64_t frame_of(const void *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)page / PAGE_BYTES * 8)) != 8)
		entry = 0;
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

/* ---- jobs ---- */

/* A node whose memory this process may use: the node of a new page. */
static inline int some_node(void)
{
	static int node = -1;
	void *page;

	if (node >= 0)
		return node;
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED || syscall(SYS_move_pages, 0, 1, &page, NULL, &node, 0) || node < 0)
		node = 0;
	munmap(page, PAGE_BYTES);
	return node;
}

struct move {
	struct ferry *ferry;
	void *addr;
	size_t len;
	enum ferry_mover mover;
	uint64_t chunk_bytes;
	unsigned int nr_workers;
	unsigned int flags; /* besides FRESH */
	int *status;
	struct ferry_result result;
};

static inline int move_submit(const struct move *move, struct ferry_job **out)
{
	struct ferry_range range = {move->addr, move->len, some_node()};
	struct ferry_request request = FERRY_REQUEST_INIT;

	request.ranges = &range;
	request.nr_ranges = 1;
	request.flags = FERRY_MOVE_ALWAYS | move->flags;
	request.mover = move->mover;
	request.chunk_bytes = move->chunk_bytes;
	request.nr_workers = move->nr_workers;
	request.status = move->status;
	return ferry_submit(move->ferry, &request, out);
}

/* 0, the error of ferry_submit(), -ETIMEDOUT if the job hangs, or the job's error. */
static inline int move_run(struct move *move)
{
	struct ferry_job *job;
	int err = move_submit(move, &job);

	if (err)
		return err;
	err = ferry_job_wait(job, WAIT_NS);
	if (err) {
		printf("# the job does not end\n");
		return err;
	}
	move->result = (struct ferry_result)FERRY_RESULT_INIT;
	err = ferry_job_result(job, &move->result);
	ferry_job_close(job);
	return err ? err : move->result.error;
}

static inline uint64_t exchanged(const struct move *move)
{
	return move->result.pages_by_mover[FERRY_MOVER_EXCHANGE];
}

/* True if each page is counted once, as moved, in place or failed, and each moved page by one
 * mover. */
static inline bool adds_up(const struct ferry_result *result)
{
	uint64_t by_mover = 0;

	for (unsigned int i = 0; i < FERRY_NR_MOVERS; i++)
		by_mover += result->pages_by_mover[i];
	if (result->nr_moved + result->nr_in_place + result->nr_failed == result->nr_pages &&
	    by_mover == result->nr_moved)
		return true;
	printf("# %llu pages: %llu moved (%llu by movers), %llu in place, %llu failed\n",
	       (unsigned long long)result->nr_pages, (unsigned long long)result->nr_moved,
	       (unsigned long long)by_mover, (unsigned long long)result->nr_in_place,
	       (unsigned long long)result->nr_failed);
	return false;
}

static inline void print_result(const struct ferry_result *result)
{
	printf("# pages %llu moved %llu in place %llu failed %llu; exchange %llu kernel %llu;",
	       (unsigned long long)result->nr_pages, (unsigned long long)result->nr_moved,
	       (unsigned long long)result->nr_in_place, (unsigned long long)result->nr_failed,
	       (unsigned long long)result->pages_by_mover[FERRY_MOVER_EXCHANGE],
	       (unsigned long long)result->pages_by_mover[FERRY_MOVER_KERNEL]);
	for (unsigned int i = 0; i < FERRY_NR_REASONS; i++)
		if (result->pages_by_reason[i])
			printf(" %s %llu", ferry_reason_name((enum ferry_reason)i),
			       (unsigned long long)result->pages_by_reason[i]);
	printf("; chunks %llu calls %llu longest stall %llu us\n",
	       (unsigned long long)result->nr_chunks, (unsigned long long)result->nr_syscalls,
	       (unsigned long long)result->max_stall_ns / 1000);
}

/* NULL if pages can be exchanged on this machine, else the reason. */
static inline const char *no_exchange(struct ferry *ferry)
{
	struct move move = {.ferry = ferry, .len = HUGE_BYTES, .mover = FERRY_MOVER_EXCHANGE};
	int err;

	move.addr = memory_new(move.len, false);
	fill(move.addr, move.len, 1);
	err = move_run(&move);
	munmap(move.addr, move.len);
	if (err || exchanged(&move))
		return NULL;
	print_result(&move.result);
	return "no full userfaultfd with UFFDIO_MOVE on this machine";
}

/* Opens a context; ends the program if that fails. */
static inline struct ferry *open_context(const struct ferry_options *options)
{
	struct ferry *ferry;

	if (!ferry_open(&ferry, options))
		return ferry;
	printf("Bail out! %s\n", ferry_open_error());
	exit(1);
}

/* The same, but skips the test on a machine where no pages can be exchanged. */
static inline struct ferry *open_exchanging_context(const struct ferry_options *options)
{
	struct ferry *ferry = open_context(options);
	const char *lack = no_exchange(ferry);

	if (!lack)
		return ferry;
	printf("1..0 # SKIP %s\n", lack);
	exit(0);
}

#endif
