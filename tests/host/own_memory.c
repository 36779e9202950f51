// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Moves all writable private memory of the process while threads use it: the arrays of the request,
 * stacks, TLS, malloc's arenas, .data and .bss of libc and of the library. The library is loaded
 * from its .so, as in any program. The failure that this test looks for is a deadlock.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define RANGES_MAX 512
#define BIG_BYTES  (64UL << 20) /* larger mappings are pools, which are mostly empty */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static __typeof__(ferry_open) *open_;
static __typeof__(ferry_close) *close_;
static __typeof__(ferry_submit) *submit_;
static __typeof__(ferry_job_wait) *job_wait_;
static __typeof__(ferry_job_result) *job_result_;
static __typeof__(ferry_job_close) *job_close_;
static __typeof__(ferry_get_stats) *get_stats_;

static bool load_library(void)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 64);
	void *lib;

	if (len < 0)
		return false;
	path[len] = '\0';
	for (int up = 0; up < 3; up++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/libpageferry.so");
	lib = dlopen(path, RTLD_NOW);
	if (!lib) {
		tap_note("%s", dlerror());
		return false;
	}
	open_ = (__typeof__(open_))dlsym(lib, "ferry_open");
	close_ = (__typeof__(close_))dlsym(lib, "ferry_close");
	submit_ = (__typeof__(submit_))dlsym(lib, "ferry_submit");
	job_wait_ = (__typeof__(job_wait_))dlsym(lib, "ferry_job_wait");
	job_result_ = (__typeof__(job_result_))dlsym(lib, "ferry_job_result");
	job_close_ = (__typeof__(job_close_))dlsym(lib, "ferry_job_close");
	get_stats_ = (__typeof__(get_stats_))dlsym(lib, "ferry_get_stats");
	return open_ && close_ && submit_ && job_wait_ && job_result_ && job_close_ && get_stats_;
}

/* ---- threads that use the memory ---- */

static atomic_bool stop;
static atomic_ulong nr_rounds, nr_wrong;
static __thread uint64_t tls_words[1024];
static uint64_t bss_words[4096];
static uint64_t data_words[4096] = {1};

static uint64_t recurse_deep(unsigned int depth)
{
	volatile uint64_t frame[64];

	frame[depth % 64] = depth;
	return depth ? recurse_deep(depth - 1) + frame[depth % 64] : 0;
}

static void *use_memory(void *arg)
{
	size_t me = (size_t)arg;
	uint64_t round = 0;

	while (!atomic_load(&stop)) {
		size_t len = 16 + round % 40000;
		char *block = malloc(len), text[64];

		memset(block, (int)me, len);
		for (unsigned int i = 0; i < 1024; i++)
			if (tls_words[i]++ != round)
				atomic_fetch_add(&nr_wrong, 1);
		for (size_t i = me; i < 4096; i += 8)
			if (bss_words[i]++ != round)
				atomic_fetch_add(&nr_wrong, 1);
		data_words[me + 8] += 1;
		snprintf(text, sizeof(text), "%zu %" PRIu64, me, round);
		if (strtoul(text, NULL, 10) != me || block[len - 1] != (char)me ||
		    recurse_deep(200) != 200 * 201 / 2)
			atomic_fetch_add(&nr_wrong, 1);
		free(block);
		round++;
	}
	atomic_fetch_add(&nr_rounds, round);
	return NULL;
}

/* ---- moves ---- */

static size_t read_maps(struct ferry_range *ranges)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096], access[8];
	uintptr_t start, end;
	size_t nr = 0;

	while (maps && nr < RANGES_MAX && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &start, &end, access) != 3 ||
		    strcmp(access, "rw-p") || end - start > BIG_BYTES)
			continue;
		ranges[nr++] = (struct ferry_range){(void *)start, end - start, some_node()};
	}
	if (maps)
		fclose(maps);
	return nr;
}

static bool run_request(struct ferry *ferry, struct ferry_request *request,
			struct ferry_result *result)
{
	struct ferry_job *job;
	int err = submit_(ferry, request, &job);

	if (err) {
		tap_note("ferry_submit: %s", strerror(-err));
		return false;
	}
	err = job_wait_(job, WAIT_NS);
	*result = (struct ferry_result)FERRY_RESULT_INIT;
	if (!err)
		err = job_result_(job, result);
	if (!err)
		job_close_(job);
	if (err || result->error)
		tap_note("job: %d, %d", err, result->error);
	return !err && !result->error && adds_up(result);
}

static bool move_ranges(struct ferry *ferry, uint64_t chunk_bytes, uint64_t *nr_exchanged)
{
	struct ferry_range *ranges = malloc(RANGES_MAX * sizeof(*ranges));
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result;
	uint64_t nr_pages = 0;
	bool good;

	request.ranges = ranges;
	request.nr_ranges = read_maps(ranges);
	request.flags = FERRY_MOVE_ALWAYS;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.chunk_bytes = chunk_bytes;
	for (size_t i = 0; i < request.nr_ranges; i++)
		nr_pages += ranges[i].len_bytes / PAGE_BYTES;
	request.status = malloc(nr_pages * sizeof(int));
	good = run_request(ferry, &request, &result);
	*nr_exchanged += result.pages_by_mover[FERRY_MOVER_EXCHANGE];
	free(request.status);
	free(ranges);
	return good;
}

/* Moves only the arrays of the request itself, as a list of pages. */
static bool move_arrays(struct ferry *ferry, uint64_t *nr_exchanged)
{
	enum { NR = 8192 };
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result;
	char *arrays = memory_new(NR * 16 + 2 * PAGE_BYTES, false);
	void **pages = (void **)arrays;
	int *nodes = (int *)(arrays + NR * 8);
	size_t nr_pages = NR * 16 / PAGE_BYTES;
	bool good;

	for (size_t i = 0; i < NR; i++) {
		pages[i] = arrays + i % nr_pages * PAGE_BYTES;
		nodes[i] = some_node();
	}
	request.pages = pages;
	request.nodes = nodes;
	request.nr_pages = nr_pages;
	request.status = memset(nodes + NR, 0x55, NR * sizeof(int));
	request.flags = FERRY_MOVE_ALWAYS;
	request.mover = FERRY_MOVER_EXCHANGE;
	good = run_request(ferry, &request, &result);
	for (size_t i = 0; i < NR; i++)
		good &= pages[i] == arrays + i % nr_pages * PAGE_BYTES && nodes[i] == some_node();
	for (size_t i = 0; i < nr_pages; i++)
		if (request.status[i] != some_node()) {
			tap_note("page %zu of %zu: status %d", i, nr_pages, request.status[i]);
			good = false;
		}
	*nr_exchanged += result.pages_by_mover[FERRY_MOVER_EXCHANGE];
	munmap(arrays, NR * 16 + 2 * PAGE_BYTES);
	return good;
}

static void test_engine(const char *engine, uint64_t chunk_bytes, double seconds)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	uint64_t end_ns = test_now_ns() + (uint64_t)(seconds * 1e9), nr_exchanged = 0;
	pthread_t threads[4];
	struct ferry *ferry;
	bool good = true;

	watchdog(60 + (unsigned int)(2 * seconds), engine);
	options.engine = engine;
	options.nr_workers = 3;
	if (open_(&ferry, &options)) {
		tap_skip("the engine can't be opened", "%s", engine);
		return;
	}
	atomic_store(&stop, false);
	atomic_store(&nr_wrong, 0);
	memset(bss_words, 0, sizeof(bss_words));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, use_memory, (void *)i);
	/* On a busy machine it may take longer until the first page has moved. */
	while (good && (test_now_ns() < end_ns || !nr_exchanged))
		good = move_ranges(ferry, chunk_bytes, &nr_exchanged) &&
		       move_arrays(ferry, &nr_exchanged);
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	close_(ferry);
	if (nr_wrong)
		tap_note("%lu wrong words", nr_wrong);
	tap_ok(good && !nr_wrong && nr_exchanged, "%s, chunks of %lu: %lu pages exchanged", engine,
	       (unsigned long)chunk_bytes, (unsigned long)nr_exchanged);
}

static bool library_exchanges(void)
{
	struct ferry *ferry;
	uint64_t nr = 0;

	if (open_(&ferry, NULL))
		return false;
	move_arrays(ferry, &nr);
	close_(ferry);
	return nr;
}

int main(void)
{
	double seconds = test_seconds(2.0) / 4;

	if (SANITIZED) {
		printf("1..0 # SKIP a sanitizer's shadow must not move\n");
		return 0;
	}
	if (!load_library()) {
		printf("Bail out! libpageferry.so can't be loaded\n");
		return 1;
	}
	watchdog(60, "a first move");
	if (!library_exchanges()) {
		printf("1..0 # SKIP no full userfaultfd with UFFDIO_MOVE on this machine\n");
		return 0;
	}
	tap_plan(4);
	test_engine("cpu", 0, seconds);
	test_engine("cpu", 4096, seconds);
	test_engine("dsa:model", 0, seconds);
	test_engine("fault:every=5,what=mix,inner=cpu", 65536, seconds);
	return tap_done();
}
