// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A job moves every kind of mapping. No content is lost, statuses and reasons are true, pages that
 * can't be exchanged go to the kernel mover, and huge pages stay huge.
 */
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN      (4UL << 20)
#define NR_PAGES (LEN / PAGE_BYTES)

static struct ferry *ferry;
static int status[NR_PAGES];
static struct move move;

/* Moves [mem, mem + len). True if the job succeeded and its counters add up. */
static bool job_moves(void *mem, size_t len)
{
	move = (struct move){.ferry = ferry,
			     .addr = mem,
			     .len = len,
			     .mover = FERRY_MOVER_EXCHANGE,
			     .status = memset(status, 0x55, sizeof(status))};
	return !move_run(&move) && adds_up(&move.result);
}

static uint64_t nr_pages_because(enum ferry_reason reason)
{
	return move.result.pages_by_reason[reason];
}

static bool statuses_are(int expected)
{
	for (size_t i = 0; i < NR_PAGES; i++)
		if (status[i] != expected)
			return false;
	return true;
}

static uint64_t nr_pages_on(void *mem, int node)
{
	static void *pages[NR_PAGES];
	static int where[NR_PAGES];
	uint64_t nr = 0;

	for (size_t i = 0; i < NR_PAGES; i++)
		pages[i] = (char *)mem + i * PAGE_BYTES;
	if (syscall(SYS_move_pages, 0, NR_PAGES, pages, NULL, where, 0))
		return NR_PAGES + 1;
	for (size_t i = 0; i < NR_PAGES; i++)
		nr += where[i] == node;
	return nr;
}

/*
 * The kernel mover moves all LEN bytes, for the given reason. No page is exchanged, and pages that
 * are on the node already count as in place.
 */
static bool kernel_mover_moves(void *mem, enum ferry_reason reason)
{
	uint64_t nr_there = nr_pages_on(mem, some_node());
	bool ok = job_moves(mem, LEN) && !exchanged(&move) &&
		  nr_pages_because(reason) == NR_PAGES && move.result.nr_in_place == nr_there &&
		  statuses_are(some_node());

	if (!ok)
		print_result(&move.result);
	return ok & is_intact(mem, LEN, 9);
}

static bool test_private_memory(void)
{
	char *mem = memory_new(LEN, false);
	uint64_t before;
	bool ok;

	fill(mem, LEN, 9);
	before = frame_of(mem);
	ok = job_moves(mem, LEN) && exchanged(&move) == NR_PAGES && statuses_are(some_node()) &&
	     is_intact(mem, LEN, 9) && (!before || frame_of(mem) != before);
	munmap(mem, LEN);
	return ok;
}

/* How many bytes of the mapping around mem are in huge pages, according to smaps. */
static size_t huge_bytes(const void *mem)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start, end, kib, found = 0;
	char line[512];
	bool here = false;

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)mem && (uintptr_t)mem < end;
		else if (here && sscanf(line, "AnonHugePages: %lu kB", &kib) == 1)
			found = kib << 10;
	}
	if (smaps)
		fclose(smaps);
	return found;
}

static bool test_huge_pages(void)
{
	char *mem = memory_new(LEN, true);
	bool ok = true;

	fill(mem, LEN, 9);
	if (huge_bytes(mem) == LEN) {
		ok = job_moves(mem, LEN) && exchanged(&move) == NR_PAGES &&
		     huge_bytes(mem) == LEN &&
		     job_moves(mem + 5 * PAGE_BYTES, PAGES_PER_HUGE * PAGE_BYTES / 2);
		if (huge_bytes(mem) != LEN) {
			tap_note("a move of a part has split a huge page");
			ok = false;
		}
	} else {
		tap_note("the kernel gives no huge pages here");
	}
	ok &= is_intact(mem, LEN, 9);
	munmap(mem, LEN);
	return ok;
}

static bool test_shared_memory(void)
{
	char *mem = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool ok;

	fill(mem, LEN, 9);
	ok = kernel_mover_moves(mem, FERRY_REASON_MAPPING);
	munmap(mem, LEN);
	return ok;
}

static bool test_private_file(void)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
	char *mem;
	bool ok;

	if (fd < 0 || ftruncate(fd, LEN))
		return false;
	mem = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	fill(mem, LEN, 9);
	ok = kernel_mover_moves(mem, FERRY_REASON_MAPPING);
	munmap(mem, LEN);
	close(fd);
	return ok;
}

static bool test_protected_memory(void)
{
	static const int protections[] = {PROT_READ, PROT_READ | PROT_WRITE | PROT_EXEC};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(protections); i++) {
		char *mem = memory_new(LEN, false);

		fill(mem, LEN, 9);
		if (!mprotect(mem, LEN, protections[i]))
			ok &= kernel_mover_moves(mem, FERRY_REASON_MAPPING);
		munmap(mem, LEN);
	}
	return ok;
}

static bool test_locked_memory(void)
{
	char *mem = memory_new(LEN, false);
	bool ok;

	fill(mem, LEN, 9);
	/* With sanitizers mlock(3) does nothing. */
	if (syscall(SYS_mlock, mem, LEN)) {
		tap_note("mlock is not allowed here");
		munmap(mem, LEN);
		return true;
	}
	ok = kernel_mover_moves(mem, FERRY_REASON_REFUSED);
	syscall(SYS_munlock, mem, LEN);
	munmap(mem, LEN);
	return ok;
}

static bool test_absent_memory(void)
{
	char *mem = memory_new(LEN, false);
	bool ok = job_moves(mem, LEN) && statuses_are(-ENOENT) && move.result.nr_failed == NR_PAGES;

	/* A read maps the zero page, which can't move. */
	ok &= is_intact(mem, 0, 0) && !*(volatile char *)mem;
	ok &= job_moves(mem, LEN) && status[0] < 0 && status[1] == -ENOENT &&
	      move.result.nr_failed == NR_PAGES;
	/* Every other page is present. */
	for (size_t at = 0; at < LEN; at += 2 * PAGE_BYTES)
		fill(mem + at, PAGE_BYTES, at);
	ok &= job_moves(mem, LEN) && exchanged(&move) == NR_PAGES / 2;
	for (size_t i = 0; i < NR_PAGES; i++)
		ok &= i % 2 ? status[i] == -ENOENT && !mem[i * PAGE_BYTES]
			    : status[i] == some_node() &&
				      is_intact(mem + i * PAGE_BYTES, PAGE_BYTES, i * PAGE_BYTES);
	munmap(mem, LEN);
	/* Nothing is mapped. */
	ok &= job_moves(mem, LEN) && move.result.nr_failed == NR_PAGES && status[0] < 0;
	return ok;
}

static bool test_shared_after_fork(void)
{
	char *mem = memory_new(LEN, false);
	int wait_here[2], ended = -1;
	pid_t child;
	bool ok;

	fill(mem, LEN, 9);
	if (pipe(wait_here))
		return false;
	child = fork();
	if (!child) {
		char byte;

		close(wait_here[1]);
		while (read(wait_here[0], &byte, 1) > 0)
			;
		_exit(!is_intact(mem, LEN, 9));
	}
	ok = kernel_mover_moves(mem, FERRY_REASON_REFUSED);
	close(wait_here[1]);
	close(wait_here[0]);
	waitpid(child, &ended, 0);
	ok &= !ended;
	ok &= job_moves(mem, LEN) && is_intact(mem, LEN, 9);
	munmap(mem, LEN);
	return ok;
}

/* io_uring pins pages for long: they must keep their frames. */
static bool test_pinned_memory(void)
{
	struct io_uring_params params = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	char *mem = memory_new(LEN, false);
	struct iovec pinned = {mem + (1 << 20), 1 << 20};
	uint64_t before;
	bool ok;

	fill(mem, LEN, 9);
	if (ring < 0 || syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &pinned, 1)) {
		tap_note("io_uring is not available: %s", strerror(errno));
		return true;
	}
	before = frame_of(pinned.iov_base);
	ok = job_moves(mem, LEN) && is_intact(mem, LEN, 9) && frame_of(pinned.iov_base) == before &&
	     frame_of(mem + (1 << 20) + (1 << 19)) && exchanged(&move) < NR_PAGES;
	close(ring);
	munmap(mem, LEN);
	return ok;
}

/* The program's own userfaultfd watches the middle, and keeps working. */
static bool test_watched_memory(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	char *mem = memory_new(LEN, false);
	struct uffdio_register watch = {
		.range = {(uintptr_t)mem + (1 << 20), 1 << 20},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	bool ok;

	fill(mem, LEN, 9);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &watch))
		return false;
	ok = job_moves(mem, LEN) &&
	     nr_pages_because(FERRY_REASON_UFFD_BUSY) == (1 << 20) / PAGE_BYTES &&
	     statuses_are(some_node()) && is_intact(mem, LEN, 9);
	if (!ok)
		print_result(&move.result);
	close(fd);
	munmap(mem, LEN);
	return ok;
}

static bool test_merged_memory(void)
{
	char *mem = memory_new(LEN, false);
	bool ok;

	for (size_t at = 0; at < LEN; at += PAGE_BYTES)
		fill(mem + at, PAGE_BYTES, 7);
	madvise(mem, LEN, MADV_MERGEABLE);
	ok = job_moves(mem, LEN) && move.result.nr_moved == NR_PAGES;
	for (size_t at = 0; ok && at < LEN; at += PAGE_BYTES)
		ok = is_intact(mem + at, PAGE_BYTES, 7);
	munmap(mem, LEN);
	return ok;
}

/* The kernel merges neighbouring mappings with the caller's stack. They are not the stack. */
#define STACK_LEN (32UL << 20)

static char *stack_memory;

static void *move_around_own_stack(void *arg __maybe_unused)
{
	move = (struct move){.ferry = ferry,
			     .addr = stack_memory,
			     .len = STACK_LEN,
			     .mover = FERRY_MOVER_EXCHANGE};
	return (void *)(uintptr_t)(!move_run(&move) && adds_up(&move.result));
}

static bool test_callers_stack(void)
{
	const size_t middle = STACK_LEN / 2, stack_len = 1UL << 20;
	pthread_attr_t attr;
	pthread_t thread;
	void *moved = NULL;
	bool ok;

	stack_memory = memory_new(STACK_LEN, false);
	fill(stack_memory, STACK_LEN, 8);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack_memory + middle, stack_len);
	ok = !pthread_create(&thread, &attr, move_around_own_stack, NULL);
	if (ok)
		pthread_join(thread, &moved);
	pthread_attr_destroy(&attr);
	/* Some pages may be busy for a moment, but not half of them. The stack is not exchanged. */
	ok = ok && moved && exchanged(&move) > STACK_LEN / PAGE_BYTES / 2 &&
	     nr_pages_because(FERRY_REASON_OWN) >= stack_len / PAGE_BYTES;
	if (!ok)
		print_result(&move.result);
	ok &= is_intact(stack_memory, middle, 8);
	munmap(stack_memory, STACK_LEN);
	return ok;
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{"private anonymous memory is exchanged", test_private_memory},
	{"huge pages that move whole or in part stay huge", test_huge_pages},
	{"shared memory", test_shared_memory},
	{"a private mapping of a file", test_private_file},
	{"read-only and executable memory", test_protected_memory},
	{"locked memory", test_locked_memory},
	{"holes, the zero page, unmapped addresses", test_absent_memory},
	{"memory shared with a child", test_shared_after_fork},
	{"memory pinned by io_uring", test_pinned_memory},
	{"memory that the program's own userfaultfd watches", test_watched_memory},
	{"mergeable memory", test_merged_memory},
	{"the caller's stack inside other memory", test_callers_stack},
};

int main(void)
{
	ferry = open_exchanging_context(NULL);
	tap_plan(ARRAY_SIZE(tests));
	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		watchdog(60, tests[i].name);
		tap_ok(tests[i].run(), "%s", tests[i].name);
	}
	ferry_close(ferry);
	return tap_done();
}
