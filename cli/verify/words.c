// SPDX-License-Identifier: LGPL-2.1-or-later
/* Counters that only one writer raises, among words that nobody changes. */
#include <stdlib.h>

#include "cli/common/common.h"
#include "cli/verify/internal.h"

/* A writer's share of a page; its word lies at another place in each page. */
static size_t share_words(void)
{
	return PAGE_WORDS / verify_options.nr_writers;
}

size_t word_index(const struct verify *verify, unsigned int writer, uint32_t page)
{
	(void)verify;
	return page * PAGE_WORDS + writer * share_words() + page * 7UL % share_words();
}

bool word_owned(const struct verify *verify, size_t index, unsigned int *writer)
{
	uint32_t page = (uint32_t)(index / PAGE_WORDS);

	*writer = (unsigned int)(index % PAGE_WORDS / share_words());
	return *writer < verify_options.nr_writers && index == word_index(verify, *writer, page);
}

/* Says whose it is and where it belongs, so that a page in the wrong place shows too. */
uint64_t word_of_writer(unsigned int writer, uint32_t page, uint32_t counter)
{
	return (uint64_t)(writer + 1) << 56 | (uint64_t)(page & 0xffffff) << 32 | counter;
}

void words_open(struct verify *verify)
{
	volatile uint64_t *words = (volatile uint64_t *)verify->area.base;

	area_fill(&verify->area, verify->seed);
	for (unsigned int w = 0; w < verify_options.nr_writers; w++) {
		verify->counters[w] = cli_alloc(verify->nr_main_pages, sizeof(uint32_t));
		for (uint32_t page = 0; page < verify->nr_main_pages; page++)
			words[word_index(verify, w, page)] = word_of_writer(w, page, 0);
	}
}

void words_close(struct verify *verify)
{
	for (unsigned int w = 0; w < WRITERS_MAX; w++) {
		free(verify->counters[w]);
		verify->counters[w] = NULL;
	}
}

static bool counter_right(const struct verify *verify, uint32_t *const *floors, unsigned int writer,
			  uint32_t page, uint64_t found, uint64_t *expected)
{
	uint32_t least = floors ? floors[writer][page] : verify->counters[writer][page];

	*expected = word_of_writer(writer, page, least);
	if (found == *expected)
		return true;
	return floors && found > *expected && found >> 32 == *expected >> 32;
}

bool words_check(const struct verify *verify, uint32_t *const *floors, struct mismatch *bad)
{
	const volatile uint64_t *words = (const volatile uint64_t *)verify->area.base;

	for (size_t i = 0; i < verify->nr_main_pages * PAGE_WORDS; i++) {
		uint64_t found = words[i], expected = area_word(verify->seed, i);
		unsigned int writer;
		bool right = found == expected;

		/* Only a word that isn't the pattern can be a counter: the look-up is slow. */
		if (!right && word_owned(verify, i, &writer))
			right = counter_right(verify, floors, writer, (uint32_t)(i / PAGE_WORDS),
					      found, &expected);
		if (right)
			continue;
		*bad = (struct mismatch){(const uint64_t *)&words[i], expected, found};
		return false;
	}
	return true;
}

static bool check_neighbours(struct actor *actor, size_t index)
{
	const struct verify *verify = actor->verify;
	const volatile uint64_t *words = (const volatile uint64_t *)verify->area.base;
	size_t line = ALIGN_DOWN(index, CACHELINE / sizeof(uint64_t));

	for (size_t i = line; i < line + CACHELINE / sizeof(uint64_t); i++) {
		uint64_t found = words[i];
		struct mismatch bad = {(const uint64_t *)&words[i], area_word(verify->seed, i),
				       found};
		unsigned int writer;

		if (found == bad.expected || word_owned(verify, i, &writer))
			continue;
		verify_fail(actor->verify, &bad, "a byte that nobody writes has changed");
		return false;
	}
	return true;
}

/* A thousand updates. Every other one is one locked instruction, the rest load and store. */
bool writer_step(struct actor *actor)
{
	struct verify *verify = actor->verify;
	uint32_t *counters = verify->counters[actor->index];

	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t random = random_next(&actor->random);
		uint32_t page = (uint32_t)(random % verify->nr_main_pages);
		size_t index = word_index(verify, actor->index, page);
		_Atomic uint64_t *word = (_Atomic uint64_t *)verify->area.base + index;
		uint64_t expected = word_of_writer(actor->index, page, counters[page]);
		uint64_t found;

		if (random >> 63) {
			found = atomic_fetch_add(word, 1);
		} else {
			found = atomic_load_explicit(word, memory_order_relaxed);
			atomic_store_explicit(word, expected + 1, memory_order_relaxed);
		}
		if (found != expected) {
			struct mismatch bad = {(const uint64_t *)word, expected, found};

			verify_fail(verify, &bad, "writer %u: an update was lost", actor->index);
			return false;
		}
		__atomic_store_n(&counters[page], counters[page] + 1, __ATOMIC_RELAXED);
		if (!(random >> 32 & 15) && !check_neighbours(actor, index))
			return false;
	}
	verify_count(verify, TALLY_UPDATES, 1000);
	return true;
}
