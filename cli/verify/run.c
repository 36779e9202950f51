// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/verify/run.h"

void verify_fail(struct verify *verify, const struct mismatch *word, const char *fmt, ...)
{
	struct failure *failure = &verify->failure;
	va_list args;

	/* Later failures are usually consequences of the first. */
	if (atomic_exchange(&failure->set, true))
		return;
	va_start(args, fmt);
	vsnprintf(failure->what, sizeof(failure->what), fmt, args);
	va_end(args);
	failure->has_word = word;
	if (word)
		failure->word = *word;
	atomic_store(&verify->ending, true);
}

struct actor *verify_add_actor(struct verify *verify, const char *name,
			       bool (*step)(struct actor *), unsigned int index)
{
	struct actor *actor = &verify->actors[verify->nr_actors++];

	memset(actor, 0, sizeof(*actor));
	actor->name = name;
	actor->step = step;
	actor->verify = verify;
	actor->index = index;
	actor->random = verify->seed ^ (verify->nr_actors * 0x632be59bd9b4e019ULL);
	return actor;
}

uint64_t actor_random(struct actor *actor, uint64_t limit)
{
	return random_next(&actor->random) % limit;
}
