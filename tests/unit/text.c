// SPDX-License-Identifier: LGPL-2.1-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "base/text.h"

Test(text, adds_words_and_numbers)
{
	char text[32] = "/proc/";

	cr_assert(text_add_number(text, sizeof(text), 0));
	cr_assert(text_add(text, sizeof(text), "/x"));
	cr_assert_str_eq(text, "/proc/0/x");
	text[0] = '\0';
	cr_assert(text_add_number(text, sizeof(text), UINT64_MAX));
	cr_assert_str_eq(text, "18446744073709551615");
}

Test(text, says_what_did_not_fit)
{
	char text[8] = "abc", after[8] = "guard";

	cr_assert(text_add(text, 7, "def"));
	cr_assert_not(text_add(text, 7, "g"));
	cr_assert_str_eq(text, "abcdef");
	strcpy(text, "ab");
	cr_assert_not(text_add_number(text, 5, 1234));
	cr_assert_str_eq(text, "ab12");
	cr_assert_str_eq(after, "guard");
}

Test(text, reads_numbers_one_after_the_other)
{
	const char *at = "12-345x";

	cr_assert_eq(text_read_number(&at), 12);
	cr_assert_eq(*at++, '-');
	cr_assert_eq(text_read_number(&at), 345);
	cr_assert_eq(text_read_number(&at), 0);
	cr_assert_eq(*at, 'x');
}

Test(text, skips_blanks_before_a_number)
{
	cr_assert_eq(text_number("  \t 77 kB"), 77);
	cr_assert_eq(text_number("8"), 8);
	cr_assert_eq(text_number(" max"), 0);
}
