// SPDX-License-Identifier: LGPL-2.1-or-later
/* Page maps against a model of one bool per page. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/bits.h"

struct model {
	struct page_map map;
	bool bits[PAGES_PER_HUGE];
};

static unsigned int model_next(const struct model *m, unsigned int from, unsigned int limit,
			       bool set)
{
	while (from < limit && m->bits[from] != set)
		from++;
	return from < limit ? from : limit;
}

static int model_find_run(const struct model *m, unsigned int nr)
{
	for (unsigned int start = 0; start + nr <= PAGES_PER_HUGE; start++)
		if (model_next(m, start, start + nr, false) == start + nr)
			return (int)start;
	return -1;
}

static void compare(const struct model *m)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < PAGES_PER_HUGE; i++) {
		cr_assert_eq(map_test(&m->map, i), m->bits[i], "bit %u", i);
		count += m->bits[i];
	}
	cr_assert_eq(map_count(&m->map), count);
}

static void change(struct model *m, unsigned int first, unsigned int nr, bool set)
{
	if (set)
		map_set_range(&m->map, first, nr);
	else
		map_clear_range(&m->map, first, nr);
	memset(m->bits + first, set, nr);
}

Test(bits, ranges_like_a_model)
{
	struct model m = {0};

	srand(1);
	for (int round = 0; round < 2000; round++) {
		unsigned int first = (unsigned int)rand() % PAGES_PER_HUGE;
		unsigned int nr = (unsigned int)rand() % (PAGES_PER_HUGE - first + 1);

		if (round % 3)
			nr = nr % 70;
		change(&m, first, nr, rand() & 1);
		compare(&m);
	}
}

Test(bits, whole_and_empty_ranges)
{
	struct model m = {0};

	change(&m, 0, PAGES_PER_HUGE, true);
	compare(&m);
	cr_assert_eq(map_find_run(&m.map, PAGES_PER_HUGE), 0);
	change(&m, 17, 0, false);
	compare(&m);
	change(&m, 0, PAGES_PER_HUGE, false);
	compare(&m);
	cr_assert_eq(map_find_run(&m.map, 1), -1);
}

Test(bits, single_bits)
{
	struct page_map map = {0};

	for (unsigned int i = 0; i < PAGES_PER_HUGE; i += 7)
		map_set(&map, i);
	for (unsigned int i = 0; i < PAGES_PER_HUGE; i++)
		cr_assert_eq(map_test(&map, i), i % 7 == 0);
}

Test(bits, searches_like_a_model)
{
	struct model m = {0};

	srand(2);
	for (int round = 0; round < 400; round++) {
		unsigned int nr = 1 + (unsigned int)rand() % 64;
		unsigned int limit = (unsigned int)rand() % (PAGES_PER_HUGE + 1);

		change(&m, (unsigned int)rand() % (PAGES_PER_HUGE - nr), nr, rand() % 3 == 0);
		for (unsigned int from = 0; from <= limit; from += 5) {
			cr_assert_eq(map_next(&m.map, from, limit, true),
				     model_next(&m, from, limit, true));
			cr_assert_eq(map_next(&m.map, from, limit, false),
				     model_next(&m, from, limit, false));
		}
		cr_assert_eq(map_find_run(&m.map, nr), model_find_run(&m, nr));
	}
}
