// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "cli/common/common.h"
#include "cli/verify/words.h"

/* The words of a page among which a writer has one; its place differs from page to page. */
static size_t words_per_writer(void)
{
	return PAGE_WORDS / verify_options.nr_writers;
}

static size_t writer_word(unsigned int writer, uint32_t page)
{
	return page * PAGE_WORDS + writer * words_per_writer() + page * 7UL % words_per_writer();
}

static bool word_has_writer(size_t index, unsigned int *writer)
{
	uint32_t page = (uint32_t)(index / PAGE_WORDS);

	*writer = (unsigned int)(index % PAGE_WORDS / words_per_writer());
	return *writer < verify_options.nr_writers && index == writer_word(*writer, page);
}

/* Contains writer and page, so that a page at the wrong address is found too. */
static uint64_t counter_word(unsigned int writer, uint32_t page, uint32_t counter)
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
			words[writer_word(w, page)] = counter_word(w, page, 0);
	}
}

void words_close(struct verify *verify)
{
	for (unsigned int w = 0; w < WRITERS_MAX; w++) {
		free(verify->counters[w]);
		verify->counters[w] = NULL;
	}
}

static bool counter_is_right(const struct verify *verify, uint32_t *const *floors,
			     unsigned int writer, uint32_t page, uint64_t found, uint64_t *expected)
{
	uint32_t least = floors ? floors[writer][page] : verify->counters[writer][page];

	*expected = counter_word(writer, page, least);
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

		/* The look-up is slow; a word with the pattern needs none. */
		if (!right && word_has_writer(i, &writer))
			right = counter_is_right(verify, floors, writer, (uint32_t)(i / PAGE_WORDS),
						 found, &expected);
		if (right)
			continue;
		*bad = (struct mismatch){(const uint64_t *)&words[i], expected, found};
		return false;
	}
	return true;
}

static bool writer_check_cacheline(struct actor *actor, size_t index)
{
	const struct verify *verify = actor->verify;
	const volatile uint64_t *words = (const volatile uint64_t *)verify->area.base;
	size_t line = ALIGN_DOWN(index, CACHELINE / sizeof(uint64_t));

	for (size_t i = line; i < line + CACHELINE / sizeof(uint64_t); i++) {
		uint64_t found = words[i];
		struct mismatch bad = {(const uint64_t *)&words[i], area_word(verify->seed, i),
				       found};
		unsigned int writer;

		if (found == bad.expected || word_has_writer(i, &writer))
			continue;
		verify_fail(actor->verify, &bad, "a byte changed that no thread writes");
		return false;
	}
	return true;
}

#define UPDATES_PER_STEP 1000

bool writer_step(struct actor *actor)
{
	struct verify *verify = actor->verify;
	uint32_t *counters = verify->counters[actor->index];

	for (unsigned int i = 0; i < UPDATES_PER_STEP; i++) {
		uint64_t random = random_next(&actor->random);
		uint32_t page = (uint32_t)(random % verify->nr_main_pages);
		size_t index = writer_word(actor->index, page);
		_Atomic uint64_t *word = (_Atomic uint64_t *)verify->area.base + index;
		uint64_t expected = counter_word(actor->index, page, counters[page]);
		uint64_t found;

		/* Half of the updates are one locked instruction, the others load and store. */
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
		if (!(random >> 32 & 15) && !writer_check_cacheline(actor, index))
			return false;
	}
	verify_count(verify, TALLY_UPDATES, UPDATES_PER_STEP);
	return true;
}
