// SPDX-License-Identifier: LGPL-2.1-or-later
#include "copy/race.h"

/* Another kernel replaces the default only if it takes at most this much of its time. */
#define CLEAR_WIN_PERMILLE 970

void copy_race_init(struct copy_race *race, const struct copy_kernel *const *runners,
		    unsigned int nr_runners)
{
	*race = (struct copy_race){.nr_runners = nr_runners};
	for (unsigned int i = 0; i < nr_runners; i++)
		race->runners[i] = runners[i];
	if (nr_runners == 1)
		atomic_store(&race->winner, runners[0]);
}

static unsigned int race_nr_heat_turns(const struct copy_race *race)
{
	return race->nr_runners * RACE_HEATS;
}

static unsigned int race_nr_turns(const struct copy_race *race)
{
	return race_nr_heat_turns(race) + race->nr_finalists * RACE_FINALS;
}

/* A runner's heats may meet noise, so the better one counts. */
static uint32_t race_heat_ns(const struct copy_race *race, unsigned int runner)
{
	uint32_t best = UINT32_MAX;

	for (unsigned int heat = 0; heat < RACE_HEATS; heat++)
		best = MIN(best,
			   atomic_load_explicit(&race->heat_ns[heat * race->nr_runners + runner],
						memory_order_relaxed));
	return best;
}

static bool race_is_finalist(const struct copy_race *race, unsigned int runner)
{
	for (unsigned int i = 0; i < race->nr_finalists; i++)
		if (race->finalists[i] == runner)
			return true;
	return false;
}

/* The default and the best others, by rank: one lucky piece must not keep all others out. */
static void race_choose_finalists(struct copy_race *race)
{
	race->finalists[race->nr_finalists++] = 0;
	while (race->nr_finalists < MIN(race->nr_runners, (unsigned int)RACE_FINALISTS)) {
		unsigned int best = race->nr_runners;

		for (unsigned int i = 0; i < race->nr_runners; i++) {
			if (race_is_finalist(race, i))
				continue;
			if (best == race->nr_runners ||
			    race_heat_ns(race, i) < race_heat_ns(race, best))
				best = i;
		}
		race->finalists[race->nr_finalists++] = (uint8_t)best;
	}
	atomic_store_explicit(&race->finals, true, memory_order_release);
}

static uint32_t race_final_ns(const struct copy_race *race, unsigned int finalist,
			      unsigned int final)
{
	return atomic_load_explicit(&race->final_ns[final * race->nr_finalists + finalist],
				    memory_order_relaxed);
}

/* Pieces that a cache held, or that were interrupted, do not count. */
static uint64_t median(uint64_t values[RACE_FINALS])
{
	for (unsigned int i = 1; i < RACE_FINALS; i++) {
		uint64_t value = values[i];
		unsigned int at = i;

		for (; at && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
	return values[RACE_FINALS / 2];
}

/* Against the default's time in the same final, because what slows memory down lasts longer. */
static uint64_t race_permille(const struct copy_race *race, unsigned int finalist)
{
	uint64_t ratios[RACE_FINALS];

	for (unsigned int i = 0; i < RACE_FINALS; i++)
		ratios[i] = 1000ULL * race_final_ns(race, finalist, i) /
			    MAX(race_final_ns(race, 0, i), 1U);
	return median(ratios);
}

static void race_end(struct copy_race *race)
{
	uint64_t best_permille = CLEAR_WIN_PERMILLE, times[RACE_FINALS];
	unsigned int best = 0;

	for (unsigned int i = 1; i < race->nr_finalists; i++) {
		uint64_t permille = race_permille(race, i);

		if (permille < best_permille) {
			best = i;
			best_permille = permille;
		}
	}
	for (unsigned int i = 0; i < RACE_FINALS; i++)
		times[i] = race_final_ns(race, best, i);
	atomic_store_explicit(&race->ns_per_mib, (uint32_t)median(times), memory_order_relaxed);
	atomic_store_explicit(&race->winner, race->runners[race->finalists[best]],
			      memory_order_release);
}

struct copy_turn copy_race_turn(struct copy_race *race, size_t len_bytes)
{
	const struct copy_kernel *winner =
		atomic_load_explicit(&race->winner, memory_order_acquire);
	unsigned int nr_heat_turns = race_nr_heat_turns(race), nr_turns, slot;
	bool finals;

	if (winner)
		return (struct copy_turn){winner, -1};
	finals = atomic_load_explicit(&race->finals, memory_order_acquire);
	nr_turns = finals ? race_nr_turns(race) : nr_heat_turns;
	slot = atomic_load_explicit(&race->nr_turns, memory_order_relaxed);
	/* Another thread may take the slot: then the default copies this piece. */
	if (len_bytes < RACE_MIN_BYTES || slot >= nr_turns ||
	    !atomic_compare_exchange_strong_explicit(&race->nr_turns, &slot, slot + 1,
						     memory_order_relaxed, memory_order_relaxed))
		return (struct copy_turn){race->runners[0], -1};
	if (slot < nr_heat_turns)
		return (struct copy_turn){race->runners[slot % race->nr_runners], (int)slot};
	return (struct copy_turn){
		race->runners[race->finalists[(slot - nr_heat_turns) % race->nr_finalists]],
		(int)slot};
}

void copy_race_note(struct copy_race *race, const struct copy_turn *turn, size_t len_bytes,
		    uint64_t ns)
{
	unsigned int slot = (unsigned int)turn->slot, nr_heat_turns = race_nr_heat_turns(race);
	uint64_t ns_per_mib = (ns << 20) / len_bytes;
	uint32_t value = (uint32_t)MIN(ns_per_mib, (uint64_t)UINT32_MAX);
	unsigned int nr_noted;

	if (slot < nr_heat_turns)
		atomic_store_explicit(&race->heat_ns[slot], value, memory_order_relaxed);
	else
		atomic_store_explicit(&race->final_ns[slot - nr_heat_turns], value,
				      memory_order_relaxed);
	/* Who notes the last turn of a part sees the times of all others. */
	nr_noted = atomic_fetch_add_explicit(&race->nr_noted, 1, memory_order_acq_rel) + 1;
	if (nr_noted == nr_heat_turns)
		race_choose_finalists(race);
	else if (nr_noted > nr_heat_turns && nr_noted == race_nr_turns(race))
		race_end(race);
}
