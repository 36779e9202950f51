// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A client of a DSA node that shares no code with the engine or the model: its bytes follow the
 * tables of the specification. dsa_client NODE checks what a correct program may expect; dsa_client
 * NODE wrong breaks three rules and expects the errors; dsa_client NODE ops OP_CAP tries every
 * operation.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE     4096UL
#define NR_DESCS 8

enum { NOOP = 0x00, BATCH = 0x01, DRAIN = 0x02, MEMMOVE = 0x03, FILL = 0x04, COMPARE = 0x05 };

struct record {
	uint8_t byte[32];
} __attribute__((aligned(32)));

static uint8_t descs[NR_DESCS][64] __attribute__((aligned(64)));
static struct record records[NR_DESCS];
static int node, nr_failed;

static void tap_check(int ok, const char *what)
{
	printf("# %s: %s\n", ok ? "yes" : "NO", what);
	nr_failed += !ok;
}

static void put_le(uint8_t *at, uint64_t value, int nr_bytes)
{
	while (nr_bytes--) {
		*at++ = (uint8_t)value;
		value >>= 8;
	}
}

/* The ith descriptor, which requests its record (bits 2 and 3 of the flags). */
static void desc_prepare(int i, int op, const void *src, const void *dst, uint32_t len_bytes)
{
	memset(descs[i], 0, 64);
	memset(&records[i], 0, 32);
	descs[i][4] = 0x0c;
	descs[i][7] = (uint8_t)op;
	put_le(&descs[i][8], (uintptr_t)&records[i], 8);
	put_le(&descs[i][16], (uintptr_t)src, 8);
	put_le(&descs[i][24], (uintptr_t)dst, 8);
	put_le(&descs[i][32], len_bytes, 4);
}

/* Submits descriptors [0, nr). Returns -errno, or how many were accepted. */
static int submit_descs(int nr)
{
	ssize_t taken = write(node, descs, (size_t)nr * 64);

	return taken < 0 ? -errno : (int)(taken / 64);
}

/* The status of the ith record, once it is there; 0 after a minute. */
static int await_record(int i)
{
	struct timespec pause = {0, 100000};

	for (int n = 0; n < 600000; n++) {
		uint8_t status = __atomic_load_n(&records[i].byte[0], __ATOMIC_ACQUIRE);

		if (status)
			return status;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int run_op(int op, const void *src, const void *dst, uint32_t len_bytes)
{
	desc_prepare(0, op, src, dst, len_bytes);
	return submit_descs(1) == 1 ? await_record(0) : -1;
}

static uint8_t *map_pages(size_t nr_pages)
{
	void *p = mmap(NULL, nr_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		abort();
	madvise(p, nr_pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

static void fill_random(uint8_t *at, size_t len_bytes)
{
	uint32_t x = 12345;

	while (len_bytes--)
		*at++ = (uint8_t)((x = x * 1103515245 + 12345) >> 16);
}

/* Unaligned lengths and offsets, and the bytes around the destination. */
static void check_moves(void)
{
	static const uint32_t lengths[] = {1, 63, 4096, 4097, 100000};
	uint8_t *src = map_pages(32), *dst = map_pages(32), *want = map_pages(32);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char what[80];
		int status;

		fill_random(src, 32 * PAGE);
		memset(dst, 0xee, 32 * PAGE);
		memset(want, 0xee, 32 * PAGE);
		memcpy(want + 777, src + 5, lengths[i]);
		status = run_op(MEMMOVE, src + 5, dst + 777, lengths[i]);
		snprintf(what, sizeof(what), "memmove of %u bytes: status 0x%02x", lengths[i],
			 status);
		tap_check(status == 0x01 && !memcmp(dst, want, 32 * PAGE), what);
	}
	memcpy(want, src, 32 * PAGE);
	memmove(want + 100, want + 9, 20000);
	tap_check(run_op(MEMMOVE, src + 9, src + 100, 20000) == 0x01 &&
			  !memcmp(src, want, 32 * PAGE),
		  "memmove onto itself");
}

static void check_others(void)
{
	uint8_t *a = map_pages(2), *b = map_pages(2);

	/* Touched, so that the device meets no page fault. */
	fill_random(a, 2 * PAGE);
	memset(b, 0, 2 * PAGE);
	tap_check(run_op(NOOP, NULL, NULL, 0) == 0x01, "a NOOP");
	tap_check(run_op(MEMMOVE, a, b, 2 * PAGE) == 0x01 &&
			  run_op(COMPARE, a, b, 2 * PAGE) == 0x01 && records[0].byte[1] == 0,
		  "compare: equal");
	b[5000] ^= 4;
	tap_check(run_op(COMPARE, a, b, 2 * PAGE) == 0x01 && records[0].byte[1] == 1,
		  "compare: different");
	desc_prepare(0, FILL, NULL, b, 4096);
	put_le(&descs[0][16], 0x0807060504030201, 8);
	tap_check(submit_descs(1) == 1 && await_record(0) == 0x01 && b[0] == 1 && b[4095] == 8,
		  "fill");
}

static void check_many(void)
{
	uint8_t *src = map_pages(NR_DESCS), *dst = map_pages(NR_DESCS);
	int nr_done = 0;

	fill_random(src, NR_DESCS * PAGE);
	for (int i = 0; i < NR_DESCS - 1; i++)
		desc_prepare(i, MEMMOVE, src + (unsigned int)i * PAGE, dst + (unsigned int)i * PAGE,
			     PAGE);
	memset(dst, 1, NR_DESCS * PAGE);
	desc_prepare(NR_DESCS - 1, DRAIN, NULL, NULL, 0);
	tap_check(submit_descs(NR_DESCS) == NR_DESCS, "eight in one write()");
	tap_check(await_record(NR_DESCS - 1) == 0x01, "a drain");
	for (int i = 0; i < NR_DESCS - 1; i++)
		nr_done += records[i].byte[0] == 0x01;
	tap_check(nr_done == NR_DESCS - 1, "behind the drain all is done");
	tap_check(!memcmp(src, dst, (NR_DESCS - 1) * PAGE), "and every byte there");
}

/* What the driver itself refuses. */
static void check_refusals(void)
{
	void *portal;

	desc_prepare(0, BATCH, descs[1], NULL, 2);
	tap_check(submit_descs(1) == -EINVAL, "a batch: EINVAL");
	desc_prepare(0, NOOP, NULL, NULL, 0);
	put_le(&descs[0][8], (uintptr_t)&records[0] + 8, 8);
	tap_check(submit_descs(1) == -EINVAL, "a misaligned record: EINVAL");
	desc_prepare(0, NOOP, NULL, NULL, 0);
	desc_prepare(1, BATCH, descs[2], NULL, 2);
	tap_check(submit_descs(2) == 1 && await_record(0) == 0x01,
		  "a bad one behind a good one: a short count");
	tap_check(write(node, descs, 63) == 0, "63 bytes: 0");
	portal = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, node, 0);
	printf("# mmap of a portal: %s\n", portal == MAP_FAILED ? strerror(errno) : "done");
	tap_check(portal == MAP_FAILED, "a portal cannot be mapped");
}

/* The driver serves each part by itself, and stops at one that is no whole number of descriptors.
 */
static void check_parts(void)
{
	struct iovec split[] = {{descs, 32}, {(char *)descs + 32, 32}};
	struct iovec uneven[] = {{descs, 96}, {(char *)descs + 96, 32}};
	struct iovec whole[] = {{descs, 64}, {descs, 0}, {descs[1], 64}};

	desc_prepare(0, NOOP, NULL, NULL, 0);
	tap_check(writev(node, split, 2) == 0, "writev() of two halves: nothing");
	desc_prepare(1, NOOP, NULL, NULL, 0);
	tap_check(writev(node, uneven, 2) == 64 && await_record(0) == 0x01 &&
			  records[1].byte[0] == 0,
		  "of one and a half, and a half: one");
	desc_prepare(0, NOOP, NULL, NULL, 0);
	tap_check(writev(node, whole, 3) == 128 && await_record(0) == 0x01 &&
			  await_record(1) == 0x01,
		  "of two wholes: both");
	desc_prepare(0, NOOP, NULL, NULL, 0);
	tap_check(write(node, descs, 96) == 64 && await_record(0) == 0x01,
		  "write() of one and a half: one");
}

static void check_fork(void)
{
	int status = -1;
	pid_t pid;

	desc_prepare(0, NOOP, NULL, NULL, 0);
	pid = fork();
	if (!pid)
		_exit(submit_descs(1) == -EPERM ? 0 : 1);
	waitpid(pid, &status, 0);
	tap_check(status == 0, "after fork: EPERM");
	pid = vfork();
	if (!pid)
		_exit(submit_descs(1) == 1 ? 0 : 1);
	waitpid(pid, &status, 0);
	tap_check(status == 0 && await_record(0) == 0x01, "after vfork, in the same memory: done");
	desc_prepare(0, NOOP, NULL, NULL, 0);
	tap_check(submit_descs(1) == 1 && await_record(0) == 0x01, "the parent may go on");
}

/* A child that keeps its descriptor over an exec, which gives it another memory. */
static void check_exec(const char *path)
{
	char number[16];
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		int fd = open(path, O_RDWR);

		snprintf(number, sizeof(number), "%d", fd);
		execl("/proc/self/exe", "dsa_client", path, "inherited", number, NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	tap_check(status == 0, "after exec: EPERM");
}

static void check_inherited(int fd)
{
	node = fd;
	desc_prepare(0, NOOP, NULL, NULL, 0);
	tap_check(submit_descs(1) == -EPERM, "a node from before exec: EPERM");
}

static uint64_t fault_addr(void)
{
	uint64_t addr;

	memcpy(&addr, &records[0].byte[8], 8);
	return addr / PAGE * PAGE;
}

/* A device resolves no page fault unless the descriptor allows it. */
static void check_faults(void)
{
	uint8_t *src = map_pages(4), *dst = map_pages(4);
	uint32_t done;
	int status;

	memset(src, 7, 2 * PAGE);
	memset(dst, 9, 4 * PAGE);
	status = run_op(MEMMOVE, src, dst, 4 * PAGE);
	memcpy(&done, &records[0].byte[4], 4);
	tap_check(status == 0x03 && fault_addr() == (uintptr_t)(src + 2 * PAGE) && done <= 2 * PAGE,
		  "an absent source page: 0x03, its address");
	tap_check(dst[2 * PAGE] == 9 && dst[4 * PAGE - 1] == 9, "nothing written behind it");
	memset(src, 7, 4 * PAGE);
	memset(dst, 9, 4 * PAGE);
	mprotect(dst + PAGE, PAGE, PROT_READ);
	status = run_op(MEMMOVE, src, dst, 4 * PAGE);
	tap_check(status == 0x83 && fault_addr() == (uintptr_t)(dst + PAGE),
		  "a destination that is not writable: 0x83, its address");
	tap_check(dst[PAGE] == 9 && dst[2 * PAGE] == 9, "and is as it was");
	mprotect(dst + PAGE, PAGE, PROT_READ | PROT_WRITE);
	tap_check(run_op(MEMMOVE, src, dst, 4 * PAGE) == 0x01 && !memcmp(src, dst, 4 * PAGE),
		  "once mended: done");
}

/* In an operand so large that the daemon's copy of it could be a huge page, where none is absent.
 */
static void check_large_fault(void)
{
	enum { NR_LARGE = 512, HOLE = 300 };
	uint8_t *src = map_pages(NR_LARGE), *dst = map_pages(NR_LARGE);

	memset(src, 7, NR_LARGE * PAGE);
	memset(dst, 9, NR_LARGE * PAGE);
	madvise(src + HOLE * PAGE, PAGE, MADV_DONTNEED);
	tap_check(run_op(MEMMOVE, src, dst, NR_LARGE * PAGE) == 0x03 &&
			  fault_addr() == (uintptr_t)(src + HOLE * PAGE),
		  "an absent page amid 2 MiB: 0x03, its address");
	tap_check(dst[HOLE * PAGE] == 9, "nothing written there");
	memset(src + HOLE * PAGE, 7, PAGE);
	madvise(dst + HOLE * PAGE, PAGE, MADV_DONTNEED);
	tap_check(run_op(MEMMOVE, src, dst, NR_LARGE * PAGE) == 0x83 &&
			  fault_addr() == (uintptr_t)(dst + HOLE * PAGE),
		  "an absent page of the destination: 0x83, its address");
	dst[HOLE * PAGE] = 9;
	tap_check(run_op(MEMMOVE, src, dst, NR_LARGE * PAGE) == 0x01 &&
			  !memcmp(src, dst, NR_LARGE * PAGE),
		  "once present: done");
}

static int has_error(void)
{
	struct pollfd ready = {.fd = node, .events = POLLIN};

	return poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN);
}

static void check_wrong(void)
{
	uint8_t *src = map_pages(1), *dst = map_pages(1), *gone = map_pages(1);

	memset(src, 7, PAGE);
	memset(dst, 9, PAGE);
	desc_prepare(0, MEMMOVE, src, dst, PAGE);
	descs[0][38] = 1;
	tap_check(submit_descs(1) == 1 && await_record(0) == 0x12 && dst[0] == 9,
		  "a reserved byte: 0x12");
	tap_check(run_op(MEMMOVE, src, dst, 0) == 0x13, "no bytes: 0x13");
	tap_check(!has_error(), "no error without a record so far");
	munmap(gone, PAGE);
	desc_prepare(0, MEMMOVE, src, dst, PAGE);
	put_le(&descs[0][8], (uintptr_t)gone, 8);
	tap_check(submit_descs(1) == 1 && has_error() && dst[0] == 9,
		  "nowhere to report: POLLIN, no more");
}

/* op_cap: a bit for each operation that sysfs offers. The others, and only they, are unknown. */
static void check_ops(uint64_t op_cap)
{
	uint64_t known = 1ULL << BATCH;

	for (int op = 0; op < 64; op++)
		if (op != BATCH && run_op(op, NULL, NULL, 0) != 0x10)
			known |= 1ULL << op;
	printf("# offered 0x%llx, known 0x%llx\n", (unsigned long long)op_cap,
	       (unsigned long long)known);
	tap_check(known == op_cap, "the operations that sysfs offers, and no others");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	node = open(argc > 1 ? argv[1] : "", O_RDWR | O_CLOEXEC);
	if (node < 0) {
		printf("# cannot open %s: %s\n", argc > 1 ? argv[1] : "nothing", strerror(errno));
		return 1;
	}
	if (argc > 3 && !strcmp(argv[2], "inherited")) {
		check_inherited(atoi(argv[3]));
	} else if (argc > 3) {
		check_ops(strtoull(argv[3], NULL, 0));
	} else if (argc > 2) {
		check_wrong();
	} else {
		check_others();
		check_moves();
		check_many();
		check_refusals();
		check_parts();
		check_fork();
		check_exec(argv[1]);
		check_faults();
		check_large_fault();
	}
	return nr_failed != 0;
}
