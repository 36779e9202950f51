// SPDX-License-Identifier: LGPL-2.1-or-later
/* Races of copy kernels whose times the tests invent. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "copy/choice.h"
#include "tests/testlib/random.h"

#define NR_RUNNERS 12
#define MIB        (1U << 20)
#define NR_TURNS   (NR_RUNNERS * RACE_HEATS + RACE_FINALISTS * RACE_FINALS)

static const struct copy_kernel kernels[NR_RUNNERS];
static const struct copy_kernel *runners[NR_RUNNERS];
static struct copy_race race;

static void race_begin(void)
{
	for (unsigned int i = 0; i < NR_RUNNERS; i++)
		runners[i] = &kernels[i];
	copy_race_init(&race, runners, NR_RUNNERS);
}

/* One piece, with a kernel that takes that long for it. False: it was not measured. */
static bool run_piece(uint64_t (*ns_of)(unsigned int runner))
{
	struct copy_turn turn = copy_race_turn(&race, MIB);

	if (turn.slot >= 0)
		copy_race_note(&race, &turn, MIB, ns_of((unsigned int)(turn.kernel - kernels)));
	return turn.slot >= 0;
}

/* Returns the winner's place; the race must take no more turns than it says. */
static unsigned int run_race(uint64_t (*ns_of)(unsigned int runner))
{
	unsigned int nr = 0;

	race_begin();
	while (run_piece(ns_of))
		cr_assert_leq(++nr, NR_TURNS);
	cr_assert_eq(nr, NR_TURNS);
	cr_assert_not_null(race.winner);
	cr_assert_eq(copy_race_turn(&race, MIB).kernel, race.winner);
	return (unsigned int)(race.winner - kernels);
}

static uint64_t seventh_is_fastest(unsigned int runner)
{
	return runner == 7 ? 100000 : 150000 + 1000 * runner;
}

Test(race, the_fastest_wins)
{
	cr_assert_eq(run_race(seventh_is_fastest), 7);
	cr_assert_eq(race.ns_per_mib, 100000);
}

static uint64_t last_is_slightly_faster(unsigned int runner)
{
	return runner == NR_RUNNERS - 1 ? 98000 : 100000 + 100 * runner;
}

Test(race, the_default_stays_unless_another_wins_clearly)
{
	cr_assert_eq(run_race(last_is_slightly_faster), 0);
}

/* The fastest is interrupted in each of its heats but one. */
static uint64_t interrupted_in_heats(unsigned int runner)
{
	static unsigned int nr_turns;
	uint64_t ns = runner == 9 ? 50000 : 100000 + 1000 * runner;

	return runner == 9 && nr_turns++ < RACE_HEATS && nr_turns > 1 ? ns * 10 : ns;
}

Test(race, one_good_heat_is_enough_for_the_finals)
{
	cr_assert_eq(run_race(interrupted_in_heats), 9);
}

/* A piece in 9 takes ten times as long, one in 11 lay in a cache and takes a tenth. */
static uint64_t noisy_times(unsigned int runner)
{
	static uint64_t random = 1;
	uint64_t ns = runner == 4 ? 80000 : 100000 + 2000 * runner, roll = next_random(&random);

	if (!(roll % 9))
		return ns * 10;
	return roll % 11 ? ns : ns / 10;
}

Test(race, noise_hardly_ever_decides)
{
	unsigned int nr_right = 0;

	for (unsigned int i = 0; i < 100; i++)
		nr_right += run_race(noisy_times) == 4;
	cr_assert_geq(nr_right, 75, "%u of 100", nr_right);
}

Test(race, a_turn_that_is_never_noted_leaves_the_default)
{
	race_begin();
	copy_race_turn(&race, MIB); /* of a thread that a fork left behind */
	for (unsigned int i = 0; i < 2 * NR_TURNS; i++)
		run_piece(seventh_is_fastest);
	cr_assert_null(race.winner);
	cr_assert_eq(copy_race_turn(&race, MIB).kernel, &kernels[0]);
	cr_assert_lt(copy_race_turn(&race, MIB).slot, 0);
}

Test(race, short_copies_do_not_count)
{
	race_begin();
	for (unsigned int i = 0; i < 3; i++) {
		struct copy_turn turn = copy_race_turn(&race, RACE_MIN_BYTES - 1);

		cr_assert_eq(turn.kernel, &kernels[0]);
		cr_assert_lt(turn.slot, 0);
	}
	cr_assert(run_piece(seventh_is_fastest));
}

Test(race, a_single_runner_has_won)
{
	race_begin();
	copy_race_init(&race, runners, 1);
	cr_assert_eq(race.winner, &kernels[0]);
	cr_assert_lt(copy_race_turn(&race, MIB).slot, 0);
}

#define NR_THREADS 4
#define NR_ROUNDS  2000

static atomic_uint nr_handed_out[NR_TURNS];
static pthread_barrier_t start_line;

static void *race_main(void *arg)
{
	(void)arg;
	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		if (pthread_barrier_wait(&start_line) == PTHREAD_BARRIER_SERIAL_THREAD)
			race_begin();
		pthread_barrier_wait(&start_line);
		while (!atomic_load(&race.winner)) {
			struct copy_turn turn = copy_race_turn(&race, MIB);

			if (turn.slot < 0)
				continue;
			atomic_fetch_add(&nr_handed_out[turn.slot], 1);
			copy_race_note(&race, &turn, MIB,
				       seventh_is_fastest((unsigned int)(turn.kernel - kernels)));
		}
		pthread_barrier_wait(&start_line);
		cr_assert_eq(race.winner, &kernels[7]);
	}
	return NULL;
}

Test(race, threads_share_it_and_each_turn_is_one_threads)
{
	pthread_t threads[NR_THREADS];

	pthread_barrier_init(&start_line, NULL, NR_THREADS);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		cr_assert(!pthread_create(&threads[i], NULL, race_main, NULL));
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < NR_TURNS; i++)
		cr_assert_eq(nr_handed_out[i], NR_ROUNDS, "turn %u", i);
}

static unsigned int nr_reported;
static struct copy_kind reported;

static void note_report(void *arg, const struct copy_kind *kind, const struct copy_kernel *kernel,
			uint32_t ns_per_mib)
{
	(void)arg;
	cr_assert(kernel->vault_safe && kernel->usable());
	cr_assert_gt(ns_per_mib, 0);
	reported = *kind;
	nr_reported++;
}

Test(race, each_kind_of_copy_has_its_own)
{
	struct copy_choice *choice = copy_choice_get();
	const struct copy_kind kind = {.size = COPY_64K, .with_others = true, .other_node = true};
	struct copy_race *kinds_race;
	struct copy_turn turn;

	if (!choice)
		cr_skip("no races in this build or under this emulator");
	cr_assert_eq(copy_choice_get(), choice, "one per process");
	kinds_race = copy_choice_race(choice, &kind);
	copy_choice_report(choice, note_report, NULL);
	cr_assert_eq(nr_reported, 0);
	while (turn = copy_race_turn(kinds_race, MIB), turn.slot >= 0) {
		cr_assert(turn.kernel->vault_safe && turn.kernel->usable(), "%s",
			  turn.kernel->name);
		copy_race_note(kinds_race, &turn, MIB, 1000);
	}
	cr_assert_eq(turn.kernel, copy_kernel_best(HUGE_BYTES, 1), "all alike: the default");
	copy_choice_report(choice, note_report, NULL);
	cr_assert_eq(nr_reported, 1);
	cr_assert(reported.size == COPY_64K && reported.with_others && reported.other_node);
}
