// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/resource.h>

#include "base/clock.h"
#include "base/sys.h"
#include "lib/lane.h"

/* Less than the scheduler's time slice, more than a chunk takes. */
#define FRESH_NS (1 * NS_PER_MS)

/* CPUs are short, as far as the last second knows. */
#define CONTENDED_NS (1 * NS_PER_SEC)

/* Nobody gives the CPU back so late unless somebody else has used it. */
#define LONG_YIELD_NS (500 * NS_PER_US)

long times_preempted(void)
{
	struct rusage usage;

	return sys(SYS_getrusage, RUSAGE_THREAD, &usage) ? 0 : usage.ru_nivcsw;
}

static void note_contention(struct lane *lane, uint64_t now)
{
	atomic_store_explicit(&lane->ferry->contended_until_ns, now + CONTENDED_NS,
			      memory_order_relaxed);
}

/* Not by sched_yield(2): that forfeits a time slice's worth of CPU since 6.18. */
static void yield_cpu(struct lane *lane, uint64_t now)
{
	struct timespec ts = {.tv_nsec = 1};

	sys(SYS_nanosleep, &ts, NULL);
	lane->fresh_since_ns = now_ns();
	if (lane->fresh_since_ns - now > LONG_YIELD_NS)
		note_contention(lane, lane->fresh_since_ns);
}

/*
 * Where others want this CPU, a lane that has run for a while would be preempted soon, perhaps with
 * pages out, and they would wait for as long as it does. So it steps back before the take-out and
 * begins with a fresh time slice.
 */
void breathe(struct lane *lane)
{
	long preempted = times_preempted();
	uint64_t now = now_ns();

	if (preempted != lane->nr_preempted) {
		lane->nr_preempted = preempted;
		lane->fresh_since_ns = now;
		note_contention(lane, now);
	} else if (now < atomic_load_explicit(&lane->ferry->contended_until_ns,
					      memory_order_relaxed) &&
		   now - lane->fresh_since_ns > FRESH_NS) {
		yield_cpu(lane, now);
	}
}
