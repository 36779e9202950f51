// SPDX-License-Identifier: LGPL-2.1-or-later
/* The parts of migbench report that measure nothing, included as sources. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>

#include "cli/args/parse.c"
#include "cli/common/common.c"
#include "cli/full_report/noise.c"
#include "cli/full_report/plan.c"
#include "cli/page/columns.c"
#include "cli/page/html.c"
#include "cli/page/html_plot.c"
#include "cli/page/html_text.c"
#include "cli/page/markdown.c"
#include "cli/plot/plot.c"
#include "cli/report/table.c"

/* ---- noise ---- */

static enum noise_verdict verdict(double a, double a_mad, double b, double b_mad)
{
	const struct measured x = {a, a_mad, 10}, y = {b, b_mad, 10};

	return noise_compare(&x, &y);
}

Test(noise, a_difference_counts_only_beyond_the_noise)
{
	cr_assert_eq(verdict(5, 1, 5, 1), NOISE_SAME);
	cr_assert_eq(verdict(5, 0, 5, 0), NOISE_SAME);
	cr_assert_eq(verdict(5.1, 0, 5, 0), NOISE_MORE);
	cr_assert_eq(verdict(5, 0, 5.1, 0), NOISE_LESS);
	/* 2 x 1.4826 x sqrt(0.3^2 + 0.4^2) = 1.4826 */
	cr_assert_eq(verdict(6.48, 0.3, 5, 0.4), NOISE_SAME);
	cr_assert_eq(verdict(6.49, 0.3, 5, 0.4), NOISE_MORE);
	cr_assert_eq(verdict(5, 0.4, 6.49, 0.3), NOISE_LESS);
}

Test(noise, few_rounds_say_nothing)
{
	const struct measured many = {9, 0, 10}, few = {5, 0, NOISE_ROUNDS_MIN - 1};

	cr_assert_eq(noise_compare(&many, &few), NOISE_UNKNOWN);
	cr_assert_eq(noise_compare(&few, &many), NOISE_UNKNOWN);
}

/* ---- plan ---- */

Test(plan, the_machine_first_then_folios_in_the_order_given)
{
	const struct uint_list folios = {{2097152, 4096}, 2};
	struct plan plan;

	plan_make(&plan, &folios, 1 << 20, false);
	cr_assert_eq(plan.nr_steps, 6);
	cr_assert_str_eq(plan.steps[0].command, "topo");
	cr_assert_str_eq(plan.steps[1].command, "doctor");
	cr_assert_str_eq(plan.steps[2].command, "move");
	cr_assert_eq(plan.steps[2].folio_bytes, 2097152);
	cr_assert_str_eq(plan.steps[3].command, "copy");
	cr_assert_eq(plan.steps[5].folio_bytes, 4096);
}

Test(plan, all_the_folio_sizes_that_a_list_can_hold)
{
	struct uint_list folios = {.nr = LIST_MAX};
	struct plan plan;

	plan_make(&plan, &folios, 1 << 20, false);
	cr_assert_eq(plan.nr_steps, PLAN_STEPS_MAX);
}

/* If each step takes as long as its rounds and half as much again, the time is enough. */
Test(plan, the_shares_fit_into_the_time)
{
	uint64_t left_ns = plan_measuring_ns(100 * NS_PER_SEC);

	cr_assert_leq(left_ns, 95 * NS_PER_SEC);
	for (unsigned int nr_left = 8; nr_left; nr_left--) {
		uint64_t ns = plan_rounds_ns(left_ns, nr_left) * 3 / 2;

		cr_assert_leq(ns, left_ns);
		cr_assert_gt(ns, NS_PER_SEC);
		left_ns -= ns;
	}
	cr_assert_gt(plan_rounds_ns(0, 1), 0);
}

/* Even if each step is ended, the last one has a share of the time. */
Test(plan, a_step_that_hangs_leaves_time_for_the_others)
{
	uint64_t left_ns = 100 * NS_PER_SEC;

	for (unsigned int nr_left = 8; nr_left > 2; nr_left--)
		left_ns -= plan_limit_ns(left_ns, nr_left);
	cr_assert_gt(left_ns, NS_PER_SEC);
	cr_assert_eq(plan_limit_ns(left_ns, 1), left_ns);
}

Test(plan, what_is_measured_shrinks_to_a_huge_page)
{
	struct plan plan = {.total_bytes = 40 << 20};

	cr_assert(plan_shrink(&plan));
	cr_assert_eq(plan.total_bytes, 10 << 20);
	cr_assert(plan_shrink(&plan));
	cr_assert_eq(plan.total_bytes, 5 << 19);
	cr_assert(plan_shrink(&plan));
	cr_assert_eq(plan.total_bytes, HUGE_BYTES);
	cr_assert_not(plan_shrink(&plan));
	cr_assert_eq(plan.total_bytes, HUGE_BYTES);
}

/* ---- pages ---- */

static const struct column columns[] = {
	{"name", "NAME", COLUMN_TEXT, 0, false},
	{"unused", "UNUSED", COLUMN_COUNT, 0, false},
	{"rate", "GB/s", COLUMN_REAL, 2, false},
};

static struct table make_table(void)
{
	struct table table = {.columns = columns, .nr_columns = ARRAY_SIZE(columns)};

	table_row(&table);
	table_text(&table, 0, "a|b <x> & ±");
	table_spread(&table, 2, 12.345, 0.5);
	table_row(&table);
	table_text(&table, 0, "short");
	return table;
}

static char *written(void (*write)(FILE *to, const struct table *table))
{
	struct table table = make_table();
	char *text = NULL;
	size_t text_bytes;
	FILE *to = open_memstream(&text, &text_bytes);

	setlocale(LC_CTYPE, "C.UTF-8");
	write(to, &table);
	fclose(to);
	table_close(&table);
	return text;
}

static struct page_columns chosen_columns(const struct table *table)
{
	static const char *const keys[] = {"rate", "nonesuch", "unused", "name", NULL};

	return page_columns_of(table, keys);
}

static void write_markdown_table(FILE *to, const struct table *table)
{
	struct page_columns chosen = chosen_columns(table);

	page_markdown.table(to, table, &chosen);
}

static void write_html_table(FILE *to, const struct table *table)
{
	struct page_columns chosen = chosen_columns(table);

	page_html.table(to, table, &chosen);
}

Test(page, columns_in_the_order_of_the_keys_without_unused_ones)
{
	struct table table = make_table();
	struct page_columns chosen = chosen_columns(&table);

	cr_assert_eq(chosen.nr, 2);
	cr_assert_eq(chosen.v[0], 2);
	cr_assert_eq(chosen.v[1], 0);
	table_close(&table);
}

Test(page, markdown_tables_are_aligned_and_escaped)
{
	char *text = written(write_markdown_table);

	cr_assert_str_eq(text,
			 "\n"
			 "|        GB/s | NAME          |\n"
			 "|------------:|---------------|\n"
			 "| 12.35 ±0.50 | a\\|b \\<x> & ± |\n"
			 "|             | short         |\n",
			 "%s", text);
	free(text);
}

Test(page, html_tables_are_escaped)
{
	char *text = written(write_html_table);

	cr_assert(strstr(text, "<td>12.35 ±0.50</td>"), "%s", text);
	cr_assert(strstr(text, "<td class=\"l\">a|b &lt;x&gt; &amp; ±</td>"), "%s", text);
	cr_assert_not(strstr(text, "UNUSED"));
	free(text);
}

static void write_markdown_text(FILE *to, const struct table *table)
{
	(void)table;
	page_markdown.text(to, "word word word word word word word word word word word word word "
			       "word word word word*");
	page_markdown.list_item(to, "term",
				"1234567890 1234567890 1234567890 1234567890 1234567890 "
				"1234567890 1234567890");
}

Test(page, markdown_lines_are_short_enough_for_a_mail)
{
	char *text = written(write_markdown_text);

	cr_assert_str_eq(
		text,
		"\n"
		"word word word word word word word word word word word word word word word\n"
		"word word\\*\n"
		"- term: 1234567890 1234567890 1234567890 1234567890 1234567890 1234567890\n"
		"  1234567890\n",
		"%s", text);
	free(text);
}

static void write_svg(FILE *to, const struct table *table)
{
	char svg[] = "<?xml version=\"1.0\"?>\n<svg width=\"1\">\n<defs>\n<path id='p'/></defs>\n"
		     "<g id=\"plot_1\"><use xlink:href='#p'/><title>t</title></g></svg>\n";

	(void)table;
	html_put_svg(to, svg);
}

Test(page, plots_become_parts_without_names)
{
	char *text = written(write_svg);

	cr_assert_str_eq(text, "<svg width=\"1\">\n\n<g><title>t</title></g></svg>\n", "%s", text);
	free(text);
}
