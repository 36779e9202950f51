// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Opens contexts with random options, submits random requests, and runs a program under the drop-in
 * with a random environment. Nothing may crash or hang, errors are those of the manual, no byte of
 * a page changes, and a valid request works afterwards.
 *
 *	options_fuzz [--time SECONDS] [--seed SEED [--steps N]]
 *
 * The drop-in is looked for two folders above the program. `options_fuzz --victim` is the program
 * that runs under it.
 */
#include <linux/mempolicy.h>
#include <stdarg.h>

#include "tests/fuzz/rounds.h"
#include "tests/testlib/moving.h"

#define STEPS     40
#define HANG_S    300
#define ARENA_LEN (2UL << 20)
#define SEED      3

static char *arena;
static char *fence; /* before it: readable memory of a page; from it on: none */

static int wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	return 1;
}

static bool is_one_of(int err, const int *errors)
{
	while (*errors && *errors != -err)
		errors++;
	return *errors;
}

/* ---- random values ---- */

static uint64_t random_number(struct rng *rng)
{
	static const uint64_t odd[] = {0,          1,          2,         3,          63,
				       64,         65,         1024,      4095,       4096,
				       65536,      2097152,    4194304,   INT32_MAX,  UINT32_MAX,
				       1ULL << 32, 1ULL << 46, INT64_MAX, 1ULL << 63, UINT64_MAX};

	switch (below(rng, 4)) {
	case 0:
		return rng_next(rng);
	case 1:
		return 1ULL << below(rng, 64);
	default:
		return odd[below(rng, ARRAY_SIZE(odd))];
	}
}

/* Mostly a valid name; at times with a part of it changed, or garbage. */
static const char *random_text(struct rng *rng, const char *const *names, unsigned int nr)
{
	static char text[8192];
	size_t len;

	if (one_in(rng, 8))
		return NULL;
	strcpy(text, names[below(rng, nr)]);
	len = strlen(text);
	if (one_in(rng, 8))
		for (len = below(rng, sizeof(text) - 1), text[len] = '\0'; len--;)
			text[len] = (char)(1 + below(rng, 255));
	else if (len && one_in(rng, 3))
		text[below(rng, (unsigned int)len)] = (char)(1 + below(rng, 255));
	else if (one_in(rng, 4))
		snprintf(text + len, sizeof(text) - len, "%c%s", ",:=%/"[below(rng, 5)],
			 names[below(rng, nr)]);
	return text;
}

/* A structure of any size, which ends where memory ends. Bytes past known_bytes are mostly 0. */
static void *struct_place(struct rng *rng, const void *from, size_t known_bytes)
{
	size_t bytes = known_bytes;
	char *at;

	/* Members are not cut in two: all versions end where a member does. */
	if (one_in(rng, 4))
		bytes = ALIGN_DOWN(below(rng, (unsigned int)known_bytes + 64), sizeof(size_t));
	at = fence - MAX(bytes, sizeof(size_t));
	memset(at, one_in(rng, 8) ? 0xa5 : 0, (size_t)(fence - at));
	memcpy(at, from, MIN(bytes, known_bytes));
	/* A size beyond the fence would be the caller's lie about its own memory. */
	memcpy(at, &bytes, sizeof(bytes));
	return at;
}

/* ---- contexts ---- */

static int valid_move(struct ferry *ferry, const char *after)
{
	struct move move = {.ferry = ferry, .addr = arena, .len = ARENA_LEN};
	int err = move_run(&move);

	if (err || !adds_up(&move.result))
		return wrong("%s: a valid request: %d", after, err);
	return is_intact(arena, ARENA_LEN, SEED) ? 0 : wrong("%s: content is lost", after);
}

static int context_step(struct rng *rng)
{
	static const int errors[] = {EINVAL, E2BIG,  ENOENT, ENODEV, ENOMEM,
				     EAGAIN, EMFILE, ENFILE, 0};
	static const char *const engines[] = {"cpu",
					      "",
					      "cpu:kernel=avx2-nt",
					      "cpu:kernel=generic",
					      "cpu:grain=64K",
					      "cpu:threads=3",
					      "dsa:model",
					      "sdxi:model",
					      "dsa",
					      "fault:every=3,what=mix,inner=cpu",
					      "fault:inner=fault:inner=cpu",
					      "fault:every=99999999999999999999",
					      "dsa:model,model.wqs=4",
					      "none"};
	static const char *const topologies[] = {
		"pack:1 core:2 pu:2",     "numa:2 core:2", "", "x", "core:3",
		"pack:2 l3:2 core:2 pu:1"};
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry *ferry = NULL;
	int err;

	options.engine = random_text(rng, engines, ARRAY_SIZE(engines));
	if (one_in(rng, 2))
		options.nr_workers = (unsigned int)random_number(rng);
	if (one_in(rng, 2))
		options.flags = one_in(rng, 3) ? (unsigned int)random_number(rng) : below(rng, 8);
	if (one_in(rng, 3))
		options.chunk_bytes = random_number(rng);
	if (one_in(rng, 3))
		options.stall_bound_ns = random_number(rng);
	if (one_in(rng, 3))
		options.pool_cap_bytes = random_number(rng);
	/* What is asked for in advance is allocated, so not more than the cap of 64 MiB. */
	if (one_in(rng, 6)) {
		options.pool_prefill_bytes = random_number(rng);
		options.pool_cap_bytes = 1;
	}
	if (one_in(rng, 8))
		options.synthetic = topologies[below(rng, ARRAY_SIZE(topologies))];
	err = ferry_open(&ferry, struct_place(rng, &options, sizeof(options)));
	if (err)
		return ferry || !is_one_of(err, errors) || !*ferry_open_error()
			       ? wrong("ferry_open(engine %s, %u workers): %d, \"%s\"",
				       options.engine, options.nr_workers, err, ferry_open_error())
			       : 0;
	err = valid_move(ferry, "after ferry_open");
	ferry_close(ferry);
	return err;
}

/* ---- requests ---- */

static void *random_address(struct rng *rng)
{
	static const uintptr_t odd[] = {
		0, 8, 0x7ffffffff000, 0x800000000000, UINTPTR_MAX, 0xffffffffff600000};

	if (one_in(rng, 6))
		return (void *)odd[below(rng, ARRAY_SIZE(odd))];
	return arena + below(rng, ARENA_LEN);
}

/*
 * Far beyond the arena. Not under a sanitizer, whose own data a lane needs while they would be in
 * flight.
 */
static uint64_t random_len(struct rng *rng)
{
	uint64_t len = random_number(rng);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	if (len <= UINTPTR_MAX - (uintptr_t)arena - ARENA_LEN)
		len %= ARENA_LEN;
#endif
	return len;
}

static int random_small(struct rng *rng, int good)
{
	return one_in(rng, 8) ? (int)random_number(rng) : good;
}

static int request_step(struct rng *rng, struct ferry *ferry)
{
	static const int errors[] = {EINVAL, E2BIG,  EFAULT, ENODEV, EACCES, ESRCH,
				     EPERM,  ENOMEM, EMFILE, ENFILE, 0};
	static struct ferry_range ranges[8];
	static void *pages[64];
	static int nodes[64], status[ARENA_LEN / PAGE_BYTES];
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job = NULL;
	bool endless = false;
	int err;

	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		ranges[i] = (struct ferry_range){random_address(rng),
						 one_in(rng, 8) ? random_len(rng)
								: below(rng, ARENA_LEN / 4),
						 random_small(rng, 0)};
		endless |= ranges[i].len_bytes > 1UL << 30;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		pages[i] = random_address(rng);
		nodes[i] = one_in(rng, 50) ? (int)random_number(rng) : 0;
	}
	if (!one_in(rng, 3)) {
		request.ranges = one_in(rng, 10) ? random_address(rng) : ranges;
		request.nr_ranges = one_in(rng, 10) ? random_number(rng) : below(rng, 4);
	}
	if (one_in(rng, 3)) {
		request.pages = one_in(rng, 10) ? random_address(rng) : pages;
		request.nodes = one_in(rng, 10) ? NULL : nodes;
		request.nr_pages = one_in(rng, 10) ? random_number(rng) : below(rng, 65);
		/* The array of statuses has as many entries. */
		request.status = request.nr_pages <= 64 && one_in(rng, 2) ? status : NULL;
	}
	request.pid = one_in(rng, 10) ? (int)random_number(rng) : 0;
	request.flags = one_in(rng, 4) ? (unsigned int)random_number(rng) : FERRY_MOVE_ALWAYS;
	request.mover = (enum ferry_mover)random_small(rng, (int)below(rng, FERRY_NR_MOVERS));
	request.nr_workers = one_in(rng, 4) ? (unsigned int)random_number(rng) : 0;
	request.chunk_bytes = one_in(rng, 4) ? random_number(rng) : 0;
	request.deadline_ns = one_in(rng, 4) ? random_number(rng) : 0;
	request.max_bytes_per_s = one_in(rng, 4) ? random_number(rng) : 0;
	err = ferry_submit(ferry, struct_place(rng, &request, sizeof(request)), &job);
	if (err)
		return job || !is_one_of(err, errors) ? wrong("ferry_submit: %d", err) : 0;
	/* A job under a low cap, or of all addresses, takes for ever. */
	endless |= request.max_bytes_per_s != 0;
	if (one_in(rng, 2) || endless)
		ferry_job_cancel(job);
	err = ferry_job_wait(job, WAIT_NS);
	if (!err)
		err = ferry_job_result(job, &result);
	ferry_job_close(job);
	if (!err && result.error == -ETIMEDOUT && request.deadline_ns > WAIT_NS)
		err = result.error;
	return err || !adds_up(&result)
		       ? wrong("the job, deadline %" PRIu64 " ns: %d", request.deadline_ns, err)
		       : 0;
}

/* Functions that fill a structure of the caller's size write no byte behind it. */
static int result_step(struct rng *rng, struct ferry *ferry)
{
	size_t bytes = ALIGN_DOWN(below(rng, sizeof(struct ferry_stats) + 64), sizeof(size_t));
	char *at = fence - MAX(bytes, sizeof(size_t));
	int err;

	memset(at, 0xa5, (size_t)(fence - at));
	memcpy(at, &bytes, sizeof(bytes));
	err = ferry_get_stats(ferry, (struct ferry_stats *)at);
	if (err != (bytes ? 0 : -EINVAL))
		return wrong("ferry_get_stats with size %zu: %d", bytes, err);
	return 0;
}

/* ---- the drop-in ---- */

/* Moves memory by the system call, as a program under the drop-in does. */
static int victim_run(void)
{
	static void *pages[512];
	static int nodes[512], status[512];
	char *mem = memory_new(ARENA_LEN, false);
	int node = some_node();

	fill(mem, ARENA_LEN, SEED);
	for (unsigned int i = 0; i < 512; i++) {
		pages[i] = mem + i * PAGE_BYTES;
		nodes[i] = node;
	}
	for (int again = 0; again < 2; again++) {
		if (syscall(SYS_move_pages, 0, 512, pages, nodes, status, MPOL_MF_MOVE))
			return 3;
		for (unsigned int i = 0; i < 512; i++)
			if (status[i] != node)
				return 4;
		if (first_wrong(mem, ARENA_LEN, SEED) >= 0)
			return 5;
	}
	return 0;
}

static const char *const names[] = {
	"PAGEFERRY_DISABLE",      "PAGEFERRY_ENGINE",   "PAGEFERRY_MOVER",    "PAGEFERRY_WORKERS",
	"PAGEFERRY_CHUNK",        "PAGEFERRY_STALL_US", "PAGEFERRY_POOL_CAP", "PAGEFERRY_MIN_PAGES",
	"PAGEFERRY_FRESH_FRAMES", "PAGEFERRY_STATS",    "PAGEFERRY_LOG",      "PAGEFERRY_PROFILE",
	"PAGEFERRY_UNKNOWN",
};

static const char *random_value(struct rng *rng)
{
	static const char *const values[] = {"",
					     "0",
					     "1",
					     "-1",
					     "63",
					     "64",
					     "1024",
					     "4K",
					     "2M",
					     "2m",
					     "4G",
					     "1000G",
					     "100000G",
					     "99999999999G",
					     "3",
					     "auto",
					     "cpu",
					     "exchange",
					     "kernel",
					     "dsa:model",
					     "/dev/full",
					     "off",
					     "debug",
					     "error",
					     "info",
					     "0x10",
					     "18446744073709551616",
					     " 1",
					     "1 ",
					     "/",
					     "/no/such/file",
					     "%s%n%s",
					     "cpu:kernel=avx2-nt"};
	static char number[24];

	if (one_in(rng, 4)) {
		snprintf(number, sizeof(number), "%" PRIu64, random_number(rng));
		return number;
	}
	return random_text(rng, values, ARRAY_SIZE(values));
}

static int environment_step(struct rng *rng, const char *drop_in)
{
	int status = 0, close_fd = one_in(rng, 6) ? (int)below(rng, 3) : -1;
	char set[2048] = "";
	pid_t pid;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = one_in(rng, 3) ? random_value(rng) : NULL;
		size_t len = strlen(set);

		unsetenv(names[i]);
		if (!value)
			continue;
		setenv(names[i], value, 1);
		snprintf(set + len, sizeof(set) - len, " %s='%s'", names[i], value);
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		setenv("LD_PRELOAD", drop_in, 1);
		if (!freopen("/dev/null", "w", stderr))
			_exit(9);
		/* A number of 1 as STATS would be a name relative to here. */
		if (chdir("/tmp") || close_fd < 0 || !close(close_fd))
			execl("/proc/self/exe", "options_fuzz", "--victim", NULL);
		_exit(9);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return wrong("under the drop-in: status %#x, descriptor closed %d, "
			     "environment%s",
			     (unsigned int)status, close_fd, set);
	return 0;
}

/* ---- rounds ---- */

static char drop_in[512];

static void drop_in_find(void)
{
	ssize_t len = readlink("/proc/self/exe", drop_in, sizeof(drop_in) - 64);

	for (int up = 0; len > 0 && up < 3; up++)
		*strrchr(drop_in, '/') = '\0';
	strcat(drop_in, "/libpageferry-preload.so");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* The sanitizers' runtime would have to be loaded before it. */
	drop_in[0] = '\0';
#endif
	if (access(drop_in, R_OK))
		drop_in[0] = '\0';
}

static int round_run(uint64_t seed, unsigned int nr_steps)
{
	char *page = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct rng rng = {seed};
	struct ferry *ferry;
	int err = 0;

	fence = page + PAGE_BYTES;
	if (page == MAP_FAILED || mprotect(fence, PAGE_BYTES, PROT_NONE))
		return 2;
	arena = memory_new(ARENA_LEN, false);
	fill(arena, ARENA_LEN, SEED);
	ferry = open_context(NULL);
	for (unsigned int step = 0; step < nr_steps && !err; step++) {
		unsigned int kind = below(&rng, 20);

		if (kind == 0 && *drop_in)
			err = environment_step(&rng, drop_in);
		else if (kind < 4)
			err = context_step(&rng);
		else if (kind < 6)
			err = result_step(&rng, ferry);
		else
			err = request_step(&rng, ferry);
		if (err)
			printf("at step %u\n", step);
	}
	if (!err)
		err = valid_move(ferry, "at the end");
	ferry_close(ferry);
	return err;
}

int main(int argc, char **argv)
{
	const struct fuzzer fuzzer = {
		.name = "options_fuzz",
		.steps = "steps",
		.nr_steps = STEPS,
		.hang_s = HANG_S,
		.round = round_run,
	};

	if (argc == 2 && !strcmp(argv[1], "--victim")) {
		alarm(HANG_S / 2);
		return victim_run();
	}
	drop_in_find();
	printf("%s\n", *drop_in ? drop_in : "without the drop-in");
	return fuzzer_run(&fuzzer, argc, argv);
}
