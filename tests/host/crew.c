// SPDX-License-Identifier: LGPL-2.1-or-later
/* The crew under load: posts, runs and retracts from many threads, nested runs, close, fork. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/vault.h"
#include "crew/crew.h"
#include "tests/testlib/tap.h"

#define NR_WORKERS 4
#define NR_POSTERS 4
#define NR_ROUNDS  3000
#define NR_UNITS   64

static struct crew *crew;

/* Units of work. Each must be done exactly once, whatever threads join. */
struct units {
	struct crew_task task;
	atomic_uint next;
	atomic_uint done[NR_UNITS];
	atomic_uint nr_inside, most_inside;
	atomic_uint nr_done_calls;
};

static void units_enter(struct units *units)
{
	unsigned int inside = atomic_fetch_add(&units->nr_inside, 1) + 1;
	unsigned int most = atomic_load(&units->most_inside);

	while (inside > most && !atomic_compare_exchange_weak(&units->most_inside, &most, inside))
		;
}

static bool units_work(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct units *units = CONTAINER_OF(task, struct units, task);
	unsigned int unit;

	units_enter(units);
	while ((unit = atomic_fetch_add(&units->next, 1)) < NR_UNITS)
		atomic_fetch_add(&units->done[unit], 1);
	atomic_fetch_sub(&units->nr_inside, 1);
	return false;
}

static void units_init(struct units *units, unsigned int nr_wanted)
{
	memset(units, 0, sizeof(*units));
	units->task.work = units_work;
	units->task.nr_wanted = nr_wanted;
}

static bool units_all_once(const struct units *units)
{
	for (unsigned int i = 0; i < NR_UNITS; i++)
		if (atomic_load(&units->done[i]) != 1)
			return false;
	return true;
}

/* Leaves the task after each unit, so that it moves to the end of the queue. */
static bool units_step(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct units *units = CONTAINER_OF(task, struct units, task);
	unsigned int unit = atomic_fetch_add(&units->next, 1);

	if (unit < NR_UNITS)
		atomic_fetch_add(&units->done[unit], 1);
	return unit + 1 < NR_UNITS;
}

struct nest {
	struct crew_task task;
	atomic_uint next, nr_bad;
};

/* Every worker in this task runs a task of its own, which the others may join. */
static bool nest_work(struct crew_task *task, unsigned int worker)
{
	struct nest *nest = CONTAINER_OF(task, struct nest, task);
	struct units inner;

	while (atomic_fetch_add(&nest->next, 1) < 16) {
		units_init(&inner, NR_WORKERS);
		crew_run(crew, &inner.task, worker);
		if (!units_all_once(&inner) || atomic_load(&inner.nr_inside))
			atomic_fetch_add(&nest->nr_bad, 1);
	}
	return false;
}

static void counted_done(struct crew_task *task)
{
	struct units *units = CONTAINER_OF(task, struct units, task);

	atomic_fetch_add(&units->nr_done_calls, 1);
	futex_wake(&units->nr_done_calls, 1);
}

static void freeing_done(struct crew_task *task)
{
	free(CONTAINER_OF(task, struct units, task));
}

static bool round_wait(unsigned int nr_wanted)
{
	struct units units;

	units_init(&units, nr_wanted);
	crew_post(crew, &units.task);
	return !crew_wait(crew, &units.task, FUTEX_FOREVER) && units_all_once(&units) &&
	       atomic_load(&units.most_inside) <= nr_wanted;
}

static bool round_run(unsigned int nr_wanted)
{
	struct units units;

	units_init(&units, nr_wanted);
	crew_run(crew, &units.task, CREW_CALLER);
	return units_all_once(&units) && !atomic_load(&units.nr_inside) &&
	       atomic_load(&units.most_inside) <= nr_wanted + 1;
}

/* After crew_retract() no thread is in the task. done() was called exactly if it returned false. */
static bool round_retract(unsigned int nr_wanted)
{
	struct units units;
	bool retracted;

	units_init(&units, nr_wanted);
	units.task.done = counted_done;
	crew_post(crew, &units.task);
	retracted = crew_retract(crew, &units.task);
	while (!retracted && !atomic_load(&units.nr_done_calls))
		futex_wait(&units.nr_done_calls, 0, FUTEX_FOREVER);
	return !atomic_load(&units.nr_inside) && atomic_load(&units.nr_done_calls) == !retracted;
}

static bool round_step(unsigned int nr_wanted)
{
	struct units units;

	units_init(&units, nr_wanted);
	units.task.work = units_step;
	crew_post(crew, &units.task);
	return !crew_wait(crew, &units.task, FUTEX_FOREVER) && units_all_once(&units);
}

static bool round_nest(unsigned int nr_wanted)
{
	struct nest nest = {.task = {.work = nest_work, .nr_wanted = nr_wanted}};

	crew_run(crew, &nest.task, CREW_CALLER);
	return !atomic_load(&nest.nr_bad);
}

static bool round_free(unsigned int nr_wanted)
{
	struct units *units = malloc(sizeof(*units));

	units_init(units, nr_wanted);
	units->task.done = freeing_done;
	crew_post(crew, &units->task);
	return true;
}

static bool (*const rounds[])(unsigned int) = {round_wait, round_run,  round_retract,
					       round_step, round_nest, round_free};

static void *post_rounds(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	uintptr_t nr_bad = 0;

	for (unsigned int i = 0; i < NR_ROUNDS; i++)
		nr_bad += !rounds[(i + seed) % ARRAY_SIZE(rounds)](1 + (i + seed) % NR_WORKERS);
	return (void *)nr_bad;
}

static void test_hammer(void)
{
	pthread_t threads[NR_POSTERS];
	uintptr_t nr_bad = 0;
	void *bad;

	for (uintptr_t i = 0; i < NR_POSTERS; i++)
		pthread_create(&threads[i], NULL, post_rounds, (void *)i);
	for (unsigned int i = 0; i < NR_POSTERS; i++) {
		pthread_join(threads[i], &bad);
		nr_bad += (uintptr_t)bad;
	}
	tap_ok(!nr_bad, "posts, runs and retracts from %d threads, nested: each unit done once",
	       NR_POSTERS);
}

/* Keeps all workers busy until gate_open(). */
struct gate {
	struct crew_task task;
	atomic_uint open, nr_waiting;
};

static bool gate_work(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct gate *gate = CONTAINER_OF(task, struct gate, task);

	atomic_fetch_add(&gate->nr_waiting, 1);
	futex_wake(&gate->nr_waiting, 1);
	while (!atomic_load(&gate->open))
		futex_wait(&gate->open, 0, FUTEX_FOREVER);
	return false;
}

static void gate_shut(struct gate *gate)
{
	unsigned int seen;

	memset(gate, 0, sizeof(*gate));
	gate->task.work = gate_work;
	gate->task.nr_wanted = NR_WORKERS;
	crew_post(crew, &gate->task);
	while ((seen = atomic_load(&gate->nr_waiting)) < NR_WORKERS)
		futex_wait(&gate->nr_waiting, seen, FUTEX_FOREVER);
}

static void gate_open(struct gate *gate)
{
	atomic_store(&gate->open, 1);
	futex_wake(&gate->open, NR_WORKERS);
	crew_wait(crew, &gate->task, FUTEX_FOREVER);
}

static void test_starved(void)
{
	struct units units;
	struct gate gate;

	gate_shut(&gate);
	tap_ok(crew_nr_idle(crew) == 0, "no worker is idle while all are held");
	units_init(&units, NR_WORKERS);
	crew_run(crew, &units.task, CREW_CALLER);
	tap_ok(units_all_once(&units), "run without a free worker: the caller does all units");

	units_init(&units, 1);
	crew_post(crew, &units.task);
	tap_ok(crew_wait(crew, &units.task, NS_PER_MS) == -ETIMEDOUT, "wait times out");
	tap_ok(crew_retract(crew, &units.task) && !atomic_load(&units.next),
	       "retract before a worker joined: no unit is done");
	tap_ok(!crew_wait(crew, &units.task, 0), "crew_wait() of a retracted task returns");
	gate_open(&gate);
}

/* A task that leaves its worker repeatedly and delays itself by a millisecond each time. */
struct ticks {
	struct crew_task task;
	atomic_uint nr;
	uint64_t due_ns;
	bool early;
};

#define NR_TICKS 20

static bool ticks_work(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct ticks *ticks = CONTAINER_OF(task, struct ticks, task);

	ticks->early |= now_ns() < ticks->due_ns;
	if (atomic_fetch_add(&ticks->nr, 1) + 1 == NR_TICKS)
		return false;
	ticks->due_ns = now_ns() + NS_PER_MS;
	crew_delay(crew, task, ticks->due_ns);
	return true;
}

static void ticks_post(struct ticks *ticks, uint64_t not_before_ns)
{
	memset(ticks, 0, sizeof(*ticks));
	ticks->task.work = ticks_work;
	ticks->task.nr_wanted = 1;
	ticks->due_ns = not_before_ns;
	crew_delay(crew, &ticks->task, not_before_ns);
	crew_post(crew, &ticks->task);
}

static void test_delay(void)
{
	struct ticks ticks[NR_WORKERS + 2];
	struct units units;
	bool early = false;

	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++)
		ticks_post(&ticks[i], i % 2 ? now_ns() + 3 * NS_PER_MS : 0);
	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++) {
		crew_wait(crew, &ticks[i].task, FUTEX_FOREVER);
		early |= ticks[i].early;
	}
	tap_ok(!early, "delayed tasks resume by themselves, never too early");

	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++)
		ticks_post(&ticks[i], CREW_NEVER);
	units_init(&units, NR_WORKERS);
	crew_post(crew, &units.task);
	tap_ok(!crew_wait(crew, &units.task, FUTEX_FOREVER) && units_all_once(&units),
	       "more delayed tasks than workers: workers serve other tasks");
	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++) {
		early |= atomic_load(&ticks[i].nr) != 0;
		ticks[i].due_ns = 0;
		crew_delay(crew, &ticks[i].task, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++)
		crew_wait(crew, &ticks[i].task, FUTEX_FOREVER);
	tap_ok(!early, "a task delayed by CREW_NEVER runs when the delay ends");
}

/* An address in the thread-local storage of a worker, which lies on its stack. */
static const char *on_worker_stack;

struct look {
	struct crew_task task;
	char name[16];
	const char *on_tls;
	bool stack_in_vault, tls_in_vault, signals_blocked, bound;
};

static bool look_work(struct crew_task *task, unsigned int worker)
{
	struct look *look = CONTAINER_OF(task, struct look, task);
	static __thread char tls;
	char here = 0;
	cpu_set_t cpus;
	sigset_t mask;

	tls = 1;
	pthread_getname_np(pthread_self(), look->name, sizeof(look->name));
	look->stack_in_vault = vault_overlaps(&here, 1);
	look->tls_in_vault = vault_overlaps(&tls, 1);
	look->on_tls = &tls;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	look->signals_blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGPROF);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	look->bound = CPU_EQUAL(&cpus, &crew_place(crew, worker)->cpus);
	return false;
}

static void test_worker(void)
{
	struct look look = {.task = {.work = look_work, .nr_wanted = 1}};

	crew_post(crew, &look.task);
	crew_wait(crew, &look.task, FUTEX_FOREVER);
	on_worker_stack = look.on_tls;
	tap_ok(!strncmp(look.name, "ferry/", 6), "a worker's name is %s", look.name);
#if defined(__SANITIZE_ADDRESS__)
	tap_skip("ASan moves locals to its own stack", "a worker's stack lies in the vault");
#else
	tap_ok(look.stack_in_vault, "a worker's stack lies in the vault");
#endif
	tap_ok(look.tls_in_vault, "a worker's thread-local storage lies in the vault");
	tap_ok(look.signals_blocked, "a worker blocks signals");
	tap_ok(look.bound, "a worker is bound to its L3 domain");
	tap_ok(crew_cpu_ns(crew) > 0, "the workers' CPU time is known");
}

/* A forked child has no workers: crew_forget() frees their stacks without waiting for them. */
static void test_forget(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		bool before = vault_overlaps(on_worker_stack, 1);

		crew_forget(crew);
		_exit(before && !vault_overlaps(on_worker_stack, 1) ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	tap_ok(WIFEXITED(status) && !WEXITSTATUS(status), "a forked child can forget the crew");
}

static void test_size(struct placement *placement)
{
	struct crew *small;

	placement->nr_places = MIN(placement->nr_places, 2U);
	if (crew_open(placement, 100, &small)) {
		tap_ok(false, "more workers asked for than places");
		return;
	}
	tap_ok(crew_nr_workers(small) == placement->nr_places,
	       "more workers asked for than places: as many as places");
	crew_close(small);
	crew_close(NULL);
	crew_forget(NULL);
}

/* A placement with a place per worker of the tests, however few CPUs the machine has. */
static struct placement *placement_repeat(const struct placement *real)
{
	struct placement *placement =
		malloc(sizeof(*placement) + NR_WORKERS * sizeof(placement->places[0]));

	*placement = *real;
	placement->nr_places = NR_WORKERS;
	for (unsigned int i = 0; i < NR_WORKERS; i++)
		placement->places[i] = real->places[i % real->nr_places];
	return placement;
}

int main(void)
{
	struct placement *real, *placement;

	tap_plan(18);
	if (placement_open(NULL, &real))
		return 1;
	placement = placement_repeat(real);
	if (crew_open(placement, NR_WORKERS, &crew))
		return 1;
	test_worker();
	test_starved();
	test_delay();
	test_forget();
	test_hammer();
	crew_close(crew);
	tap_ok(true, "close joins every worker");
	test_size(placement);
	placement_close(placement);
	placement_close(real);
	return tap_done();
}
