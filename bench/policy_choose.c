// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How long the policy takes to choose a plan, by number of CPUs, and to find and read the profile
 *that the environment names:
 *
 *	PAGEFERRY_PROFILE=FILE build/bench/policy_choose
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "lib/profile/machine_key.h"
#include "lib/profile/profile_cache.h"
#include "policy/choose.h"
#include "policy/profile_text.h"

#define ROUNDS 2000

static double choose_us(unsigned int nr_cpus)
{
	struct choose_decision decision;
	struct profile profile;
	struct choose_question question = {
		.profile = &profile,
		.load = {.nr_cpus = nr_cpus},
		.queues = {.max_gather = 64},
		.run = {.bytes = 64 << 20,
			.folio_bytes = PAGE_BYTES,
			.nr_pieces = 1,
			.reach = PROFILE_REMOTE,
			.exchangeable = true},
		.wishes = {.stall_bound_ns = NS_PER_MS},
	};
	uint64_t begin_ns;

	profile_defaults(&profile, nr_cpus / 8, 8);
	begin_ns = now_ns();
	for (int i = 0; i < ROUNDS; i++)
		policy_choose(&question, &decision);
	return (double)(now_ns() - begin_ns) / 1e3 / ROUNDS;
}

static double parse_us(void)
{
	static char text[PROFILE_TEXT_BYTES];
	struct profile_key key = {"4 CPUs", "6.18", "0.1"};
	struct profile profile;
	uint64_t begin_ns;
	char why[100];
	size_t len;

	profile_defaults(&profile, 4, 8);
	len = profile_format(&profile, &key, text, sizeof(text));
	begin_ns = now_ns();
	for (int i = 0; i < ROUNDS; i++) {
		if (profile_parse(text, len, &profile, &key, why, sizeof(why))) {
			fprintf(stderr, "policy_choose: %s\n", why);
			exit(1);
		}
	}
	return (double)(now_ns() - begin_ns) / 1e3 / ROUNDS;
}

/* As when a context opens: the key of this machine, and the file. */
static double find_us(void)
{
	struct profile_found found;
	struct profile_key here;
	uint64_t begin_ns = now_ns();

	for (int i = 0; i < ROUNDS; i++) {
		machine_key_read(&here, "bench");
		profile_cache_find(NULL, &here, &found);
	}
	return (double)(now_ns() - begin_ns) / 1e3 / ROUNDS;
}

int main(void)
{
	for (unsigned int nr_cpus = 2; nr_cpus <= 128; nr_cpus *= 4)
		printf("choose, %3u CPUs: %6.1f us\n", nr_cpus, choose_us(nr_cpus));
	printf("read a profile:   %6.1f us\n", parse_us());
	printf("find it (%s): %6.1f us\n", PROFILE_VARIABLE, find_us());
	return 0;
}
