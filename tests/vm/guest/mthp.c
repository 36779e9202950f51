// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves folios between 4 KiB and 2 MiB, next to single pages and huge pages, between two nodes: by
 * ferry_move_pages() side by side with the system call, by jobs of each mover, while a thread
 * writes, and without the privilege to see folios. Checks every byte, the node and status of every
 * page, and that the folios are whole afterwards.
 *
 * With --plain the program makes the system call only, for runs with the drop-in.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/vm/guest/mthp_call.h"

#define NR_WORKERS 4

static struct folio_files folio_files;
static int node_far;

/* ---- jobs ---- */

struct job_case {
	const char *name;
	enum ferry_mover mover;
	unsigned int nr_workers;
	uint64_t chunk_bytes;
	size_t first_half, last_half; /* 1: leave out half a folio at that end */
};

static const struct job_case job_cases[] = {
	{"as the policy decides", FERRY_MOVER_AUTO, 0, 0, 0, 0},
	{"exchange", FERRY_MOVER_EXCHANGE, NR_WORKERS, 0, 0, 0},
	{"exchange by one worker, from mid-folio to mid-folio", FERRY_MOVER_EXCHANGE, 1, 0, 1, 1},
	{"exchange in chunks of 4 KiB", FERRY_MOVER_EXCHANGE, NR_WORKERS, 4096, 0, 0},
	{"exchange in chunks of 64 KiB", FERRY_MOVER_EXCHANGE, NR_WORKERS, 65536, 1, 0},
	{"kernel mover", FERRY_MOVER_KERNEL, NR_WORKERS, 0, 0, 1},
};

static int status[SCENE_PAGES], where[SCENE_PAGES];
static void *pages[SCENE_PAGES];

static char *tiles_new(size_t folio_bytes)
{
	char *base = memory_new(SCENE_BYTES, true);

	prefer_node(0);
	make_tiles(base, folio_bytes);
	prefer_node(-1);
	fill_tiles(base, folio_bytes);
	return base;
}

static bool run_job(struct ferry *ferry, const struct job_case *c, char *base, size_t folio_bytes,
		    int node, struct ferry_result *result)
{
	size_t skip = c->first_half * folio_bytes / 2;
	struct ferry_range range = {base + skip, SCENE_BYTES - skip, node};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_job *job;
	int err;

	range.len_bytes -= c->last_half * folio_bytes / 2;
	request.ranges = &range;
	request.nr_ranges = 1;
	request.mover = c->mover;
	request.nr_workers = c->nr_workers;
	request.chunk_bytes = c->chunk_bytes;
	request.status = status + skip / PAGE_BYTES;
	for (size_t i = 0; i < SCENE_PAGES; i++)
		status[i] = UNTOUCHED;
	err = ferry_submit(ferry, &request, &job);
	if (!err)
		err = ferry_job_wait(job, WAIT_NS);
	if (err) {
		tap_note("job: %s", strerror(-err));
		return false;
	}
	*result = (struct ferry_result)FERRY_RESULT_INIT;
	err = ferry_job_result(job, result);
	ferry_job_close(job);
	return !err && !result->error && adds_up(result);
}

/* True if each page of the request is on its node, and its status says so. */
static bool all_arrived(char *base, size_t folio_bytes, int node)
{
	for (size_t i = 0; i < SCENE_PAGES; i++)
		pages[i] = base + i * PAGE_BYTES;
	if (sys(SYS_move_pages, 0, SCENE_PAGES, pages, NULL, where, 0))
		return false;
	for (size_t i = 0; i < SCENE_PAGES; i++) {
		int wanted = is_hole(i * PAGE_BYTES, folio_bytes) ? -ENOENT : node;

		if (status[i] == UNTOUCHED || (status[i] == wanted && where[i] == wanted))
			continue;
		tap_note("page %zu: status %d, is on %d, wanted %d", i, status[i], where[i],
			 wanted);
		return false;
	}
	return true;
}

/* Moves to and fro. sees_folios: the library can see folios, and must not exchange them. */
static bool moves_well(struct ferry *ferry, const struct job_case *c, size_t folio_bytes,
		       bool sees_folios)
{
	char *base = tiles_new(folio_bytes);
	uint64_t nr_small = nr_pages_of(TILE_SMALL, folio_bytes), nr_exchangeable = PAGES_PER_HUGE;
	bool good = all_folios_whole(&folio_files, base, folio_bytes);

	if (sees_folios)
		nr_exchangeable += nr_small;
	for (int round = 0; good && round < 4; round++) {
		struct ferry_result result;
		uint64_t nr_exchanged;
		int node = round % 2 ? 0 : node_far;

		good = run_job(ferry, c, base, folio_bytes, node, &result);
		nr_exchanged = result.pages_by_mover[FERRY_MOVER_EXCHANGE];
		good = good && all_arrived(base, folio_bytes, node) &&
		       tiles_intact(base, folio_bytes);
		if (c->mover == FERRY_MOVER_KERNEL)
			good = good && !nr_exchanged;
		else
			good = good && nr_exchanged;
		/* The kernel splits folios when it moves them for the second time. */
		if (!round)
			good = good && nr_exchanged <= nr_exchangeable &&
			       all_folios_whole(&folio_files, base, folio_bytes);
		/* All pages are there already: nothing moves, and the result says so. */
		if (good && round == 3) {
			good = run_job(ferry, c, base, folio_bytes, node, &result) &&
			       !result.nr_moved && all_arrived(base, folio_bytes, node);
		}
		if (!good) {
			tap_note("round %d", round);
			print_result(&result);
		}
	}
	munmap(base, SCENE_BYTES);
	return good;
}

static void test_jobs(size_t folio_bytes)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry *ferry;

	options.nr_workers = NR_WORKERS;
	if (ferry_open(&ferry, &options)) {
		tap_note("%s", ferry_open_error());
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(job_cases); i++)
		tap_ok(moves_well(ferry, &job_cases[i], folio_bytes, true), "%zu KiB, a job: %s",
		       kib(folio_bytes), job_cases[i].name);
	ferry_close(ferry);
}

/* ---- under a writer ---- */

struct writer {
	char *base;
	size_t folio_bytes;
	atomic_bool stop;
	uint64_t nr_rounds, nr_lost;
};

static void *write_all(void *arg)
{
	struct writer *writer = arg;

	while (!atomic_load(&writer->stop)) {
		for (size_t at = 0; at < SCENE_BYTES; at += PAGE_BYTES) {
			volatile uint64_t *word = (volatile uint64_t *)(writer->base + at +
									PAGE_BYTES - sizeof(*word));

			if (is_hole(at, writer->folio_bytes))
				continue;
			writer->nr_lost += *word != writer->nr_rounds;
			*word = writer->nr_rounds + 1;
		}
		writer->nr_rounds++;
	}
	return NULL;
}

static bool keeps_updates(struct ferry *ferry, size_t folio_bytes)
{
	static const struct job_case cases[] = {
		{"", FERRY_MOVER_AUTO, 0, 0, 0, 0},
		{"", FERRY_MOVER_EXCHANGE, NR_WORKERS, 65536, 1, 1},
	};
	struct writer writer = {.base = tiles_new(folio_bytes), .folio_bytes = folio_bytes};
	struct ferry_result result;
	pthread_t thread;
	bool good = true;

	for (size_t at = 0; at < SCENE_BYTES; at += PAGE_BYTES)
		if (!is_hole(at, folio_bytes))
			*(uint64_t *)(writer.base + at + PAGE_BYTES - sizeof(uint64_t)) = 0;
	pthread_create(&thread, NULL, write_all, &writer);
	for (int round = 0; good && round < 12; round++)
		good = run_job(ferry, &cases[round / 2 % 2], writer.base, folio_bytes,
			       round % 2 ? 0 : node_far, &result);
	atomic_store(&writer.stop, true);
	pthread_join(thread, NULL);
	if (writer.nr_lost)
		tap_note("%llu updates lost", (unsigned long long)writer.nr_lost);
	good = good && !writer.nr_lost && tiles_intact(writer.base, folio_bytes);
	munmap(writer.base, SCENE_BYTES);
	return good;
}

static void test_writers(size_t folio_bytes)
{
	struct ferry *ferry;
	bool good = !ferry_open(&ferry, NULL);

	good = good && keeps_updates(ferry, folio_bytes);
	tap_ok(good, "%zu KiB, a job: while a thread writes", kib(folio_bytes));
	ferry_close(ferry);
}

/* ---- without CAP_SYS_ADMIN ---- */

static bool drop_capability(unsigned int which)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (sys(SYS_capget, &header, data))
		return false;
	data[which / 32].effective &= ~(1U << which % 32);
	data[which / 32].permitted &= ~(1U << which % 32);
	return !sys(SYS_capset, &header, data);
}

/* The library cannot tell small pages from folios then, so it may exchange huge pages only. */
static void test_unprivileged(size_t folio_bytes)
{
	int ended = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		struct ferry *ferry;
		bool good = folio_files_open(&folio_files) && drop_capability(CAP_SYS_ADMIN) &&
			    !ferry_open(&ferry, NULL);

		for (size_t i = 0; good && i < ARRAY_SIZE(job_cases); i++) {
			good = moves_well(ferry, &job_cases[i], folio_bytes, false);
			if (!good)
				tap_note("a job: %s", job_cases[i].name);
		}
		_exit(!good);
	}
	waitpid(child, &ended, 0);
	tap_ok(!ended,
	       "%zu KiB, jobs that cannot see folios: the kernel mover moves all but huge pages",
	       kib(folio_bytes));
}

/* ---- for the drop-in ---- */

static bool plain_call_moves(size_t folio_bytes)
{
	char *base = tiles_new(folio_bytes);
	int nodes[SCENE_PAGES];
	bool good;

	for (size_t i = 0; i < SCENE_PAGES; i++) {
		pages[i] = base + i * PAGE_BYTES;
		nodes[i] = node_far;
	}
	good = all_folios_whole(&folio_files, base, folio_bytes) &&
	       !move_pages(0, SCENE_PAGES, pages, nodes, status, MPOL_MF_MOVE);
	/* The kernel says EBUSY for the second page of a folio. */
	for (size_t i = 0; i < SCENE_PAGES; i++)
		if (status[i] == -EBUSY)
			status[i] = node_far;
	good = good && all_arrived(base, folio_bytes, node_far) &&
	       tiles_intact(base, folio_bytes) && all_folios_whole(&folio_files, base, folio_bytes);
	munmap(base, SCENE_BYTES);
	return good;
}

static int plain_calls(void)
{
	tap_plan(NR_FOLIO_SIZES);
	for (unsigned int i = 0; i < NR_FOLIO_SIZES; i++)
		tap_ok(plain_call_moves(folio_sizes[i]), "%zu KiB, a program's own call",
		       kib(folio_sizes[i]));
	return tap_done();
}

int main(int argc, char **argv)
{
	struct answer *answers = new_answers();

	node_far = find_node(true);
	if (!node_far || !folio_files_open(&folio_files) || !allow_no_folios()) {
		printf("Bail out! needs root, a second node, and a kernel with mTHP\n");
		return 1;
	}
	if (argc > 1 && !strcmp(argv[1], "--plain"))
		return plain_calls();
	tap_plan(NR_FOLIO_SIZES * (NR_NAMINGS + (int)ARRAY_SIZE(job_cases) + 2));
	for (unsigned int i = 0; i < NR_FOLIO_SIZES; i++) {
		size_t folio_bytes = folio_sizes[i];

		watchdog(250, "mthp");
		for (enum naming naming = 0; naming < NR_NAMINGS; naming++)
			test_call(answers, folio_bytes, naming);
		test_jobs(folio_bytes);
		test_writers(folio_bytes);
		test_unprivileged(folio_bytes);
	}
	return tap_done();
}
