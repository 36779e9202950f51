// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/resource.h>

#include "base/clock.h"
#include "cli/measure/measure.h"

void rounds_begin(struct rounds *rounds, const struct round_options *options, uint64_t nr_rows)
{
	*rounds = (struct rounds){.options = options, .nr_rows = nr_rows, .begin_ns = now_ns()};
}

bool rounds_next(struct rounds *rounds)
{
	const struct round_options *options = rounds->options;
	uint64_t nr = rounds->nr_done++;

	if (nr == options->warmup)
		rounds->start_ns = now_ns();
	if (options->max_time_ns && nr > options->warmup &&
	    now_ns() - rounds->begin_ns >= options->max_time_ns)
		return false;
	if (nr < options->warmup + options->min_rounds)
		return true;
	return now_ns() - rounds->start_ns < options->min_time_ns * rounds->nr_rows;
}

bool rounds_counted(const struct rounds *rounds)
{
	return rounds->nr_done > rounds->options->warmup;
}

struct usage usage_now(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (struct usage){
		.cpu_s = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
			 (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6,
		.nr_faults = (uint64_t)ru.ru_minflt + (uint64_t)ru.ru_majflt,
	};
}
