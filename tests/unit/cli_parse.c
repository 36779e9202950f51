// SPDX-License-Identifier: LGPL-2.1-or-later
/* migbench's parsers, included as sources, since migbench has no library to link with. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "cli/args/parse.c"
#include "cli/machine/sysfs.c"

#define KIB 1024ULL

struct number_case {
	char text[32];
	int err;
	uint64_t value;
};

ParameterizedTestParameters(size, accepts_and_refuses)
{
	static struct number_case cases[] = {
		{"4096", 0, 4096},
		{"4k", 0, 4 * KIB},
		{"4K", 0, 4 * KIB},
		{"2M", 0, 2 * KIB * KIB},
		{"1G", 0, KIB * KIB * KIB},
		{"3t", 0, 3 * KIB * KIB * KIB * KIB},
		{"2MiB", 0, 2 * KIB * KIB},
		{"0", 0, 0},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999G", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"k", -EINVAL, 0},
		{"-4k", -EINVAL, 0},
		{"+4k", -EINVAL, 0},
		{" 4k", -EINVAL, 0},
		{"4 k", -EINVAL, 0},
		{"4kB", -EINVAL, 0},
		{"4kk", -EINVAL, 0},
		{"4.5k", -EINVAL, 0},
		{"0x1000", -EINVAL, 0},
		{"4x", -EINVAL, 0},
	};

	return cr_make_param_array(struct number_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct number_case *c, size, accepts_and_refuses)
{
	uint64_t value = 12345;

	cr_assert_eq(parse_size(c->text, &value), c->err, "'%s'", c->text);
	cr_assert_eq(value, c->err ? 12345 : c->value, "'%s'", c->text);
}

Test(size, text_is_what_the_parser_reads)
{
	const uint64_t sizes[] = {0,          1,          1023,      KIB,
				  1536,       64 * KIB,   KIB * KIB, 3 * KIB * KIB,
				  1ULL << 40, 5ULL << 50, UINT64_MAX};
	char buf[SIZE_TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t value;

		cr_assert_eq(parse_size(size_text(sizes[i], buf), &value), 0, "%s", buf);
		cr_assert_eq(value, sizes[i], "%s", buf);
	}
	cr_assert_str_eq(size_text(2 * KIB * KIB, buf), "2M");
	cr_assert_str_eq(size_text(65536, buf), "64K");
	cr_assert_str_eq(size_text(4097, buf), "4097");
}

ParameterizedTestParameters(duration, accepts_and_refuses)
{
	static struct number_case cases[] = {
		{"2", 0, 2000000000},    {"2s", 0, 2000000000}, {"1.5", 0, 1500000000},
		{"500ms", 0, 500000000}, {"20us", 0, 20000},    {"7ns", 0, 7},
		{"3m", 0, 180000000000}, {"0", 0, 0},           {"", -EINVAL, 0},
		{"s", -EINVAL, 0},       {"-1s", -EINVAL, 0},   {"1h", -EINVAL, 0},
		{"1 s", -EINVAL, 0},     {"inf", -EINVAL, 0},   {"nan", -EINVAL, 0},
		{"1e3", -EINVAL, 0},     {"0x2", -EINVAL, 0},   {"99999999999999s", -ERANGE, 0},
	};

	return cr_make_param_array(struct number_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct number_case *c, duration, accepts_and_refuses)
{
	uint64_t value = 12345;

	cr_assert_eq(parse_time_ns(c->text, &value), c->err, "'%s'", c->text);
	cr_assert_eq(value, c->err ? 12345 : c->value, "'%s'", c->text);
}

static void expect_uints(const char *text, unsigned int nr, const uint64_t *expected)
{
	struct uint_list list;

	cr_assert_eq(parse_uints(text, &list), 0, "%s", text);
	cr_assert_eq(list.nr, nr, "%s", text);
	for (unsigned int i = 0; i < nr; i++)
		cr_assert_eq(list.v[i], expected[i], "%s", text);
}

Test(lists, numbers_and_ranges)
{
	expect_uints("1,2,4", 3, (uint64_t[]){1, 2, 4});
	expect_uints("1-4,8", 5, (uint64_t[]){1, 2, 3, 4, 8});
	expect_uints("7-7", 1, (uint64_t[]){7});
	expect_uints("18446744073709551615", 1, (uint64_t[]){UINT64_MAX});
}

Test(lists, bad_numbers_leave_the_list_alone)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{"", -EINVAL},
		{"1,", -EINVAL},
		{",1", -EINVAL},
		{"1,,2", -EINVAL},
		{"4-1", -EINVAL},
		{"1-", -EINVAL},
		{"-1", -EINVAL},
		{"1 2", -EINVAL},
		{"1-2-3", -EINVAL},
		{"1-100", -E2BIG},
		{"1-64,65", -E2BIG},
		{"0-18446744073709551615", -E2BIG},
		{"18446744073709551616", -ERANGE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct uint_list list = {.nr = 3};

		cr_assert_eq(parse_uints(cases[i].text, &list), cases[i].err, "%s", cases[i].text);
		cr_assert_eq(list.nr, 3);
	}
}

/* The end of the range is the largest number there is: the loop over it must end. */
Test(lists, a_range_to_the_largest_number, .timeout = 5)
{
	expect_uints("18446744073709551614-18446744073709551615", 2,
		     (uint64_t[]){UINT64_MAX - 1, UINT64_MAX});
}

Test(lists, sizes)
{
	struct uint_list list;

	cr_assert_eq(parse_sizes("4k,64k,2M", &list), 0);
	cr_assert_eq(list.nr, 3);
	cr_assert_eq(list.v[2], 2 * KIB * KIB);
	cr_assert_eq(parse_sizes("4k,,2M", &list), -EINVAL);
	cr_assert_eq(parse_sizes("4k,", &list), -EINVAL);
	cr_assert_eq(parse_sizes("111111111111111111111111111111111111111111", &list), -EINVAL);
}

Test(lists, words)
{
	char good[] = "kernel,exchange", empty[] = "kernel,,auto", none[] = "";
	struct text_list list;

	cr_assert_eq(parse_texts(good, &list), 0);
	cr_assert_eq(list.nr, 2);
	cr_assert(text_list_has(&list, "exchange"));
	cr_assert_not(text_list_has(&list, "auto"));
	cr_assert_eq(parse_texts(empty, &list), -EINVAL);
	cr_assert_eq(parse_texts(none, &list), -EINVAL);
}

static void sum_up(void *arg, int number)
{
	*(int *)arg += number;
}

Test(sysfs, lists_and_choices)
{
	char word[16];
	int sum = 0;

	sysfs_each("0-3,8", sum_up, &sum);
	cr_assert_eq(sum, 14);
	cr_assert(sysfs_list_has("0-3,8", 8));
	cr_assert_not(sysfs_list_has("0-3,8", 4));
	cr_assert_not(sysfs_list_has("", 0));
	cr_assert_str_eq(sysfs_choice("always [madvise] never", word, sizeof(word)), "madvise");
	cr_assert_str_eq(sysfs_choice("nothing chosen", word, sizeof(word)), "");
	cr_assert_str_eq(sysfs_choice("[broken", word, sizeof(word)), "");
}

Test(sysfs, a_file_that_is_not_there)
{
	char line[16] = "old";
	uint64_t value = 7;

	cr_assert_eq(sysfs_line(line, sizeof(line), "/no/such/%s", "file"), -ENOENT);
	cr_assert_str_eq(line, "");
	cr_assert_eq(sysfs_number(&value, "/no/such/file"), -ENOENT);
	cr_assert_eq(value, 7);
}
