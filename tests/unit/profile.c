// SPDX-License-Identifier: LGPL-2.1-or-later
/* Profiles: their bounds, and their text, which may be damaged in any way. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/profile_text.h"
#include "tests/testlib/random.h"

static char why[200];

static struct profile profile_new(void)
{
	struct profile profile;

	profile_defaults(&profile, 4, 8);
	return profile;
}

static const struct profile_key key = {"4 CPUs, 1 L3", "6.18.44", "0.1.0"};

Test(profile, defaults_are_within_their_bounds)
{
	for (unsigned int nr = 0; nr <= 1024; nr += 64) {
		struct profile profile;

		profile_defaults(&profile, nr, nr / 2);
		cr_assert_eq(profile_check(&profile, why, sizeof(why)), 0, "%s", why);
	}
}

Test(profile, a_number_outside_its_bounds_is_named)
{
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
		struct profile profile = profile_new();
		struct profile_field field;

		profile_field(at, &field);
		cr_assert_lt(field.min, field.max, "%s", field.name);
		for (int i = 0; i < 4; i++) {
			double wrong[] = {field.min - 1, field.max * 1.01, NAN, INFINITY};

			profile_set(&profile, at, wrong[i]);
			cr_assert_eq(profile_check(&profile, why, sizeof(why)), -ERANGE);
			cr_assert(strstr(why, field.name), "%s", why);
		}
	}
}

Test(profile, each_number_has_a_name_of_its_own)
{
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++) {
		struct profile_field field;

		profile_field(at, &field);
		cr_assert_eq(profile_find(field.name, strlen(field.name)), at, "%s", field.name);
	}
	cr_assert_eq(profile_find("nothing", 7), PROFILE_NR_FIELDS);
	cr_assert_eq(profile_find("plan_ns", 6), PROFILE_NR_FIELDS, "a part of a name");
}

Test(profile, the_table_of_names_fits_the_struct)
{
	struct profile profile = profile_new();

	profile.cost[PROFILE_DSA][PROFILE_REMOTE][PROFILE_2M].ns_per_byte = 1.5;
	profile.device[PROFILE_DEVICE_SDXI].depth = 77;
	profile.flush_ns[4] = 4321;
	profile.limit[PROFILE_FAR] = 7.5;
	profile.move_folio_ns[PROFILE_64K] = 99;
	profile.slice_ns = 12345;
#define VALUE(name) profile_get(&profile, profile_find(name, strlen(name)))
	cr_assert_eq(VALUE("dsa.remote.2m.ns_per_byte"), 1.5);
	cr_assert_eq(VALUE("sdxi_device.depth"), 77);
	cr_assert_eq(VALUE("flush_ns.8"), 4321);
	cr_assert_eq(VALUE("limit.far"), 7.5);
	cr_assert_eq(VALUE("move_folio_ns.64k"), 99);
	cr_assert_eq(VALUE("slice_ns"), 12345);
#undef VALUE
}

Test(profile, a_flush_is_interpolated)
{
	struct profile profile = profile_new();

	for (unsigned int step = 0; step < PROFILE_FLUSH_STEPS; step++)
		profile.flush_ns[step] = 100 * (step ? 1U << (step - 1) : 0);
	cr_assert_float_eq(profile_flush_ns(&profile, 0), 0, 1e-9);
	cr_assert_float_eq(profile_flush_ns(&profile, 3), 300, 1e-9);
	cr_assert_float_eq(profile_flush_ns(&profile, 96), 9600, 1e-9);
	cr_assert_float_eq(profile_flush_ns(&profile, 511), 51100, 1e-9);
}

Test(profile, classes_of_distance_and_size)
{
	cr_assert_eq(profile_reach_of(10, true), PROFILE_SAME);
	cr_assert_eq(profile_reach_of(12, true), PROFILE_NEAR);
	cr_assert_eq(profile_reach_of(21, true), PROFILE_REMOTE);
	cr_assert_eq(profile_reach_of(14, false), PROFILE_FAR);
	for (int size = 0; size < PROFILE_NR_SIZES; size++)
		cr_assert_eq(profile_size_of(profile_size_bytes((enum profile_size)size)),
			     (enum profile_size)size);
}

static char *text_new(size_t *len)
{
	struct profile profile = profile_new();
	char *text = malloc(PROFILE_TEXT_BYTES);

	*len = profile_format(&profile, &key, text, PROFILE_TEXT_BYTES);
	cr_assert_gt(*len, 0);
	return text;
}

Test(profile, text_and_back)
{
	struct profile profile, before = profile_new();
	struct profile_key got;
	size_t len;
	char *text = text_new(&len);

	cr_assert_eq(profile_parse(text, len, &profile, &got, why, sizeof(why)), 0, "%s", why);
	cr_assert_null(profile_key_differs(&key, &got));
	for (unsigned int at = 0; at < PROFILE_NR_FIELDS; at++)
		cr_assert_float_eq(profile_get(&profile, at), profile_get(&before, at), 1e-6);
	free(text);
}

Test(profile, the_key_says_what_differs)
{
	struct profile_key other = key;

	strcpy(other.library, "0.2.0");
	cr_assert_str_eq(profile_key_differs(&key, &other), "library");
	strcpy(other.kernel, "6.1");
	cr_assert_str_eq(profile_key_differs(&key, &other), "kernel");
	strcpy(other.topology, "");
	cr_assert_str_eq(profile_key_differs(&key, &other), "topology");
}

static int text_parse(const char *text)
{
	struct profile profile;
	struct profile_key got;

	return profile_parse(text, strlen(text), &profile, &got, why, sizeof(why));
}

Test(profile, a_message_names_line_and_fault)
{
	size_t len;
	char *text = text_new(&len), *more = malloc(len + 100), *at;

	text[len] = '\0';
	cr_assert_eq(text_parse(""), -EINVAL);
	cr_assert_eq(text_parse("{\"schema\": 1}\n"), -EINVAL);
	cr_assert(strstr(why, "line 1"), "%s", why);

	sprintf(more, "%splan_ns 1\n", text);
	cr_assert_eq(text_parse(more), -EINVAL);
	cr_assert(strstr(why, "twice"), "%s", why);

	sprintf(more, "%snothing 1\n", text);
	cr_assert_eq(text_parse(more), -EINVAL);
	cr_assert(strstr(why, "no number has this name"), "%s", why);

	strcpy(more, text);
	at = strstr(more, "plan_ns ");
	at[8] = '-';
	cr_assert_eq(text_parse(more), -EINVAL);
	cr_assert(strstr(why, "a number such as"), "%s", why);

	strcpy(more, text);
	at = strstr(more, "fill 0");
	at[5] = '2';
	cr_assert_eq(text_parse(more), -ERANGE);
	cr_assert(strstr(why, "fill is 2"), "%s", why);

	*strstr(text, "wake_ns") = '\0';
	cr_assert_eq(text_parse(text), -EINVAL);
	cr_assert(strstr(why, "missing"), "%s", why);
	free(text);
	free(more);
}

/* Whatever happens to the text, what is accepted is within the bounds; the rest changes nothing. */
Test(profile, damaged_text_is_refused_or_harmless)
{
	uint64_t random = 7;
	size_t len;
	char *text = text_new(&len);
	int nr_refused = 0;

	for (int round = 0; round < 3000; round++) {
		char *copy = malloc(len);
		struct profile profile = profile_new(), before = profile;
		struct profile_key got = key;
		size_t new_len = len;

		memcpy(copy, text, len);
		for (uint64_t i = 0, nr = 1 + next_random(&random) % 4; i < nr; i++)
			copy[next_random(&random) % len] =
				next_random(&random) & 1 ? "0.9 \n"[next_random(&random) % 5]
							 : (char)next_random(&random);
		if (!(next_random(&random) % 4))
			new_len = next_random(&random) % len;
		/* At its exact length: a sanitizer sees a read behind the end. */
		copy = realloc(copy, new_len + !new_len);
		if (profile_parse(copy, new_len, &profile, &got, why, sizeof(why))) {
			nr_refused++;
			cr_assert_eq(memcmp(&profile, &before, sizeof(profile)), 0);
			cr_assert_eq(memcmp(&got, &key, sizeof(key)), 0);
		} else {
			cr_assert_eq(profile_check(&profile, why, sizeof(why)), 0, "%s", why);
		}
		free(copy);
	}
	cr_assert_gt(nr_refused, 1000);
	free(text);
}
