// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where other threads want its CPU, a lane that has run for a while will soon be preempted. If it
 * has pages in flight then, every thread that touches them waits for as long as the lane does. So
 * the lane gives up its CPU before a take-out and begins with a fresh time slice.
 */
#include <sys/resource.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/text.h"
#include "lib/exchange/cpu_pressure.h"
#include "lib/exchange/exchange.h"
#include "lib/nodes/kernel_file.h"

/*
 * A lane may run for this long before it gives up its CPU: less than the scheduler's time slice,
 * more than a chunk takes. Increasing this costs fewer context switches; decreasing it makes
 * preemption in flight rarer.
 */
#define FRESH_NS (1 * NS_PER_MS)

/*
 * For how long CPUs count as short after contention. The first span is the minimum; each one that
 * follows soon after is twice as long, up to the maximum.
 */
#define CONTENDED_MIN_NS (100 * NS_PER_MS)
#define CONTENDED_MAX_NS (1600 * NS_PER_MS)

/* A wait for the CPU that is longer than this means that another thread has used it. */
#define LONG_WAIT_NS (500 * NS_PER_US)

long cpu_pressure_nr_preempted(void)
{
	struct rusage usage;

	return sys(SYS_getrusage, RUSAGE_THREAD, &usage) ? 0 : usage.ru_nivcsw;
}

/*
 * For how long this thread has been ready to run without a CPU. Where the kernel does not tell,
 * this is the clock, as if the thread had waited all the time.
 */
static uint64_t thread_waited_ns(void)
{
	char text[64];
	const char *at = text;

	if (kernel_file_read("/proc/thread-self/schedstat", text, sizeof(text)) < 0)
		return now_ns();
	while (*at && *at++ != ' ')
		;
	return *at ? text_read_number(&at) : now_ns();
}

static void contention_note(struct ferry *ferry, uint64_t now)
{
	uint64_t until = atomic_load_explicit(&ferry->contended_until_ns, memory_order_relaxed);
	uint64_t span = atomic_load_explicit(&ferry->contended_for_ns, memory_order_relaxed);

	/* Usually every lane notices the same contention: count it once. */
	if (now + span / 2 < until)
		return;
	span = now < until + span ? MIN(2 * span, CONTENDED_MAX_NS) : CONTENDED_MIN_NS;
	atomic_store_explicit(&ferry->contended_for_ns, span, memory_order_relaxed);
	atomic_store_explicit(&ferry->contended_until_ns, now + span, memory_order_relaxed);
}

static bool contention_lasts(const struct ferry *ferry, uint64_t now)
{
	return now < atomic_load_explicit(&ferry->contended_until_ns, memory_order_relaxed);
}

/* This sleeps because sched_yield(2) forfeits a time slice's worth of CPU time since 6.18. */
static void lane_yield_cpu(struct lane *lane, uint64_t now)
{
	struct timespec ts = {.tv_nsec = 1};

	sys(SYS_nanosleep, &ts, NULL);
	lane->fresh_since_ns = now_ns();
	if (lane->fresh_since_ns - now > LONG_WAIT_NS)
		contention_note(lane->ferry, lane->fresh_since_ns);
}

static void lane_note_preemption(struct lane *lane, long nr_preempted, uint64_t now)
{
	uint64_t waited = thread_waited_ns();

	lane->nr_preempted = nr_preempted;
	lane->fresh_since_ns = now;
	crew_unbind(lane->ferry->crew, (unsigned int)(lane - lane->ferry->lanes));
	/* The kernel's own threads preempt too, but only for a short time. */
	if (waited - lane->waited_ns > LONG_WAIT_NS)
		contention_note(lane->ferry, now);
	lane->waited_ns = waited;
}

void cpu_pressure_begin(struct lane *lane)
{
	/* A worker that looked for a CPU has migrated, which counts as a preemption. */
	lane->nr_preempted = cpu_pressure_nr_preempted();
	lane->waited_ns = thread_waited_ns();
}

void cpu_pressure_relieve(struct lane *lane)
{
	long nr_preempted = cpu_pressure_nr_preempted();
	uint64_t now = now_ns();

	if (nr_preempted != lane->nr_preempted)
		lane_note_preemption(lane, nr_preempted, now);
	else if (contention_lasts(lane->ferry, now) && now - lane->fresh_since_ns > FRESH_NS)
		lane_yield_cpu(lane, now);
}
