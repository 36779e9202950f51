// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Runs what real programs do, all at once, while random parts of their memory move: a fork server
 * whose children daemonise, a pool of threads that start and end all the time, an allocator, direct
 * I/O, mappings that come and go, and limits that shrink. Every byte is checked. After each round
 * the context is closed; memory, descriptors, threads and mappings must then be what they were
 * after the first one.
 *
 * FERRY_SOAK_S=N: seconds in all, 15 if it is not set. tools/soak runs an hour.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "tests/fuzz/plot.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define MEM_LEN     (8UL << 20) /* the part that only readers touch */
#define NR_BLOCKS   64
#define MOST_BYTES  (256UL << 10)
#define NR_THREADS  6
#define STACK_BYTES (128UL << 10)
#define DIRECT_LEN  (64UL << 10)
#define ROUND_S     4.0
#define SLACK_KIB   (16UL << 10) /* of memory: libc and the vault keep some of what is freed */
#define SLACK_MAPS  8
#ifdef __SANITIZE_THREAD__
#define PLOT_BASE 0x3000000000UL
#else
#define PLOT_BASE 0x300000000000UL
#endif

static struct {
	struct ferry *ferry;
	char *mem, *direct_mem;
	struct plot plot;
	atomic_bool stop, failed;
	atomic_ulong exchanged, moves, forks, daemons, threads, blocks, writes, steps, limits;
	/* What movers may move besides: set by the threads that own it, which check it. */
	void *_Atomic block[NR_BLOCKS];
	char *_Atomic direct;
} s;

static bool goes_on(void)
{
	return !atomic_load(&s.stop) && !atomic_load(&s.failed);
}

static void fail(const char *what, long number)
{
	if (!atomic_exchange(&s.failed, true))
		printf("# %s: %ld\n", what, number);
}

/* ---- programs ---- */

/* The grandchild has no terminal, no parent, and writes its verdict to the pipe. */
static void daemon_run(int fd)
{
	unsigned char verdict;

	setsid();
	if (fork())
		_exit(0);
	verdict = first_wrong(s.mem, MEM_LEN, 1) < 0 ? 'y' : 'n';
	if (write(fd, &verdict, 1) != 1)
		_exit(1);
	_exit(0);
}

static void fork_daemon(void)
{
	unsigned char verdict = 0;
	int fds[2], status;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC)) {
		fail("pipe", errno);
		return;
	}
	child = fork();
	if (!child)
		daemon_run(fds[1]);
	close(fds[1]);
	if (child < 0 || waitpid(child, &status, 0) != child || read(fds[0], &verdict, 1) != 1 ||
	    verdict != 'y')
		fail("a daemon's memory", verdict);
	close(fds[0]);
	atomic_fetch_add(&s.daemons, 1);
}

static void *forks_run(void *arg)
{
	struct rng *rng = arg;

	while (goes_on()) {
		int status = 0;
		pid_t child;

		if (one_in(rng, 4)) {
			fork_daemon();
			continue;
		}
		child = fork();
		if (!child) {
			/* A worker of a fork server writes to what it has inherited. */
			if (first_wrong(s.mem, MEM_LEN, 1) >= 0)
				_exit(1);
			fill(s.mem, MEM_LEN, 2);
			_exit(first_wrong(s.mem, MEM_LEN, 2) >= 0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			fail("a child of the fork server", status);
		atomic_fetch_add(&s.forks, 1);
		usleep(below(rng, 20000));
	}
	return NULL;
}

static void *pool_thread_run(void *arg)
{
	volatile uint64_t words[1024];
	uint64_t seed = (uintptr_t)arg;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = content(seed, i);
	sched_yield();
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i] != content(seed, i))
			fail("a thread's stack", (long)i);
	return arg;
}

static void *threads_run(void *arg __maybe_unused)
{
	uintptr_t seed = 0;

	while (goes_on()) {
		pthread_t threads[NR_THREADS];
		unsigned int nr = 0;
		pthread_attr_t attr;
		void *result;

		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, STACK_BYTES);
		while (nr < NR_THREADS &&
		       !pthread_create(&threads[nr], &attr, pool_thread_run, (void *)++seed))
			nr++;
		pthread_attr_destroy(&attr);
		while (nr--) {
			pthread_join(threads[nr], &result);
			atomic_fetch_add(&s.threads, 1);
		}
	}
	return NULL;
}

static void block_check(unsigned int which, size_t bytes, uint64_t seed)
{
	const void *block = atomic_load(&s.block[which]);

	if (block && first_wrong(block, bytes, seed) >= 0)
		fail("a block of the allocator", which);
}

/* Blocks above 128 KiB have mappings of their own. */
static void *allocator_run(void *arg)
{
	struct rng *rng = arg;
	size_t bytes[NR_BLOCKS] = {0};
	uint64_t seeds[NR_BLOCKS] = {0};

	while (goes_on()) {
		unsigned int which = below(rng, NR_BLOCKS);
		void *block = atomic_load(&s.block[which]), *grown;

		block_check(which, bytes[which], seeds[which]);
		if (block && one_in(rng, 2)) {
			atomic_store(&s.block[which], NULL);
			free(block);
			continue;
		}
		bytes[which] = (1 + below(rng, MOST_BYTES / 8)) * 8;
		atomic_store(&s.block[which], NULL);
		grown = realloc(block, bytes[which]);
		/* A limit may be low at the moment. */
		if (!grown) {
			free(block);
			continue;
		}
		fill(grown, bytes[which], ++seeds[which]);
		atomic_store(&s.block[which], grown);
		atomic_fetch_add(&s.blocks, 1);
	}
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		block_check(i, bytes[i], seeds[i]);
		free(atomic_exchange(&s.block[i], NULL));
	}
	return NULL;
}

static void *direct_run(void *arg __maybe_unused)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	char *mem = s.direct_mem;
	uint64_t seed = 0;

	atomic_store(&s.direct, mem);
	while (goes_on() && fd >= 0) {
		fill(mem, DIRECT_LEN, ++seed);
		if (pwrite(fd, mem, DIRECT_LEN, 0) != (ssize_t)DIRECT_LEN ||
		    pread(fd, mem + DIRECT_LEN, DIRECT_LEN, 0) != (ssize_t)DIRECT_LEN)
			fail("direct I/O", errno);
		else if (first_wrong(mem + DIRECT_LEN, DIRECT_LEN, seed) >= 0)
			fail("a block that was read by DMA", (long)seed);
		atomic_fetch_add(&s.writes, 1);
	}
	atomic_store(&s.direct, NULL);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void *mappings_run(void *arg __maybe_unused)
{
	while (goes_on()) {
		plot_step(&s.plot);
		if (s.plot.failed)
			fail("a mapping", 0);
		if (atomic_fetch_add(&s.steps, 1) % 8 == 0)
			usleep(500);
	}
	return NULL;
}

/* Soft limits go down to a little more than what is in use, and up again. */
static void *limits_run(void *arg)
{
	struct rng *rng = arg;
	struct rlimit files, space;

	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_AS, &space);
	while (goes_on()) {
		struct rlimit less = files;

		less.rlim_cur = MIN(files.rlim_cur, (rlim_t)64 + below(rng, 64));
		setrlimit(RLIMIT_NOFILE, &less);
		usleep(below(rng, 20000));
		setrlimit(RLIMIT_NOFILE, &files);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		less = space;
		less.rlim_cur = MIN(space.rlim_cur, (rlim_t)4 << 30);
		setrlimit(RLIMIT_AS, &less);
		usleep(below(rng, 20000));
		setrlimit(RLIMIT_AS, &space);
#endif
		atomic_fetch_add(&s.limits, 1);
	}
	return NULL;
}

/* ---- movers ---- */

static void random_target(struct rng *rng, struct move *move)
{
	unsigned int nr, first;
	char *at = NULL;

	switch (below(rng, 4)) {
	case 0:
		at = atomic_load(&s.direct);
		move->len = 2 * DIRECT_LEN;
		break;
	case 1:
		at = atomic_load(&s.block[below(rng, NR_BLOCKS)]);
		move->len = 1 + below(rng, MOST_BYTES);
		break;
	case 2:
		at = s.plot.base;
		move->len = PLOT_BYTES;
		break;
	}
	if (!at) {
		nr = 1 + below(rng, MEM_LEN / PAGE_BYTES);
		first = below(rng, MEM_LEN / PAGE_BYTES - nr + 1);
		at = s.mem + first * PAGE_BYTES;
		move->len = nr * PAGE_BYTES;
	}
	move->addr = at;
}

static void *mover_run(void *arg)
{
	struct rng *rng = arg;

	while (goes_on()) {
		struct move move = {
			.ferry = s.ferry,
			.mover = one_in(rng, 4) ? FERRY_MOVER_AUTO : FERRY_MOVER_EXCHANGE,
			.chunk_bytes = one_in(rng, 2) ? PAGE_BYTES << below(rng, 9) : 0,
			.nr_workers = below(rng, 4),
		};
		int err;

		random_target(rng, &move);
		err = move_run(&move);
		/* A limit may be low at the moment. */
		if (err == -EMFILE || err == -ENOMEM)
			continue;
		if (err || !adds_up(&move.result))
			fail("a job", err);
		atomic_fetch_add(&s.exchanged, exchanged(&move));
		atomic_fetch_add(&s.moves, 1);
	}
	return NULL;
}

static void *reader_run(void *arg __maybe_unused)
{
	while (goes_on()) {
		long wrong = first_wrong(s.mem, MEM_LEN, 1);

		if (wrong >= 0)
			fail("memory that no thread writes to, at", wrong);
	}
	return NULL;
}

/* ---- rounds ---- */

struct footprint {
	unsigned long rss_kib, nr_threads, nr_fds, nr_maps;
};

static unsigned long status_field(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long value = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return value;
}

static unsigned long count_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long nr = 0;

	for (int c; file && (c = fgetc(file)) != EOF;)
		nr += c == '\n';
	if (file)
		fclose(file);
	return nr;
}

static unsigned long count_fds(void)
{
	unsigned long nr = 0;

	for (int fd = 0; fd < 4096; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static struct footprint footprint_now(void)
{
	malloc_trim(0);
	return (struct footprint){
		.rss_kib = status_field("VmRSS:"),
		.nr_threads = status_field("Threads:"),
		.nr_fds = count_fds(),
		.nr_maps = count_lines("/proc/self/maps"),
	};
}

static bool round_set_up(struct rng *rng)
{
	static const char *const engines[] = {"cpu", "fault:every=7,what=mix,inner=cpu",
					      "dsa:model", "cpu"};
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct plot *plot = &s.plot;

	options.engine = engines[below(rng, ARRAY_SIZE(engines))];
	options.nr_workers = 1 + below(rng, 4);
	options.pool_cap_bytes = 64UL << 20;
	if (ferry_open(&s.ferry, &options)) {
		printf("# %s: %s\n", options.engine, ferry_open_error());
		return false;
	}
	memset(plot, 0, sizeof(*plot));
	plot->base = (char *)PLOT_BASE;
	plot->rng.state = rng_next(rng);
	if (pipe2(plot->pipe, O_CLOEXEC))
		return false;
	step_mmap(plot, 0, PLOT_PAGES);
	step_write(plot, 0, PLOT_PAGES);
	/* From no pages on, so that they may be huge. */
	madvise(s.mem, MEM_LEN, MADV_DONTNEED);
	madvise(s.mem, MEM_LEN, one_in(rng, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	fill(s.mem, MEM_LEN, 1);
	atomic_store(&s.stop, false);
	return true;
}

static void round_clean_up(void)
{
	ferry_close(s.ferry);
	munmap(s.plot.base, PLOT_BYTES);
	close(s.plot.pipe[0]);
	close(s.plot.pipe[1]);
}

static void round_run(struct rng *rng, double seconds)
{
	static void *(*const runs[])(void *) = {forks_run,  threads_run,  allocator_run,
						direct_run, mappings_run, limits_run,
						reader_run, mover_run,    mover_run};
	struct rng rngs[ARRAY_SIZE(runs)];
	pthread_t threads[ARRAY_SIZE(runs)];
	unsigned long before = atomic_load(&s.exchanged);

	if (!round_set_up(rng)) {
		fail("a round cannot begin", 0);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(runs); i++) {
		rngs[i].state = rng_next(rng);
		pthread_create(&threads[i], NULL, runs[i], &rngs[i]);
	}
	/* On a busy machine it may take a while until the first page has moved. */
	for (; (seconds > 0 || atomic_load(&s.exchanged) == before) && goes_on(); seconds -= 0.05)
		usleep(50000);
	atomic_store(&s.stop, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(runs); i++)
		pthread_join(threads[i], NULL);
	plot_check(&s.plot, "at the end of a round", 0, PLOT_PAGES);
	if (s.plot.failed || first_wrong(s.mem, MEM_LEN, 1) >= 0)
		fail("content at the end of a round", 0);
	round_clean_up();
}

static void footprint_print(const char *when, const struct footprint *f)
{
	tap_note("%s: %lu KiB, %lu threads, %lu descriptors, %lu mappings", when, f->rss_kib,
		 f->nr_threads, f->nr_fds, f->nr_maps);
}

int main(void)
{
	double seconds = (double)test_setting("FERRY_SOAK_S", NULL, 15);
	uint64_t seed = test_seed(NULL, test_now_ns());
	unsigned int nr_rounds = MAX((unsigned int)(seconds / ROUND_S), 3U);
	struct footprint first, last;
	struct rng rng = {seed};

	/* Threads would have arenas of their own, of which libc keeps a random number. */
	mallopt(M_ARENA_MAX, 1);
	ferry_close(open_exchanging_context(NULL));
	s.mem = memory_new(MEM_LEN, true);
	s.direct_mem = memory_new(2 * DIRECT_LEN, false);
	watchdog((unsigned int)(3 * seconds) + 300, "the soak");
	tap_plan(6);
	tap_note("seed %" PRIu64 ", %u rounds", seed, nr_rounds);
	/* The first two rounds fill the caches of libc and of the library. */
	for (unsigned int i = 0; i < nr_rounds && !atomic_load(&s.failed); i++) {
		round_run(&rng, seconds / nr_rounds);
		if (i < 2)
			first = footprint_now();
	}
	last = footprint_now();
	footprint_print("after two rounds", &first);
	footprint_print("at the end", &last);
	tap_note("%lu jobs, %lu pages exchanged, %lu forks, %lu daemons, %lu threads, %lu blocks, "
		 "%lu direct writes, %lu steps of mappings, %lu limits",
		 s.moves, s.exchanged, s.forks, s.daemons, s.threads, s.blocks, s.writes, s.steps,
		 s.limits);
	tap_ok(!s.failed, "everything keeps its content");
	tap_ok(s.exchanged, "pages were exchanged");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	tap_skip("the sanitizer keeps memory", "memory");
	tap_skip("the sanitizer keeps mappings", "mappings");
#else
	tap_ok(last.rss_kib <= first.rss_kib + SLACK_KIB, "memory is what it was");
	tap_ok(last.nr_maps <= first.nr_maps + SLACK_MAPS, "mappings are what they were");
#endif
	tap_ok(last.nr_fds == first.nr_fds, "descriptors are what they were");
	tap_ok(last.nr_threads == first.nr_threads, "threads are what they were");
	return tap_done();
}
