// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signals while pages move. A timer interrupts every thread repeatedly, with a handler that writes
 * to pages that may be in flight. Threads write to pages that they have protected, so that a
 * SIGSEGV handler must give access first, as in garbage collectors. All handlers run on stacks
 * inside the moved range. Each word has one writer, which knows the value that it must have.
 *
 * FERRY_TEST_SECONDS=N runs for N seconds; the default is some tenths of a second per phase.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/random.h"
#include "tests/testlib/tap.h"

#define NR_WRITERS  3
#define NR_THREADS  (NR_WRITERS + 1) /* the last calls ferry_move_pages() */
#define NR_WRITTEN  512UL            /* pages to which all threads write, each to its own words */
#define NR_GUARDED  16UL             /* pages per writer, which it protects */
#define STACK_LEN   (128UL << 10)
#define WRITTEN_LEN (NR_WRITTEN * PAGE_BYTES)
#define GUARDED_LEN (NR_GUARDED * PAGE_BYTES)
#define LEN         (WRITTEN_LEN + NR_WRITERS * GUARDED_LEN + NR_THREADS * STACK_LEN)
#define TICK_NS     300000

struct actor {
	size_t me;
	uint64_t random, random_in_handler;
	uint64_t written[NR_WRITTEN], by_handler[NR_WRITTEN], guarded[NR_GUARDED];
	atomic_ulong nr_ticks, nr_faults;
};

/* The first failure. Handlers cannot print it. */
static struct {
	const char *what;
	size_t actor, page;
	uint64_t expected, found;
} wrong;

static char *arena;
static struct ferry *ferry;
static atomic_bool stop, failed;
static atomic_ulong nr_exchanged, nr_calls;
static struct actor actors[NR_THREADS];
static __thread struct actor *self;

static void record_failure(const char *what, size_t page, uint64_t expected, uint64_t found)
{
	if (atomic_exchange(&failed, true))
		return;
	wrong.what = what;
	wrong.actor = self ? self->me : NR_THREADS;
	wrong.page = page;
	wrong.expected = expected;
	wrong.found = found;
}

static bool is_running(void)
{
	return !atomic_load(&stop) && !atomic_load(&failed);
}

/* Each actor has two words in every page: one for itself and one for its handler. */
static volatile uint64_t *word_of(size_t page, size_t word)
{
	return (uint64_t *)(arena + page * PAGE_BYTES) + word;
}

static char *guarded_of(const struct actor *actor)
{
	return arena + WRITTEN_LEN + actor->me * GUARDED_LEN;
}

static char *stack_of(const struct actor *actor)
{
	return arena + WRITTEN_LEN + NR_WRITERS * GUARDED_LEN + actor->me * STACK_LEN;
}

static void increment_word(const char *what, size_t page, volatile uint64_t *word,
			   uint64_t *expected)
{
	uint64_t found = *word;

	if (found != *expected)
		record_failure(what, page, *expected, found);
	*word = ++*expected;
}

/* ---- handlers ---- */

/* TSan calls handlers later, on any stack. */
#if defined(__SANITIZE_THREAD__)
#define OWN_STACK 0
#else
#define OWN_STACK 1
#endif

static void check_stack(void)
{
	char here, *stack = stack_of(self);

	if (!OWN_STACK)
		return;
	if (&here < stack || &here >= stack + STACK_LEN)
		record_failure("a handler runs on another stack", 0, (uintptr_t)stack,
			       (uintptr_t)&here);
}

static void on_tick_signal(int sig __maybe_unused)
{
	int before = errno;

	check_stack();
	for (int i = 0; i < 4; i++) {
		size_t page = next_random(&self->random_in_handler) % NR_WRITTEN;

		increment_word("lost update of a handler", page,
			       word_of(page, NR_THREADS + self->me), &self->by_handler[page]);
	}
	atomic_fetch_add(&self->nr_ticks, 1);
	errno = before;
}

static void on_fault_signal(int sig __maybe_unused, siginfo_t *info, void *context __maybe_unused)
{
	char *at = (char *)ALIGN_DOWN((uintptr_t)info->si_addr, PAGE_BYTES);
	int before = errno;

	/* Any other fault is a crash. */
	if (!self || self->me >= NR_WRITERS || at < guarded_of(self) ||
	    at >= guarded_of(self) + GUARDED_LEN) {
		signal(SIGSEGV, SIG_DFL);
		return;
	}
	check_stack();
	if (mprotect(at, PAGE_BYTES, PROT_READ | PROT_WRITE))
		record_failure("mprotect in a handler", 0, 0, (uint64_t)errno);
	atomic_fetch_add(&self->nr_faults, 1);
	errno = before;
}

static void catch_signals(void)
{
	struct sigaction on_tick = {.sa_handler = on_tick_signal,
				    .sa_flags = SA_ONSTACK | SA_RESTART};
	struct sigaction on_fault = {.sa_sigaction = on_fault_signal,
				     .sa_flags = SA_ONSTACK | SA_SIGINFO};

	sigaction(SIGUSR1, &on_tick, NULL);
	sigaction(SIGSEGV, &on_fault, NULL);
}

/* ---- interrupted threads ---- */

struct ticking {
	stack_t stack_before;
	timer_t timer;
};

static void start_ticking(struct ticking *t, struct actor *actor)
{
	stack_t stack = {.ss_sp = stack_of(actor), .ss_size = STACK_LEN};
	struct itimerspec every = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};

	event._sigev_un._tid = gettid();
	self = actor;
	if (sigaltstack(&stack, &t->stack_before) ||
	    timer_create(CLOCK_MONOTONIC, &event, &t->timer) ||
	    timer_settime(t->timer, 0, &every, NULL))
		abort();
}

static void stop_ticking(struct ticking *t)
{
	sigset_t ticks;

	timer_delete(t->timer);
	sigemptyset(&ticks);
	sigaddset(&ticks, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &ticks, NULL);
	sigaltstack(&t->stack_before, NULL);
}

/* The write must fault on the protection exactly once, whether the page is in flight or not. */
static void write_guarded(struct actor *actor)
{
	size_t page = next_random(&actor->random) % NR_GUARDED;
	char *at = guarded_of(actor) + page * PAGE_BYTES;
	unsigned long before = atomic_load(&actor->nr_faults);

	if (mprotect(at, PAGE_BYTES, next_random(&actor->random) % 2 ? PROT_READ : PROT_NONE))
		record_failure("mprotect", page, 0, (uint64_t)errno);
	*(volatile uint64_t *)(at + 8) = actor->guarded[page] + 1;
	increment_word("lost update of a guarded page", page, (volatile uint64_t *)at,
		       &actor->guarded[page]);
	if (*(volatile uint64_t *)(at + 8) != actor->guarded[page])
		record_failure("lost first write to a guarded page", page, actor->guarded[page],
			       *(uint64_t *)(at + 8));
	if (atomic_load(&actor->nr_faults) != before + 1)
		record_failure("faults on a guarded page", page, 1,
			       atomic_load(&actor->nr_faults) - before);
}

static void *write_often(void *arg)
{
	struct actor *actor = arg;
	struct ticking ticking;

	start_ticking(&ticking, actor);
	while (is_running()) {
		for (int i = 0; i < 16; i++) {
			size_t page = next_random(&actor->random) % NR_WRITTEN;

			increment_word("lost update", page, word_of(page, actor->me),
				       &actor->written[page]);
		}
		write_guarded(actor);
	}
	stop_ticking(&ticking);
	return NULL;
}

/* ---- threads that move ---- */

static void *call_often(void *arg)
{
	static void *pages[LEN / PAGE_BYTES];
	static int nodes[LEN / PAGE_BYTES], status[LEN / PAGE_BYTES];
	struct ticking ticking;

	for (size_t i = 0; i < LEN / PAGE_BYTES; i++) {
		pages[i] = arena + i * PAGE_BYTES;
		nodes[i] = some_node();
	}
	start_ticking(&ticking, arg);
	while (is_running()) {
		long ret = ferry_move_pages(ferry, 0, LEN / PAGE_BYTES, pages, nodes, status,
					    1 << 1 /* MPOL_MF_MOVE */);

		if (ret < 0)
			record_failure("ferry_move_pages", 0, 0, (uint64_t)errno);
		atomic_fetch_add(&nr_calls, 1);
	}
	stop_ticking(&ticking);
	return NULL;
}

static void *move_often(void *arg __maybe_unused)
{
	static const uint64_t chunks[] = {0, PAGE_BYTES, 64UL << 10, 512UL << 10};
	uint64_t random = 7;

	while (is_running()) {
		size_t skip = next_random(&random) % (LEN / PAGE_BYTES) * PAGE_BYTES;
		struct move move = {
			.ferry = ferry,
			.addr = arena + skip,
			.len = LEN - skip,
			.mover = FERRY_MOVER_EXCHANGE,
			.chunk_bytes = chunks[next_random(&random) % ARRAY_SIZE(chunks)],
			.nr_workers = (unsigned int)(next_random(&random) % 4),
		};
		int err = move_run(&move);

		if (err || !adds_up(&move.result))
			record_failure("job", skip / PAGE_BYTES, 0, (uint64_t)-err);
		atomic_fetch_add(&nr_exchanged, exchanged(&move));
	}
	return NULL;
}

/* ---- phases ---- */

static const char *const engines[] = {"cpu", "fault:every=5,what=mix,inner=cpu", "dsa:model"};

static void reset_phase(void)
{
	arena = memory_new(LEN, false);
	memset(arena, 0, LEN);
	memset(actors, 0, sizeof(actors));
	for (size_t i = 0; i < NR_THREADS; i++)
		actors[i] = (struct actor){.me = i, .random = i, .random_in_handler = i + 99};
	atomic_store(&stop, false);
	atomic_store(&failed, false);
	atomic_store(&nr_exchanged, 0);
	atomic_store(&nr_calls, 0);
}

static bool all_have_worked(void)
{
	bool all = nr_exchanged && nr_calls;

	for (size_t i = 0; i < NR_THREADS; i++)
		all &= actors[i].nr_ticks && (i == NR_WRITERS || actors[i].nr_faults);
	return all;
}

static void check_at_the_end(void)
{
	for (size_t i = 0; i < NR_THREADS; i++)
		for (size_t page = 0; page < NR_WRITTEN; page++) {
			if (*word_of(page, i) != actors[i].written[page])
				record_failure("lost at the end", page, actors[i].written[page],
					       *word_of(page, i));
			if (*word_of(page, NR_THREADS + i) != actors[i].by_handler[page])
				record_failure("handler's, lost at the end", page,
					       actors[i].by_handler[page],
					       *word_of(page, NR_THREADS + i));
		}
}

static void run_phase(double seconds)
{
	pthread_t threads[NR_THREADS + 1];
	unsigned long nr_ticks = 0, nr_faults = 0;

	reset_phase();
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, i < NR_WRITERS ? write_often : call_often,
			       &actors[i]);
	pthread_create(&threads[NR_THREADS], NULL, move_often, NULL);
	/* Longer than that if not every thread has done some work. */
	for (double left = seconds; (left > 0 || !all_have_worked()) && is_running(); left -= 0.05)
		usleep(50000);
	atomic_store(&stop, true);
	for (size_t i = 0; i <= NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	check_at_the_end();
	munmap(arena, LEN);
	for (size_t i = 0; i < NR_THREADS; i++) {
		nr_ticks += actors[i].nr_ticks;
		nr_faults += actors[i].nr_faults;
	}
	tap_note("%lu pages exchanged, %lu calls, %lu ticks, %lu faults", nr_exchanged, nr_calls,
		 nr_ticks, nr_faults);
	if (failed)
		tap_note("thread %zu: %s: page %zu: expected %#llx, found %#llx", wrong.actor,
			 wrong.what, wrong.page, (unsigned long long)wrong.expected,
			 (unsigned long long)wrong.found);
}

int main(void)
{
	double seconds = test_seconds(0.6 * ARRAY_SIZE(engines)) / ARRAY_SIZE(engines);

	tap_plan(ARRAY_SIZE(engines));
	catch_signals();
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		struct ferry_options options = FERRY_OPTIONS_INIT;
		const char *lack = NULL;

		watchdog(120 + 3 * (unsigned int)seconds, engines[i]);
		options.engine = engines[i];
		options.nr_workers = 4;
		if (ferry_open(&ferry, &options))
			lack = ferry_open_error();
		else
			lack = no_exchange(ferry);
		if (lack) {
			tap_skip(lack, "%s", engines[i]);
			continue;
		}
		run_phase(seconds);
		tap_ok(!failed, "%s: handlers and interrupted threads lose no write", engines[i]);
		ferry_close(ferry);
	}
	return tap_done();
}
