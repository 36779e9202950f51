// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The exchange mover beside a bare loop that does the same to the pages: it registers the memory,
 * and for each 2 MiB MOVEs out, copies and MOVEs in; then it unregisters. The loop has no plan,
 * pools, statuses, engine, watcher or promises. Each of its threads takes the next 2 MiB; several
 * threads are pinned to a CPU each. Pages go into other frames of their node. Both take turns in
 * one run, on the same memory. Prints medians, the median of the rounds' ratios, and that of the
 * ratios of CPU time, which tells more where others use the CPUs. Only ratios may be quoted.
 *
 *	exchange_bare [MIB [ROUNDS [ENGINE]]]
 */
#include <errno.h>
#include <pageferry.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "copy/kernels.h"
#include "crew/placement.h"
#include "lib/uffd/uffd.h"

#define ROUNDS_MAX  101
#define NR_WARM_UPS 2
#define MAX_THREADS 64

static size_t area_bytes = 256UL << 20;
static unsigned int nr_rounds = 15;
static char *area;

/* ---- the bare loop ---- */

struct bare_thread {
	pthread_t thread;
	int cpu;             /* -1: any, for a thread alone, as for the library's */
	char *slot, *frames; /* 2 MiB each: holes, and frames; they change roles with each chunk */
	uint64_t out_ns, copy_ns, in_ns;
};

static struct {
	int uffd;
	const struct copy_kernel *kernel;
	struct bare_thread threads[MAX_THREADS];
	int cpus[MAX_THREADS];
	unsigned int nr_cpus;
	pthread_barrier_t start_line;
	atomic_size_t next;
} bare;

static void die(const char *what, int err)
{
	fprintf(stderr, "exchange_bare: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static void move_all(char *to, const char *from)
{
	size_t moved;
	int err;

	do
		err = uffd_move(bare.uffd, (uintptr_t)to, (uintptr_t)from, HUGE_BYTES, false,
				&moved);
	while (err == -EAGAIN && !moved);
	if (err)
		die("UFFDIO_MOVE", err);
}

static void bare_exchange(struct bare_thread *self, char *chunk)
{
	uint64_t start = now_ns(), out, copied;
	char *frames = self->frames;

	move_all(self->slot, chunk);
	out = now_ns();
	bare.kernel->copy(frames, self->slot, HUGE_BYTES);
	copied = now_ns();
	move_all(chunk, frames);
	self->in_ns += now_ns() - copied;
	self->copy_ns += copied - out;
	self->out_ns += out - start;
	self->frames = self->slot;
	self->slot = frames;
}

static void pin_to_cpu(int cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	sched_setaffinity(0, sizeof(only), &only);
}

static void *bare_main(void *arg)
{
	struct bare_thread *self = arg;
	size_t at;

	if (self->cpu >= 0)
		pin_to_cpu(self->cpu);
	/* As the library's workers, where that is allowed. */
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - 10);
	pthread_barrier_wait(&bare.start_line);
	while ((at = atomic_fetch_add(&bare.next, HUGE_BYTES)) < area_bytes)
		bare_exchange(self, area + at);
	return NULL;
}

static uint64_t bare_run(void *unused __maybe_unused, unsigned int nr_threads)
{
	uint64_t start_ns;
	int err = 0;

	atomic_store(&bare.next, 0);
	pthread_barrier_init(&bare.start_line, NULL, nr_threads + 1);
	for (unsigned int i = 0; i < nr_threads && !err; i++) {
		bare.threads[i].cpu = nr_threads > 1 ? bare.cpus[i] : -1;
		err = pthread_create(&bare.threads[i].thread, NULL, bare_main, &bare.threads[i]);
	}
	if (err)
		die("pthread_create", err);
	start_ns = now_ns();
	err = uffd_register(bare.uffd, (uintptr_t)area, area_bytes);
	if (err)
		die("UFFDIO_REGISTER", err);
	pthread_barrier_wait(&bare.start_line);
	for (unsigned int i = 0; i < nr_threads; i++)
		pthread_join(bare.threads[i].thread, NULL);
	uffd_unregister(bare.uffd, (uintptr_t)area, area_bytes);
	pthread_barrier_destroy(&bare.start_line);
	return now_ns() - start_ns;
}

/* ---- memory ---- */

static char *map_aligned(size_t len_bytes, bool huge)
{
	char *addr = mmap(NULL, len_bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		die("mmap", errno);
	addr = (char *)ALIGN_UP((uintptr_t)addr, HUGE_BYTES);
	madvise(addr, len_bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return addr;
}

/* The slot is registered, as what MOVE moves to must be, and so are the frames, the next slot. */
static void bare_open(const struct placement *placement, bool huge)
{
	struct uffd_caps caps;
	int err = uffd_open(&bare.uffd, &caps);

	if (err) {
		printf("exchange_bare: no full userfaultfd with MOVE: `migbench doctor` says "
		       "why\n");
		exit(77);
	}
	bare.kernel = copy_kernel_best(HUGE_BYTES, 1);
	bare.nr_cpus = MIN(placement->nr_places, (unsigned int)MAX_THREADS);
	for (unsigned int i = 0; i < bare.nr_cpus; i++) {
		struct bare_thread *thread = &bare.threads[i];

		bare.cpus[i] = placement->places[i].cpu;
		thread->slot = map_aligned(2 * HUGE_BYTES, huge);
		thread->frames = thread->slot + HUGE_BYTES;
		memset(thread->frames, 1, HUGE_BYTES);
		err = uffd_register(bare.uffd, (uintptr_t)thread->slot, 2 * HUGE_BYTES);
		if (err)
			die("UFFDIO_REGISTER", err);
	}
}

static void area_fill(void)
{
	for (size_t at = 0; at < area_bytes; at += sizeof(uint64_t))
		*(uint64_t *)(area + at) = at * 0x9e3779b97f4a7c15ULL;
}

static void area_check(const char *who)
{
	for (size_t at = 0; at < area_bytes; at += sizeof(uint64_t)) {
		if (*(uint64_t *)(area + at) == at * 0x9e3779b97f4a7c15ULL)
			continue;
		fprintf(stderr, "exchange_bare: %s: wrong bytes at offset %zu\n", who, at);
		exit(1);
	}
}

/* ---- the exchange mover, and both in turn ---- */

static uint64_t ferry_run(void *ferry, unsigned int nr_workers)
{
	const struct ferry_range range = {area, area_bytes, 0};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;
	uint64_t start_ns = now_ns(), ns;
	int err;

	request.flags = FERRY_MOVE_ALWAYS;
	request.ranges = &range;
	request.nr_ranges = 1;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.nr_workers = nr_workers;
	err = ferry_submit(ferry, &request, &job);
	if (err)
		die("ferry_submit", err);
	ferry_job_wait(job, UINT64_MAX);
	ns = now_ns() - start_ns;
	err = ferry_job_result(job, &result);
	ferry_job_close(job);
	if (err || result.pages_by_mover[FERRY_MOVER_EXCHANGE] != area_bytes / PAGE_BYTES)
		die("the exchange mover left pages", err ? err : EBUSY);
	return ns;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

/* Sorts them. */
static double median(double *values)
{
	qsort(values, nr_rounds, sizeof(*values), by_value);
	return values[nr_rounds / 2];
}

static void bare_forget_times(void)
{
	for (unsigned int i = 0; i < bare.nr_cpus; i++)
		bare.threads[i].out_ns = bare.threads[i].copy_ns = bare.threads[i].in_ns = 0;
}

static void bare_print_parts(void)
{
	double out = 0, copy = 0, in = 0, all;

	for (unsigned int i = 0; i < bare.nr_cpus; i++) {
		out += (double)bare.threads[i].out_ns;
		copy += (double)bare.threads[i].copy_ns;
		in += (double)bare.threads[i].in_ns;
	}
	all = (out + copy + in) / 100;
	printf(" (out %2.0f, copy %2.0f, in %2.0f %%)", out / all, copy / all, in / all);
}

/* What a round of one of them took. */
struct cost {
	double wall_ns, cpu_ns;
};

static struct cost cost_of(uint64_t (*run)(void *arg, unsigned int nr_threads), void *arg,
			   unsigned int nr_threads)
{
	uint64_t cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t wall_ns = run(arg, nr_threads);

	return (struct cost){(double)wall_ns,
			     (double)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns)};
}

/* The rounds before the first that counts fill pools and choose the copy kernel. */
static void measure(struct ferry *ferry, const char *folio, unsigned int nr_threads)
{
	static double bare_gbs[ROUNDS_MAX], ferry_gbs[ROUNDS_MAX];
	static double ratios[ROUNDS_MAX], cpu_ratios[ROUNDS_MAX];

	for (unsigned int i = 0; i < NR_WARM_UPS; i++) {
		ferry_run(ferry, nr_threads);
		bare_run(NULL, nr_threads);
	}
	bare_forget_times();
	for (unsigned int i = 0; i < nr_rounds; i++) {
		struct cost of_ferry = cost_of(ferry_run, ferry, nr_threads);
		struct cost of_bare = cost_of(bare_run, NULL, nr_threads);

		ferry_gbs[i] = (double)area_bytes / of_ferry.wall_ns;
		bare_gbs[i] = (double)area_bytes / of_bare.wall_ns;
		ratios[i] = ferry_gbs[i] / bare_gbs[i];
		cpu_ratios[i] = of_bare.cpu_ns / of_ferry.cpu_ns;
	}
	area_check(folio);
	printf("%s %2u worker%s exchange %5.1f GB/s", folio, nr_threads,
	       nr_threads == 1 ? ", " : "s,", median(ferry_gbs));
	printf("  bare loop %5.1f", median(bare_gbs));
	bare_print_parts();
	printf("  ratio %.2f, by CPU time %.2f\n", median(ratios), median(cpu_ratios));
	fflush(stdout);
}

static void print_choice(void *arg __maybe_unused, const char *name, uint64_t value)
{
	if (!strncmp(name, "kernel.", 7))
		printf("%s: %llu ns per MiB\n", name, (unsigned long long)value);
}

static void measure_folio(const struct placement *placement, const char *engine, bool huge)
{
	const char *folio = huge ? "2 MiB" : "4 KiB";
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry *ferry;

	options.engine = engine;
	if (ferry_open(&ferry, &options)) {
		fprintf(stderr, "exchange_bare: %s\n", ferry_open_error());
		exit(1);
	}
	area = map_aligned(area_bytes, huge);
	area_fill();
	bare_open(placement, huge);
	measure(ferry, folio, 1);
	if (bare.nr_cpus > 1)
		measure(ferry, folio, bare.nr_cpus);
	if (huge) /* last: these are the choices of the whole process */
		ferry_engine_counters(ferry, print_choice, NULL);
	close(bare.uffd);
	ferry_close(ferry);
}

int main(int argc, char **argv)
{
	struct placement *placement;

	if (argc > 1)
		area_bytes = ALIGN_UP(strtoul(argv[1], NULL, 10) << 20, HUGE_BYTES);
	if (argc > 2)
		nr_rounds = (unsigned int)strtoul(argv[2], NULL, 10);
	if (!area_bytes || !nr_rounds || nr_rounds > ROUNDS_MAX || argc > 4) {
		fprintf(stderr, "usage: exchange_bare [MIB [ROUNDS (1 to %d) [ENGINE]]]\n",
			ROUNDS_MAX);
		return 2;
	}
	if (placement_open(NULL, &placement))
		die("the CPUs", ENODEV);
	for (int huge = 0; huge < 2; huge++)
		measure_folio(placement, argc > 3 ? argv[3] : NULL, huge);
	placement_close(placement);
	return 0;
}
