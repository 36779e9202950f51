// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One queue under one lock. A worker that finds nothing it is wanted for sleeps on a futex that
 * counts posts: it reads the count, looks at the queue, and sleeps only if the count is the same,
 * so no post is missed.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/sys.h"
#include "base/thread.h"
#include "base/vault.h"
#include "crew/crew.h"
#include "crew/spread.h"

#define DEFAULT_WORKERS 16

/* An idle worker looks around for this long where sleeping would have been as short. */
#define SPIN_MAX_NS 30000
/* How many others a worker wakes that was woken itself. */
#define WAKE_FAN 2
/* Who was woken and comes so late has waited for its CPU. */
#define LATE_NS 500000
/* Between two looks at the clock. */
#define SPIN_TURNS 32

/* crew_task.idle */
enum { TASK_BUSY, TASK_IDLE, TASK_AWAITED };

struct worker {
	struct crew *crew;
	struct thread thread;
	clockid_t cpu_clock;
	uint64_t spin_ns;
	int cpu;    /* spread_leave's; -1 none */
	bool bound; /* to that CPU alone */
	struct place place;
};

struct crew {
	/* Written all the time. */
	struct futex_lock lock;
	struct crew_task *head, *tail;
	bool closing;
	atomic_uint nr_handless; /* queued, wanting workers, and nobody works on them */
	atomic_uint nr_idle;
	__cacheline_aligned atomic_uint nr_posts; /* futex of idle workers */
	atomic_uint nr_sleeping;
	_Atomic uint64_t posted_ns; /* when the latest was */
	__cacheline_aligned struct spread spread;

	/* Set once. */
	__cacheline_aligned unsigned int nr_workers;
	unsigned int nr_cpus; /* that workers can run on */
	bool bind;
	size_t len_bytes; /* of this allocation */
	struct worker workers[];
};

static bool handless(const struct crew_task *task)
{
	return !task->nr_joined && !task->attended && task->nr_wanted;
}

/* Callers of the functions below hold the lock. */

static void count_handless(struct crew *crew, const struct crew_task *task, int sign)
{
	if (handless(task))
		atomic_fetch_add_explicit(&crew->nr_handless, (unsigned int)sign,
					  memory_order_relaxed);
}

static void enqueue(struct crew *crew, struct crew_task *task)
{
	task->prev = crew->tail;
	task->next = NULL;
	*(crew->tail ? &crew->tail->next : &crew->head) = task;
	crew->tail = task;
	count_handless(crew, task, 1);
}

static void dequeue(struct crew *crew, struct crew_task *task)
{
	count_handless(crew, task, -1);
	*(task->prev ? &task->prev->next : &crew->head) = task->next;
	*(task->next ? &task->next->prev : &crew->tail) = task->prev;
}

static struct crew_task *pick(const struct crew *crew)
{
	struct crew_task *found = NULL;

	for (struct crew_task *task = crew->head; task; task = task->next) {
		if (handless(task))
			return task;
		if (!found && task->nr_joined < task->nr_wanted)
			found = task;
	}
	return found;
}

/* Callers of the functions below do not. */

/* more: somebody else is wanted too. */
static struct crew_task *join(struct crew *crew, bool *closing, bool *more)
{
	struct crew_task *task;

	futex_lock(&crew->lock);
	*closing = crew->closing;
	task = pick(crew);
	if (task) {
		count_handless(crew, task, -1);
		task->nr_joined++;
		*more = pick(crew);
	}
	futex_unlock(&crew->lock);
	return task;
}

static void wake(struct crew *crew, unsigned int nr_workers)
{
	if (atomic_load(&crew->nr_sleeping))
		futex_wake(&crew->nr_posts, nr_workers);
}

/* Whoever leaves last hands the task back to its owner, who may free it at once. */
static void leave(struct crew *crew, struct crew_task *task, bool more)
{
	void (*done)(struct crew_task *) = NULL;
	bool awaited = false;

	futex_lock(&crew->lock);
	if (!task->ended)
		dequeue(crew, task);
	task->nr_joined--;
	task->ended |= !more;
	if (!task->ended) {
		enqueue(crew, task);
	} else if (!task->nr_joined) {
		done = task->retracted ? NULL : task->done;
		if (!done)
			awaited = atomic_exchange(&task->idle, TASK_IDLE) == TASK_AWAITED;
	}
	futex_unlock(&crew->lock);

	if (done)
		done(task);
	else if (awaited)
		futex_wake(&task->idle, UINT_MAX);
}

/* True once there was a post. Spinning steals nothing only while a CPU is left over. */
static bool spin(const struct crew *crew, unsigned int seen, uint64_t spin_ns)
{
	uint64_t start = now_ns();

	do {
		unsigned int awake = crew->nr_workers -
				     atomic_load_explicit(&crew->nr_sleeping, memory_order_relaxed);

		for (unsigned int i = 0; i < SPIN_TURNS; i++) {
			if (atomic_load_explicit(&crew->nr_posts, memory_order_acquire) != seen)
				return true;
			cpu_relax();
		}
		if (awake >= crew->nr_cpus)
			return false;
	} while (now_ns() - start < spin_ns);
	return false;
}

/*
 * A worker looks for a CPU of its own before it joins anything: from then on others wait for it.
 * Where it has found one it sleeps bound to it, so that it wakes there at once. But somebody else
 * may have taken that CPU meanwhile: a worker that comes late, or finds another one there, looks
 * again.
 */
static void find_cpu(struct worker *worker)
{
	struct crew *crew = worker->crew;
	bool late =
		now_ns() - atomic_load_explicit(&crew->posted_ns, memory_order_relaxed) > LATE_NS;

	if (worker->bound && !late && spread_claim(&crew->spread, worker->cpu))
		return;
	if (worker->bound)
		spread_unbind(&worker->place);
	worker->bound = false;
	worker->cpu = spread_enter_free(&crew->spread, &worker->place);
}

/*
 * Spins only as long as spinning has been paying: a sleep shorter than the limit would have been
 * better spent spinning, a longer one would not.
 */
static void rest(struct worker *worker, unsigned int seen)
{
	struct crew *crew = worker->crew;
	uint64_t start;

	if (worker->spin_ns && spin(crew, seen, worker->spin_ns))
		return;
	if (worker->cpu >= 0 && !worker->bound)
		worker->bound = spread_bind(worker->cpu);
	spread_leave(&crew->spread, worker->cpu);
	start = now_ns();
	atomic_fetch_add(&crew->nr_sleeping, 1);
	futex_wait(&crew->nr_posts, seen, FUTEX_FOREVER);
	atomic_fetch_sub(&crew->nr_sleeping, 1);
	worker->spin_ns = now_ns() - start < SPIN_MAX_NS ? SPIN_MAX_NS : worker->spin_ns / 2;
	if (crew->bind)
		find_cpu(worker);
}

static void settle(struct worker *worker, unsigned int index)
{
	char name[16];

	snprintf(name, sizeof(name), "ferry/%u", index);
	sys(SYS_prctl, PR_SET_NAME, name);
	/* Or the shortest sleep would last 50 µs. */
	sys(SYS_prctl, PR_SET_TIMERSLACK, 1);
	if (worker->crew->bind)
		sys(SYS_sched_setaffinity, 0, sizeof(worker->place.cpus), &worker->place.cpus);
}

/*
 * Counted as idle again before the task's owner can know that it left. On a busy host a thread that
 * can't be moved away is starved: none stays bound for long.
 */
static void serve(struct crew *crew, struct crew_task *task, unsigned int index)
{
	struct worker *worker = &crew->workers[index];
	bool more;

	if (worker->bound && !task->brief) {
		spread_unbind(&worker->place);
		worker->bound = false;
	}
	if (task->wake_all)
		worker->spin_ns = 0;
	atomic_fetch_sub_explicit(&crew->nr_idle, 1, memory_order_relaxed);
	more = task->work(task, index);
	atomic_fetch_add_explicit(&crew->nr_idle, 1, memory_order_relaxed);
	leave(crew, task, more);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct crew *crew = worker->crew;
	unsigned int index = (unsigned int)(worker - crew->workers);
	bool closing = false;

	settle(worker, index);
	worker->cpu = -1;
	while (!closing) {
		unsigned int seen = atomic_load(&crew->nr_posts);
		bool more = false;
		struct crew_task *task = join(crew, &closing, &more);

		if (more)
			wake(crew, WAKE_FAN);
		if (task)
			serve(crew, task, index);
		else if (!closing)
			rest(worker, seen);
	}
	return NULL;
}

static void rouse(struct crew *crew, unsigned int nr_workers)
{
	atomic_store_explicit(&crew->posted_ns, now_ns(), memory_order_relaxed);
	atomic_fetch_add(&crew->nr_posts, 1);
	wake(crew, nr_workers);
}

void crew_post(struct crew *crew, struct crew_task *task)
{
	/* Once it is queued, it may be gone before this returns. */
	unsigned int nr_wanted = task->nr_wanted;

	task->nr_joined = 0;
	task->attended = false;
	task->retracted = false;
	task->ended = false;
	atomic_store_explicit(&task->idle, TASK_BUSY, memory_order_relaxed);
	futex_lock(&crew->lock);
	enqueue(crew, task);
	futex_unlock(&crew->lock);
	rouse(crew, nr_wanted);
}

int crew_wait(struct crew *crew, struct crew_task *task, uint64_t wait_ns)
{
	uint64_t start = now_ns(), spent_ns = 0;

	for (;;) {
		unsigned int state = TASK_BUSY;

		if (!atomic_compare_exchange_strong(&task->idle, &state, TASK_AWAITED) &&
		    state == TASK_IDLE)
			return 0;
		if (spent_ns >= wait_ns)
			return -ETIMEDOUT;
		futex_wait(&task->idle, TASK_AWAITED,
			   wait_ns == FUTEX_FOREVER ? FUTEX_FOREVER : wait_ns - spent_ns);
		spent_ns = now_ns() - start;
	}
}

/* Those inside are about to leave, most often: sleeping would take longer than they do. */
static void await_leavers(struct crew *crew, struct crew_task *task)
{
	uint64_t start = now_ns();

	do {
		for (unsigned int i = 0; i < SPIN_TURNS; i++) {
			if (atomic_load_explicit(&task->idle, memory_order_acquire) == TASK_IDLE)
				return;
			cpu_relax();
		}
	} while (now_ns() - start < SPIN_MAX_NS);
	crew_wait(crew, task, FUTEX_FOREVER);
}

bool crew_retract(struct crew *crew, struct crew_task *task)
{
	bool nobody, called;

	futex_lock(&crew->lock);
	nobody = !task->nr_joined;
	called = nobody && task->ended && task->done;
	if (nobody && !called)
		atomic_store(&task->idle, TASK_IDLE);
	if (!task->ended)
		dequeue(crew, task);
	task->ended = true;
	task->retracted = true;
	futex_unlock(&crew->lock);
	if (!nobody)
		await_leavers(crew, task);
	return !called;
}

void crew_run(struct crew *crew, struct crew_task *task, unsigned int worker)
{
	int cpu = -1;

	if (!crew || !task->nr_wanted) {
		task->work(task, worker);
		return;
	}
	task->nr_joined = 0;
	task->attended = true;
	task->retracted = true;
	task->ended = false;
	atomic_store_explicit(&task->idle, TASK_BUSY, memory_order_relaxed);
	futex_lock(&crew->lock);
	enqueue(crew, task);
	futex_unlock(&crew->lock);
	if (worker == CREW_CALLER)
		cpu = spread_enter(&crew->spread);
	/* Each wakes the next: waking one takes ten microseconds, and there is work to do here. */
	rouse(crew, task->wake_all ? task->nr_wanted : 1);
	task->work(task, worker);
	spread_leave(&crew->spread, cpu);
	crew_retract(crew, task);
}

bool crew_wanted_elsewhere(const struct crew *crew)
{
	return atomic_load_explicit(&crew->nr_handless, memory_order_relaxed) > 0;
}

static unsigned int count_cpus(const struct placement *placement)
{
	unsigned int nr;
	cpu_set_t all;

	CPU_ZERO(&all);
	for (unsigned int i = 0; i < placement->nr_places; i++)
		CPU_OR(&all, &all, &placement->places[i].cpus);
	nr = (unsigned int)CPU_COUNT(&all);
	return placement->quota_cpus ? MIN(nr, placement->quota_cpus) : nr;
}

static int start_worker(struct worker *worker)
{
	int err = thread_start(&worker->thread, worker_main, worker);

	if (!err)
		pthread_getcpuclockid(worker->thread.id, &worker->cpu_clock);
	return err;
}

int crew_open(const struct placement *placement, unsigned int nr_workers, struct crew **out)
{
	struct crew *crew;
	size_t len_bytes;
	int err = 0;

	if (!nr_workers)
		nr_workers = DEFAULT_WORKERS;
	nr_workers = MIN(nr_workers, placement->nr_places);
	len_bytes = sizeof(*crew) + nr_workers * sizeof(crew->workers[0]);
	if (vault_alloc(len_bytes, (void **)&crew))
		return -ENOMEM;
	crew->len_bytes = len_bytes;
	crew->nr_workers = nr_workers;
	crew->nr_cpus = count_cpus(placement);
	crew->bind = placement->this_system;
	atomic_init(&crew->nr_idle, nr_workers);

	for (unsigned int i = 0; i < nr_workers && !err; i++) {
		crew->workers[i].crew = crew;
		crew->workers[i].place = placement->places[i];
		err = start_worker(&crew->workers[i]);
	}
	if (err) {
		crew_close(crew);
		return err;
	}
	*out = crew;
	return 0;
}

void crew_close(struct crew *crew)
{
	if (!crew)
		return;
	futex_lock(&crew->lock);
	crew->closing = true;
	futex_unlock(&crew->lock);
	rouse(crew, UINT_MAX);
	for (unsigned int i = 0; i < crew->nr_workers; i++)
		thread_join(&crew->workers[i].thread);
	crew_forget(crew);
}

void crew_forget(struct crew *crew)
{
	if (!crew)
		return;
	for (unsigned int i = 0; i < crew->nr_workers; i++)
		thread_forget(&crew->workers[i].thread);
	vault_free(crew, crew->len_bytes);
}

unsigned int crew_nr_workers(const struct crew *crew)
{
	return crew->nr_workers;
}

unsigned int crew_nr_cpus(const struct crew *crew)
{
	return crew->nr_cpus;
}

const struct place *crew_place(const struct crew *crew, unsigned int worker)
{
	return &crew->workers[worker].place;
}

uint64_t crew_cpu_ns(const struct crew *crew)
{
	uint64_t sum_ns = 0;

	for (unsigned int i = 0; i < crew->nr_workers; i++) {
		struct timespec ts = {0};

		if (!sys(SYS_clock_gettime, crew->workers[i].cpu_clock, &ts))
			sum_ns += (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
	}
	return sum_ns;
}

unsigned int crew_nr_idle(const struct crew *crew)
{
	return atomic_load_explicit(&crew->nr_idle, memory_order_relaxed);
}
