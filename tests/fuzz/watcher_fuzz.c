// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads map, unmap, remap, discard, protect, advise and fork their plots of an arena at random,
 * while jobs move its pages. A model says what each page holds (plot.h), in the process and in its
 * children. The library's calls are delayed and refused at random, so that pages are in flight for
 * long and every way of put-in is taken.
 *
 *	watcher_fuzz [--time SECONDS] [--seed SEED [--steps N]]
 *
 * The seed determines what each thread does, not how the threads interleave: repeat a round some
 * times to see it fail again.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <linux/mempolicy.h>

#include "tests/fuzz/plot.h"

#include "base/sys.h"
#include "base/uapi.h"
#include "base/vault.h"
#include "tests/testlib/moving.h"

#define NR_PLOTS 3
#define HANG_S   400
/* Far from where mmap(2) places mappings. */
#ifdef __SANITIZE_THREAD__
#define STEPS      1000
#define ARENA_BASE 0x3000000000UL
#else
#define STEPS      3000
#define ARENA_BASE 0x300000000000UL
#endif
/* The last plot never changes; a thread reads it all the time. */
#define ARENA_LEN ((NR_PLOTS + 1) * PLOT_BYTES)
/* Refusals in a row that drive put-in to its last resort: it frees new frames. */
#define NR_STUBBORN 1500

static struct {
	struct plot plots[NR_PLOTS];
	struct plot still;
	struct ferry *ferry[2];
	unsigned int nr_steps;
	atomic_bool stop, failed;
	atomic_ulong exchanged, moves, forks, clones, poisoned, lookups;
} f;

static bool round_goes_on(void)
{
	return !atomic_load(&f.failed);
}

/* ---- the library's calls ---- */

static struct {
	atomic_ulong state; /* of the random numbers: all threads draw from it */
	uint64_t seed;
	unsigned int nap_in, refuse_in, stubborn_in; /* one in so many calls; 0: never */
	atomic_int stubborn;                         /* refusals left */
} hook;

static uint64_t hook_draw(void)
{
	uint64_t state = hook.seed + atomic_fetch_add(&hook.state, 1);

	return next_random(&state);
}

static bool hook_one_in(unsigned int n)
{
	return n && hook_draw() % n == 0;
}

static void hook_nap(void)
{
	struct timespec ts = {.tv_nsec = (long)(hook_draw() % 300000)};

	if (hook_one_in(hook.nap_in))
		sys_raw(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0);
}

static long hook_refuse(const int *errors, size_t nr)
{
	return hook_one_in(hook.refuse_in) ? -errors[hook_draw() % nr] : 0;
}

/* Of put-in's errors, ENOENT and EEXIST mean that the program has thrown the page away. */
static long hook_move(const struct uffdio_move *move)
{
	static const int take_out[] = {EAGAIN, EAGAIN, EBUSY, EINVAL, ENOMEM};
	static const int put_in[] = {EAGAIN, EAGAIN, EBUSY, ENOMEM};

	hook_nap();
	if (vault_overlaps((void *)move->dst, 1))
		return hook_refuse(take_out, ARRAY_SIZE(take_out));
	if (hook_one_in(hook.stubborn_in))
		atomic_store(&hook.stubborn, NR_STUBBORN);
	if (atomic_load(&hook.stubborn) > 0 && atomic_fetch_sub(&hook.stubborn, 1) > 0)
		return -ENOMEM;
	return hook_refuse(put_in, ARRAY_SIZE(put_in));
}

static bool hook_call(long nr, const long args[6], long *ret)
{
	static const int copy[] = {EAGAIN, ENOMEM}, zero[] = {EAGAIN};

	if (nr == SYS_read || nr == SYS_madvise)
		hook_nap();
	if (nr != SYS_ioctl)
		return false;
	switch ((unsigned long)args[1]) {
	case UFFDIO_MOVE:
		*ret = hook_move((const struct uffdio_move *)args[2]);
		break;
	case UFFDIO_COPY:
		hook_nap();
		*ret = atomic_load(&hook.stubborn) > 0 ? -ENOMEM
						       : hook_refuse(copy, ARRAY_SIZE(copy));
		break;
	case UFFDIO_ZEROPAGE:
		hook_nap();
		*ret = hook_refuse(zero, ARRAY_SIZE(zero));
		break;
	case UFFDIO_UNREGISTER:
	case UFFDIO_WAKE:
	case PAGEMAP_SCAN:
		hook_nap();
		return false;
	default:
		return false;
	}
	return *ret != 0;
}

static void hook_set_up(struct rng *rng, uint64_t seed)
{
	static const unsigned int naps[] = {0, 2, 8, 50}, refusals[] = {0, 4, 20, 100};

	hook.seed = seed;
	hook.nap_in = naps[below(rng, ARRAY_SIZE(naps))];
	hook.refuse_in = refusals[below(rng, ARRAY_SIZE(refusals))];
	hook.stubborn_in = one_in(rng, 2) ? 300 : 0;
}

/* ---- children ---- */

static sigjmp_buf after_bus;

static void on_bus(int sig __maybe_unused)
{
	siglongjmp(after_bus, 1);
}

enum { CHILD_RIGHT, CHILD_WRONG, CHILD_POISONED };

/*
 * A page that the watcher could not copy in time is poisoned: SIGBUS is right, a wrong byte is not.
 * A bare child also changes its mappings while the watcher serves it.
 */
static int child_run(struct plot *plot, bool bare)
{
	unsigned int nr_steps = bare && one_in(&plot->rng, 2) ? 1 + below(&plot->rng, 30) : 0;

	signal(SIGBUS, on_bus);
	if (sigsetjmp(after_bus, 1))
		return CHILD_POISONED;
	if (nr_steps) {
		plot_inherit(plot);
		while (nr_steps-- && !plot->failed && !plot->poisoned)
			plot_step(plot);
		if (plot->poisoned)
			return CHILD_POISONED;
		plot_check(plot, "in a child of clone, after its steps", 0, PLOT_PAGES);
	} else {
		plot_check_child(plot, bare ? "in a child of clone" : "in a child of fork", bare);
	}
	return plot->failed ? CHILD_WRONG : CHILD_RIGHT;
}

static void plot_fork(struct plot *plot, bool bare)
{
	int status = 0;
	pid_t child = bare ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();

	/* Past the sanitizers' handlers, which know nothing of a bare child. */
	if (!child)
		syscall(SYS_exit_group, child_run(plot, bare));
	plot_note(plot, bare ? "clone" : "fork", 0, 0, 0, child < 0 ? errno : 0);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
		plot_fail(plot, "the child died", 0, 0, 0, (uint64_t)status);
		return;
	}
	if (WEXITSTATUS(status) == CHILD_WRONG)
		plot->failed = true;
	if (WEXITSTATUS(status) == CHILD_POISONED)
		atomic_fetch_add(&f.poisoned, 1);
	atomic_fetch_add(bare ? &f.clones : &f.forks, 1);
}

/* ---- threads ---- */

/* A page in flight is not absent: the library's query must say so. */
static void plot_look_up(struct plot *plot)
{
	unsigned int nr = 1 + below(&plot->rng, 30), first = below(&plot->rng, PLOT_PAGES - nr);
	int status[30];
	void *pages[30];

	for (unsigned int i = 0; i < nr; i++)
		pages[i] = plot_addr(plot, first + i);
	if (ferry_move_pages(f.ferry[0], 0, nr, pages, NULL, status, MPOL_MF_MOVE)) {
		plot_fail(plot, "query", first, 0, 0, (uint64_t)errno);
		return;
	}
	plot_note(plot, "query", first, nr, 0, 0);
	for (unsigned int i = 0; i < nr; i++) {
		const struct plot_page *p = &plot->pages[first + i];

		if (p->mapped && p->tag && !p->maybe_zero && status[i] < 0)
			plot_fail(plot, "a query calls it absent", first + i, 0, 0,
				  (uint64_t)-status[i]);
	}
	atomic_fetch_add(&f.lookups, 1);
}

static void *mutator_run(void *arg)
{
	struct plot *plot = arg;

	for (unsigned int step = 0; step < f.nr_steps && round_goes_on(); step++) {
		if (one_in(&plot->rng, 150))
			plot_fork(plot, one_in(&plot->rng, 2));
		else if (one_in(&plot->rng, 30))
			plot_look_up(plot);
		else
			plot_step(plot);
		/* The movers need time too. */
		if (one_in(&plot->rng, 4))
			usleep(below(&plot->rng, 2000));
		if (plot->failed)
			atomic_store(&f.failed, true);
	}
	plot_check(plot, "at the end", 0, PLOT_PAGES);
	if (plot->failed)
		atomic_store(&f.failed, true);
	return NULL;
}

static void *reader_run(void *arg)
{
	struct plot *plot = arg;

	while (!atomic_load(&f.stop) && !plot->failed)
		plot_check(plot, "reader", 0, PLOT_PAGES);
	if (plot->failed)
		atomic_store(&f.failed, true);
	return NULL;
}

static int mover_cancel(struct move *move)
{
	struct ferry_job *job;
	int err = move_submit(move, &job);

	if (err)
		return err;
	sched_yield();
	ferry_job_cancel(job);
	err = ferry_job_wait(job, WAIT_NS);
	move->result = (struct ferry_result)FERRY_RESULT_INIT;
	if (!err)
		err = ferry_job_result(job, &move->result);
	ferry_job_close(job);
	return err;
}

static void *mover_run(void *arg)
{
	static const unsigned int modes[] = {0, FERRY_MOVE_TOGETHER, FERRY_MOVE_APART};
	static const uint64_t chunks[] = {0, 0, 4096, 16384, 65536, 1 << 20};
	struct rng *rng = arg;

	while (!atomic_load(&f.stop) && round_goes_on()) {
		unsigned int nr = 1 + below(rng, one_in(rng, 3) ? ARENA_LEN / PAGE_BYTES : 200);
		unsigned int first = below(rng, ARENA_LEN / PAGE_BYTES - nr + 1);
		struct move move = {
			.ferry = f.ferry[below(rng, 2)],
			.addr = (char *)ARENA_BASE + first * PAGE_BYTES,
			.len = nr * PAGE_BYTES,
			.mover = one_in(rng, 4) ? FERRY_MOVER_AUTO : FERRY_MOVER_EXCHANGE,
			.chunk_bytes = chunks[below(rng, ARRAY_SIZE(chunks))],
			.flags = modes[below(rng, ARRAY_SIZE(modes))],
			.nr_workers = below(rng, 4),
		};
		int err = one_in(rng, 8) ? mover_cancel(&move) : move_run(&move);

		if (err || !adds_up(&move.result)) {
			plot_print("a job of %u pages from %u on: error %d\n", nr, first, err);
			atomic_store(&f.failed, true);
		}
		atomic_fetch_add(&f.moves, 1);
		atomic_fetch_add(&f.exchanged, exchanged(&move));
	}
	return NULL;
}

/* ---- rounds ---- */

static bool plot_set_up(struct plot *plot, unsigned int which, struct rng *rng)
{
	plot->base = (char *)ARENA_BASE + which * PLOT_BYTES;
	plot->rng.state = rng_next(rng);
	if (pipe2(plot->pipe, O_CLOEXEC) ||
	    mmap(plot->base, PLOT_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != plot->base)
		return false;
	madvise(plot->base, PLOT_BYTES, one_in(rng, 3) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (unsigned int i = 0; i < PLOT_PAGES; i++)
		plot->pages[i] = (struct plot_page){.mapped = true, .prot = PROT_READ | PROT_WRITE};
	step_write(plot, 0, PLOT_PAGES);
	return true;
}

static int round_open(struct rng *rng)
{
	static const char *const engines[] = {"cpu", "cpu",
					      "fault:every=3,what=delay,delay_us=400,inner=cpu",
					      "fault:every=5,what=mix,inner=cpu", "dsa:model"};
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.engine = engines[below(rng, ARRAY_SIZE(engines))];
	options.nr_workers = 1 + below(rng, 4);
	options.flags = one_in(rng, 4) ? FERRY_OPEN_FRESH_FRAMES : 0;
	if (ferry_open(&f.ferry[0], &options)) {
		printf("%s: %s\n", options.engine, ferry_open_error());
		return 2;
	}
	f.ferry[1] = f.ferry[0];
	options.engine = "cpu";
	if (one_in(rng, 3) && ferry_open(&f.ferry[1], &options)) {
		printf("second context: %s\n", ferry_open_error());
		return 2;
	}
	if (no_exchange(f.ferry[0])) {
		printf("# SKIP %s\n", no_exchange(f.ferry[0]));
		return ROUND_SKIPPED;
	}
	return 0;
}

static void round_threads(struct rng *rng)
{
	pthread_t mutators[NR_PLOTS], movers[2], reader;
	struct rng moves[2];

	for (unsigned int i = 0; i < 2; i++) {
		moves[i].state = rng_next(rng);
		pthread_create(&movers[i], NULL, mover_run, &moves[i]);
	}
	pthread_create(&reader, NULL, reader_run, &f.still);
	for (unsigned int i = 0; i < NR_PLOTS; i++)
		pthread_create(&mutators[i], NULL, mutator_run, &f.plots[i]);
	for (unsigned int i = 0; i < NR_PLOTS; i++)
		pthread_join(mutators[i], NULL);
	atomic_store(&f.stop, true);
	pthread_join(reader, NULL);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(movers[i], NULL);
	for (unsigned int i = 0; i < NR_PLOTS; i++)
		plot_check(&f.plots[i], "after the last job", 0, PLOT_PAGES);
}

static int round_run(uint64_t seed, unsigned int nr_steps)
{
	struct rng rng = {seed};
	bool failed;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	f.nr_steps = nr_steps;
	err = round_open(&rng);
	if (err)
		return err;
	for (unsigned int i = 0; i < NR_PLOTS; i++)
		if (!plot_set_up(&f.plots[i], i, &rng))
			return 2;
	if (!plot_set_up(&f.still, NR_PLOTS, &rng))
		return 2;
	hook_set_up(&rng, seed);
	__atomic_store_n(&sys_hook, hook_call, __ATOMIC_RELEASE);
	round_threads(&rng);
	__atomic_store_n(&sys_hook, NULL, __ATOMIC_RELEASE);
	failed = atomic_load(&f.failed) || f.still.failed;
	for (unsigned int i = 0; i < NR_PLOTS; i++)
		failed |= f.plots[i].failed;
	if (f.ferry[1] != f.ferry[0])
		ferry_close(f.ferry[1]);
	ferry_close(f.ferry[0]);
	if (getenv("FERRY_FUZZ_VERBOSE"))
		printf("%lu jobs, %lu pages exchanged, %lu forks, %lu clones (%lu poisoned), %lu "
		       "queries\n",
		       f.moves, f.exchanged, f.forks, f.clones, f.poisoned, f.lookups);
	return failed;
}

int main(int argc, char **argv)
{
	const struct fuzzer fuzzer = {
		.name = "watcher_fuzz",
		.steps = "steps per thread",
		.nr_steps = STEPS,
		.hang_s = HANG_S,
		.round = round_run,
	};

	return fuzzer_run(&fuzzer, argc, argv);
}
