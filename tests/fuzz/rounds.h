/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all fuzzers share: random numbers, and rounds.
 *
 *	NAME [--time SECONDS] [--seed SEED [--steps N]]
 *
 * Each round runs in a process of its own. The seed determines it and is printed when it fails;
 * --seed runs that round again.
 */
#ifndef FUZZ_ROUNDS_H
#define FUZZ_ROUNDS_H

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/testlib/random.h"

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	return next_random(&rng->state);
}

static inline unsigned int below(struct rng *rng, unsigned int n)
{
	return (unsigned int)((rng_next(rng) >> 32) * n >> 32);
}

static inline bool one_in(struct rng *rng, unsigned int n)
{
	return below(rng, n) == 0;
}

/* Exit status of a round that this machine cannot run. */
#define ROUND_SKIPPED 77

struct fuzzer {
	const char *name;
	const char *steps; /* what a step is, in the plural */
	unsigned int nr_steps;
	unsigned int hang_s; /* a round that takes longer hangs */
	/* 0, ROUND_SKIPPED, or another exit status after it has printed what is wrong. */
	int (*round)(uint64_t seed, unsigned int nr_steps);
};

/* Runs a round in a process of its own. Its exit status; 1 if it was killed. */
static inline int fuzzer_round(const struct fuzzer *fuzzer, uint64_t seed, unsigned int nr_steps)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(fuzzer->hang_s);
		status = fuzzer->round(seed, nr_steps);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == ROUND_SKIPPED)
		return ROUND_SKIPPED;
	if (WIFSIGNALED(status))
		printf("killed by signal %d (%s)\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? "it hung" : strsignal(WTERMSIG(status)));
	if (status)
		printf("to run it again: %s --seed %" PRIu64 "\n", fuzzer->name, seed);
	return status != 0;
}

static inline int fuzzer_usage(const struct fuzzer *fuzzer)
{
	fprintf(stderr, "usage: %s [--time SECONDS] [--seed SEED [--steps N]]\n", fuzzer->name);
	return 2;
}

static inline int fuzzer_run(const struct fuzzer *fuzzer, int argc, char **argv)
{
	uint64_t end_ns = now_ns() + 10 * NS_PER_SEC, seed = now_ns(), nr_rounds = 0;
	unsigned int nr_steps = fuzzer->nr_steps;
	bool one = false;

	for (int i = 1; i < argc; i += 2) {
		unsigned long long value = i + 1 < argc ? strtoull(argv[i + 1], NULL, 10) : 0;

		if (i + 1 >= argc)
			return fuzzer_usage(fuzzer);
		if (!strcmp(argv[i], "--time")) {
			end_ns = now_ns() + value * NS_PER_SEC;
		} else if (!strcmp(argv[i], "--seed")) {
			seed = value;
			one = true;
		} else if (!strcmp(argv[i], "--steps")) {
			nr_steps = (unsigned int)value;
		} else {
			return fuzzer_usage(fuzzer);
		}
	}
	printf("seed %" PRIu64 "\n", seed);
	do {
		int status = fuzzer_round(fuzzer, seed, nr_steps);

		if (status)
			return status == ROUND_SKIPPED ? 0 : status;
		seed++;
		nr_rounds++;
	} while (!one && now_ns() < end_ns);
	printf("%" PRIu64 " rounds of %u %s: nothing wrong\n", nr_rounds, nr_steps, fuzzer->steps);
	return 0;
}

#endif
