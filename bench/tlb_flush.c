// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What it costs to take a page table entry away while other CPUs run the process: the thread that
 * does it has to interrupt them, and they have to answer. That is what decides whether workers
 * exchange better together or apart (lib/ways.c).
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"

#define MAX_SPINNERS 16
#define NR_FLUSHES   20000
#define BASE_NS      (200 * NS_PER_MS)

static atomic_bool stop;
static struct {
	pthread_t thread;
	__cacheline_aligned atomic_ulong turns;
} spinners[MAX_SPINNERS];

static void pin(unsigned int cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	sched_setaffinity(0, sizeof(only), &only);
}

static void *spin(void *arg)
{
	size_t me = (size_t)arg;

	pin((unsigned int)me + 1);
	for (unsigned long turns = 0; !atomic_load_explicit(&stop, memory_order_relaxed);)
		atomic_store_explicit(&spinners[me].turns, ++turns, memory_order_relaxed);
	return NULL;
}

static double turns_per_ns(uint64_t ns, unsigned long before)
{
	return (double)(atomic_load(&spinners[0].turns) - before) / (double)ns;
}

/* A page loses its write permission, gets it back, and is written to again. */
static void flush(volatile char *page)
{
	mprotect((void *)page, PAGE_BYTES, PROT_READ);
	mprotect((void *)page, PAGE_BYTES, PROT_READ | PROT_WRITE);
	*page = 1;
}

static void measure(volatile char *page, unsigned int nr_spinners)
{
	uint64_t start = now_ns(), ns;
	unsigned long before = atomic_load(&spinners[0].turns);
	double undisturbed, disturbed;

	while (now_ns() - start < BASE_NS)
		;
	undisturbed = turns_per_ns(now_ns() - start, before);
	before = atomic_load(&spinners[0].turns);
	start = now_ns();
	for (unsigned int i = 0; i < NR_FLUSHES; i++)
		flush(page);
	ns = now_ns() - start;
	disturbed = turns_per_ns(ns, before);
	printf("%9u %13.2f %22.2f\n", nr_spinners, (double)ns / NR_FLUSHES / 1e3,
	       nr_spinners ? (1 - disturbed / undisturbed) * (double)ns / NR_FLUSHES / 1e3 : 0.0);
}

static int run(volatile char *page, unsigned int nr_spinners)
{
	unsigned int nr = 0;

	atomic_store(&stop, false);
	while (nr < nr_spinners &&
	       !pthread_create(&spinners[nr].thread, NULL, spin, (void *)(uintptr_t)nr))
		nr++;
	usleep(10000);
	if (nr == nr_spinners)
		measure(page, nr);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(spinners[i].thread, NULL);
	return nr == nr_spinners ? 0 : 1;
}

int main(void)
{
	long nr_others = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	unsigned int most = (unsigned int)MIN(nr_others, (long)MAX_SPINNERS);
	char *page =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = page == MAP_FAILED;

	if (err)
		return 1;
	pin(0);
	*page = 1;
	printf("busy CPUs  µs per flush  µs each of them loses\n");
	err = run(page, 0);
	for (unsigned int nr = 1; nr < most && !err; nr *= 2)
		err = run(page, nr);
	if (most && !err)
		err = run(page, most);
	return err;
}
