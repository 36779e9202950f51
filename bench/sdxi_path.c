// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The cost of the sdxi engine: CPU time per descriptor that is built, published, announced by a
 * doorbell and reaped, in batches of 32, with a function that completes at once; beside the strict
 * model inside submit, and one CPU copy of 4 KiB.
 *
 *	sdxi_path [ROUNDS]
 *
 * Reports the best of ROUNDS (default 20), since noise only adds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vault.h"
#include "engines/engine.h"

#define BATCH   32
#define BATCHES 2000

static void *buffer;

static double run_batches(struct engine_channel *channel, uint32_t len)
{
	static struct engine_item items[BATCH];
	struct engine_batch batch, *done;
	uint8_t *bytes = buffer;
	uint64_t start_ns = thread_cpu_ns();

	for (unsigned int n = 0; n < BATCHES; n++) {
		for (unsigned int i = 0; i < BATCH; i++)
			items[i] = (struct engine_item){.dst = bytes + (BATCH + i) * PAGE_BYTES,
							.src = bytes + i * PAGE_BYTES,
							.len_bytes = len};
		batch = (struct engine_batch){
			.items = items, .nr_items = BATCH, .bytes = BATCH * len};
		if (channel->engine->ops->submit(channel, &batch) != ENGINE_QUEUED)
			abort();
		while (!channel->engine->ops->poll(channel, NS_PER_MS, &done, 1))
			;
	}
	return (double)(thread_cpu_ns() - start_ns) / (BATCHES * BATCH);
}

static double best_of(unsigned int rounds, struct engine *engine, uint32_t len)
{
	struct engine_channel *channel;
	double best = 1e9, ns;

	if (engine->ops->channel_open(engine, -1, &channel))
		abort();
	while (rounds--) {
		ns = run_batches(channel, len);
		best = MIN(best, ns);
	}
	engine->ops->channel_close(channel);
	return best;
}

static double best_memcpy(unsigned int rounds)
{
	uint8_t *bytes = buffer;
	double best = 1e9;

	while (rounds--) {
		uint64_t start_ns = thread_cpu_ns();
		double ns;

		for (unsigned int n = 0; n < BATCHES * BATCH; n++) {
			memcpy(bytes + (BATCH + n % BATCH) * PAGE_BYTES,
			       bytes + n % BATCH * PAGE_BYTES, PAGE_BYTES);
			__asm__ volatile("" ::: "memory");
		}
		ns = (double)(thread_cpu_ns() - start_ns) / (BATCHES * BATCH);
		best = MIN(best, ns);
	}
	return best;
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 20;
	const struct engine_env env = {0};
	struct engine *path, *model;
	char why[256];

	if (vault_alloc(2 * BATCH * PAGE_BYTES, &buffer) ||
	    engine_open("sdxi:model,null", &env, &path, why, sizeof(why)) ||
	    engine_open("sdxi:model,inline", &env, &model, why, sizeof(why)))
		return 1;
	printf("ns of CPU per 4 KiB descriptor, batches of %u\n", BATCH);
	printf("  path: built, published, rung, reaped  %6.1f\n",
	       best_of(rounds, path, PAGE_BYTES));
	printf("  path and strict model, 1 byte copied  %6.1f\n", best_of(rounds, model, 1));
	printf("  path and strict model, 4 KiB copied   %6.1f\n",
	       best_of(rounds, model, PAGE_BYTES));
	printf("  one memcpy of 4 KiB                   %6.1f\n", best_memcpy(rounds));
	engine_close(path);
	engine_close(model);
	vault_free(buffer, 2 * BATCH * PAGE_BYTES);
	return 0;
}
