// SPDX-License-Identifier: LGPL-2.1-or-later
/* ferry_engine_counters(), with engines that have only counters. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/api/contexts.h"
#include "lib/api/fork.h"

static void two_counters(struct engine *engine __maybe_unused, engine_counter_fn fn, void *arg)
{
	fn(arg, "first", 7);
	fn(arg, "second", UINT64_MAX);
}

static const struct engine_ops with_ops = {.counters = two_counters};
static const struct engine_ops without_ops = {.name = "silent"};
static struct engine with = {.ops = &with_ops}, without = {.ops = &without_ops};
static struct ferry ferry;

static void open_with(struct engine *engine)
{
	cr_assert_eq(fork_watch(), 0);
	ferry.engine = engine;
}

struct seen {
	unsigned int nr;
	const char *names[4];
	uint64_t values[4];
};

static void note_counter(void *arg, const char *name, uint64_t value)
{
	struct seen *seen = arg;

	seen->names[seen->nr] = name;
	seen->values[seen->nr++] = value;
}

Test(engine_counters, are_the_engines)
{
	struct seen seen = {0};

	open_with(&with);
	cr_expect_eq(ferry_engine_counters(&ferry, note_counter, &seen), 0);
	cr_assert_eq(seen.nr, 2);
	cr_expect_str_eq(seen.names[0], "first");
	cr_expect_eq(seen.values[0], 7);
	cr_expect_str_eq(seen.names[1], "second");
	cr_expect_eq(seen.values[1], UINT64_MAX);
}

Test(engine_counters, an_engine_without_any_is_no_error)
{
	struct seen seen = {0};

	open_with(&without);
	cr_expect_eq(ferry_engine_counters(&ferry, note_counter, &seen), 0);
	cr_expect_eq(seen.nr, 0);
}

Test(engine_counters, refuses_null)
{
	struct seen seen = {0};

	open_with(&with);
	cr_expect_eq(ferry_engine_counters(NULL, note_counter, &seen), -EINVAL);
	cr_expect_eq(ferry_engine_counters(&ferry, NULL, &seen), -EINVAL);
	cr_expect_eq(seen.nr, 0);
}

/* Real engines with a channel: the function may call the library again. */
static void come_back(void *arg, const char *name __maybe_unused, uint64_t value __maybe_unused)
{
	struct ferry_stats stats = FERRY_STATS_INIT;
	struct seen seen = {0};

	cr_expect_eq(ferry_get_stats(arg, &stats), 0);
	open_with(ferry.engine);
	cr_expect_eq(ferry_engine_counters(&ferry, note_counter, &seen), 0);
}

Test(engine_counters, the_function_may_call_the_library, .timeout = 60)
{
	static const char *const specs[] = {"cpu", "dsa:model,stepped", "sdxi:model,inline"};

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct ferry_options options = FERRY_OPTIONS_INIT;
		struct engine_channel *channel;
		struct ferry *real;

		options.engine = specs[i];
		cr_assert_eq(ferry_open(&real, &options), 0, "%s", ferry_open_error());
		cr_assert_eq(real->engine->ops->channel_open(real->engine, -1, &channel), 0);
		open_with(&with);
		cr_expect_eq(ferry_engine_counters(real, come_back, real), 0);
		real->engine->ops->channel_close(channel);
		ferry_close(real);
	}
}

Test(engine_counters, a_child_has_none)
{
	struct seen seen = {0};
	int state = -1;
	pid_t pid;

	open_with(&with);
	contexts_add(&ferry);
	pid = fork();
	if (!pid)
		_exit(ferry_engine_counters(&ferry, note_counter, &seen) == -ECHILD && !seen.nr
			      ? 0
			      : 1);
	cr_assert_eq(waitpid(pid, &state, 0), pid);
	cr_expect_eq(state, 0);
	cr_expect_eq(ferry_engine_counters(&ferry, note_counter, &seen), 0, "the parent still has");
	contexts_remove(&ferry);
}
