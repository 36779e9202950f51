// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A client of a DSA node that knows only the portal, as most libraries do: it maps it, closes the
 * node, and submits by ENQCMD to a shared queue or by MOVDIR64B to a dedicated one. dsa_portal NODE
 * shared|dedicated. Its bytes follow the tables of the specification.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE     4096UL
#define NR_DESCS 8

enum { NOOP = 0x00, BATCH = 0x01, DRAIN = 0x02, MEMMOVE = 0x03, COMPARE = 0x05 };
enum { FENCE = 0x01, REPORT = 0x0c };

struct record {
	uint8_t byte[32];
} __attribute__((aligned(32)));

static uint8_t descs[NR_DESCS][64] __attribute__((aligned(64)));
static struct record records[NR_DESCS];
static uint8_t batch[64];
static struct record batch_record;
static char *portal;
static bool dedicated;
static int nr_failed;
static uint8_t *src, *dst;

static void tap_check(bool ok, const char *what)
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

static void fill_desc(uint8_t desc[64], struct record *record, int op, const void *from,
		      const void *to, uint32_t size)
{
	memset(desc, 0, 64);
	memset(record, 0, sizeof(*record));
	desc[4] = REPORT;
	desc[7] = (uint8_t)op;
	put_le(&desc[8], (uintptr_t)record, 8);
	put_le(&desc[16], (uintptr_t)from, 8);
	put_le(&desc[24], (uintptr_t)to, 8);
	put_le(&desc[32], size, 4);
}

static void desc_prepare(int i, int op, const void *from, const void *to, uint32_t len_bytes)
{
	fill_desc(descs[i], &records[i], op, from, to, len_bytes);
}

static void batch_prepare(const void *list, uint32_t nr)
{
	fill_desc(batch, &batch_record, BATCH, list, NULL, nr);
}

#ifdef __x86_64__

static void submit_posted(void *to, const uint8_t desc[64])
{
	__asm__ volatile("movdir64b (%1), %0" : : "r"(to), "r"(desc) : "memory");
}

/* Returns whether the queue accepted it. */
static bool submit_once(const uint8_t desc[64])
{
	bool retry;

	__asm__ volatile("enqcmd (%2), %1" : "=@ccz"(retry) : "r"(portal), "r"(desc) : "memory");
	return !retry;
}

#else

static void submit_posted(void *to, const uint8_t desc[64])
{
	(void)to;
	(void)desc;
	abort();
}

static bool submit_once(const uint8_t desc[64])
{
	submit_posted(portal, desc);
	return false;
}

#endif

static void submit(const uint8_t desc[64])
{
	static unsigned int slot;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (dedicated)
		submit_posted(portal + slot++ % 64 * 64, desc);
	else
		while (!submit_once(desc))
			;
}

/* The status, once it is there; 0 after a minute. */
static int await_record(const struct record *record)
{
	struct timespec pause = {0, 100000};

	for (int n = 0; n < 600000; n++) {
		uint8_t status = __atomic_load_n(&record->byte[0], __ATOMIC_ACQUIRE);

		if (status)
			return status;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int run_batch(const void *list, uint32_t nr)
{
	batch_prepare(list, nr);
	submit(batch);
	return await_record(&batch_record);
}

static uint32_t nr_completed(void)
{
	uint32_t nr;

	memcpy(&nr, &batch_record.byte[4], 4);
	return nr;
}

static int records_with(int status)
{
	int nr = 0;

	for (int i = 0; i < NR_DESCS; i++)
		nr += records[i].byte[0] == status;
	return nr;
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

static void set_up(void)
{
	for (size_t i = 0; i < NR_DESCS * PAGE; i++)
		src[i] = (uint8_t)(i * 7 + i / PAGE);
	memset(dst, 0xee, NR_DESCS * PAGE);
}

/* A page from and to every ith page. */
static void prepare_moves(void)
{
	set_up();
	for (size_t i = 0; i < NR_DESCS; i++)
		desc_prepare((int)i, MEMMOVE, src + i * PAGE, dst + i * PAGE, PAGE);
}

static void check_singles(void)
{
	prepare_moves();
	submit(descs[0]);
	tap_check(await_record(&records[0]) == 0x01 && !memcmp(src, dst, PAGE), "one memmove");
	prepare_moves();
	for (int i = 0; i < NR_DESCS; i++)
		submit(descs[i]);
	for (int i = 0; i < NR_DESCS; i++)
		await_record(&records[i]);
	tap_check(records_with(0x01) == NR_DESCS && !memcmp(src, dst, NR_DESCS * PAGE),
		  "eight of them");
	desc_prepare(0, DRAIN, NULL, NULL, 0);
	submit(descs[0]);
	tap_check(await_record(&records[0]) == 0x01, "a drain");
}

static void check_batches(void)
{
	prepare_moves();
	tap_check(run_batch(descs, NR_DESCS) == 0x01 && nr_completed() == NR_DESCS, "a batch");
	tap_check(records_with(0x01) == NR_DESCS && !memcmp(src, dst, NR_DESCS * PAGE),
		  "all of its records, and every byte");

	/* Page 0 of src through page 1 of dst to page 2 of dst, unaligned. */
	set_up();
	desc_prepare(0, MEMMOVE, src + 5, dst + PAGE + 77, 4000);
	desc_prepare(1, MEMMOVE, dst + PAGE + 77, dst + 2 * PAGE + 9, 4000);
	desc_prepare(2, COMPARE, src + 5, dst + 2 * PAGE + 9, 4000);
	descs[1][4] |= FENCE;
	descs[2][4] |= FENCE;
	tap_check(run_batch(descs, 3) == 0x01 && !memcmp(src + 5, dst + 2 * PAGE + 9, 4000) &&
			  records[2].byte[1] == 0,
		  "each behind a fence reads what the one before it wrote");
	tap_check(dst[2 * PAGE + 8] == 0xee && dst[2 * PAGE + 4009] == 0xee,
		  "and nothing else changed");
}

static void check_failures(void)
{
	uint64_t addr;

	prepare_moves();
	put_le(&descs[2][32], 0, 4);
	descs[5][4] |= FENCE;
	tap_check(run_batch(descs, NR_DESCS) == 0x05 && nr_completed() == 5,
		  "one fails: 0x05, and the fence ends the batch");
	tap_check(records[2].byte[0] == 0x13 && records_with(0x01) == 4 && records_with(0) == 3,
		  "the records tell which");
	tap_check(dst[5 * PAGE] == 0xee && !memcmp(src, dst, 2 * PAGE), "and so does memory");

	prepare_moves();
	madvise(src + 3 * PAGE, PAGE, MADV_DONTNEED);
	tap_check(run_batch(descs, NR_DESCS) == 0x05 && nr_completed() == NR_DESCS,
		  "an absent page");
	memcpy(&addr, &records[3].byte[8], 8);
	tap_check(records[3].byte[0] == 0x03 && addr / PAGE * PAGE == (uintptr_t)(src + 3 * PAGE),
		  "its descriptor reports 0x03 and its address");

	prepare_moves();
	tap_check(run_batch(descs[0] + 32, 2) == 0x18, "a misaligned list: 0x18");
	tap_check(run_batch(descs, 1) == 0x14, "a batch of one: 0x14");
	prepare_moves();
	descs[1][7] = BATCH;
	tap_check(run_batch(descs, NR_DESCS) == 0x05 && records[1].byte[0] == 0x10,
		  "a batch in a batch: 0x10");
}

int main(int argc, char **argv)
{
	int node = open(argc > 2 ? argv[1] : "", O_RDWR | O_CLOEXEC);

	setvbuf(stdout, NULL, _IOLBF, 0);
	dedicated = argc > 2 && !strcmp(argv[2], "dedicated");
	portal = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED | MAP_POPULATE, node, 0);
	if (portal == MAP_FAILED) {
		printf("# no portal: %s\n", strerror(errno));
		return 1;
	}
	close(node);
	src = map_pages(NR_DESCS);
	dst = map_pages(NR_DESCS);
	check_singles();
	check_batches();
	if (argc > 3)
		check_failures();
	return nr_failed != 0;
}
