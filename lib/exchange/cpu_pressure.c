// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/sys.h"
#include "lib/exchange/cpu_pressure.h"
#include "lib/exchange/exchange.h"

/* Less than the scheduler's time slice, more than a chunk takes. */
#define FRESH_NS (1 * NS_PER_MS)

/* For how long CPUs are taken to be short: once is soon forgotten, again and again is not. */
#define CONTENDED_MIN_NS (100 * NS_PER_MS)
#define CONTENDED_MAX_NS (1600 * NS_PER_MS)

/* Nobody gets the CPU back so late unless somebody else has used it. */
#define LONG_WAIT_NS (500 * NS_PER_US)

long cpu_pressure_nr_preempted(void)
{
	struct rusage usage;

	return sys(SYS_getrusage, RUSAGE_THREAD, &usage) ? 0 : usage.ru_nivcsw;
}

/* How long this thread has been ready to run but had no CPU; all the time where that is unknown. */
static uint64_t waited_ns(void)
{
	char text[64] = "", *at = text;
	uint64_t ns = 0;
	long fd = sys(SYS_openat, AT_FDCWD, "/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return now_ns();
	sys(SYS_read, fd, text, sizeof(text) - 1);
	sys(SYS_close, fd);
	while (*at && *at++ != ' ')
		;
	if (!*at)
		return now_ns();
	while (*at >= '0' && *at <= '9')
		ns = ns * 10 + (uint64_t)(*at++ - '0');
	return ns;
}

static void note_contention(struct lane *lane, uint64_t now)
{
	struct ferry *ferry = lane->ferry;
	uint64_t until = atomic_load_explicit(&ferry->contended_until_ns, memory_order_relaxed);
	uint64_t span = atomic_load_explicit(&ferry->contended_for_ns, memory_order_relaxed);

	/* All lanes notice, most often. */
	if (now + span / 2 < until)
		return;
	span = now < until + span ? MIN(2 * span, CONTENDED_MAX_NS) : CONTENDED_MIN_NS;
	atomic_store_explicit(&ferry->contended_for_ns, span, memory_order_relaxed);
	atomic_store_explicit(&ferry->contended_until_ns, now + span, memory_order_relaxed);
}

/* Not by sched_yield(2): that forfeits a time slice's worth of CPU since 6.18. */
static void yield_cpu(struct lane *lane, uint64_t now)
{
	struct timespec ts = {.tv_nsec = 1};

	sys(SYS_nanosleep, &ts, NULL);
	lane->fresh_since_ns = now_ns();
	if (lane->fresh_since_ns - now > LONG_WAIT_NS)
		note_contention(lane, lane->fresh_since_ns);
}

/*
 * Where others want this CPU, a lane that has run for a while would be preempted soon, perhaps with
 * pages out, and they would wait for as long as it does. So it steps back before the take-out and
 * begins with a fresh time slice.
 */
void cpu_pressure_begin(struct lane *lane)
{
	/* A worker that looked for a CPU was moved, which counts as being preempted. */
	lane->nr_preempted = cpu_pressure_nr_preempted();
	lane->waited_ns = waited_ns();
}

void cpu_pressure_relieve(struct lane *lane)
{
	long preempted = cpu_pressure_nr_preempted();
	uint64_t now = now_ns();

	if (preempted != lane->nr_preempted) {
		uint64_t waited = waited_ns();

		lane->nr_preempted = preempted;
		lane->fresh_since_ns = now;
		crew_unbind(lane->ferry->crew, (unsigned int)(lane - lane->ferry->lanes));
		/* The kernel's own threads preempt, too, but not for long. */
		if (waited - lane->waited_ns > LONG_WAIT_NS)
			note_contention(lane, now);
		lane->waited_ns = waited;
	} else if (now < atomic_load_explicit(&lane->ferry->contended_until_ns,
					      memory_order_relaxed) &&
		   now - lane->fresh_since_ns > FRESH_NS) {
		yield_cpu(lane, now);
	}
}
