/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the environment sets for all tests; tests/README.md lists it. */
#ifndef FERRY_TEST_SETTINGS_H
#define FERRY_TEST_SETTINGS_H

#include <stdint.h>
#include <stdlib.h>

/* A test's former name for a setting still works; NULL if it has none. */
static inline uint64_t test_setting(const char *name, const char *former_name, uint64_t otherwise)
{
	const char *text = getenv(name);

	if (!text && former_name)
		text = getenv(former_name);
	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* The seed of a test that draws random numbers. */
static inline uint64_t test_seed(const char *former_name, uint64_t otherwise)
{
	return test_setting("FERRY_TEST_SEED", former_name, otherwise);
}

/* The number of descriptors, or of items, that a random test of an engine submits. */
static inline uint64_t test_descriptors(const char *former_name, uint64_t otherwise)
{
	return test_setting("FERRY_TEST_DESCRIPTORS", former_name, otherwise);
}

/* The duration of each phase that has no natural end, in seconds. */
static inline double test_seconds(double otherwise)
{
	const char *text = getenv("FERRY_TEST_SECONDS");

	return text ? strtod(text, NULL) : otherwise;
}

#endif
