// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many producers on one SDXI ring: reservations by compare-and-swap, some filled with NOPs,
 * doorbells out of order, over many laps, so that a stale valid bit or a lost reservation shows as
 * a wrong byte, a breach or a hang. The seeds cover functions that clear valid bits and functions
 * that do not.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "engines/sdxi/context.h"
#include "models/sdxi/model.h"
#include "tests/testlib/tap.h"

#define NR_PRODUCERS 4
#define NR_ROUNDS    6000
#define MAX_GROUP    7
#define LEN          256

struct producer {
	pthread_t thread;
	struct sdxi_context *cxt;
	struct model_prng prng;
	struct sdxi_cst_blk csb;
	uint8_t src[MAX_GROUP][LEN], dst[MAX_GROUP][LEN];
	uint64_t nr_copies, nr_aborted, nr_full, nr_wrong;
};

static uint64_t producer_reserve(struct producer *producer, uint32_t nr)
{
	uint64_t index;
	int err;

	while ((err = sdxi_ring_reserve(&producer->cxt->ring, nr, &index)) == -EBUSY) {
		producer->nr_full++;
		sched_yield();
	}
	producer->nr_wrong += err != 0;
	return index;
}

/* One block counts a whole group down, which is allowed and cheaper than one each. */
static void copy_group(struct producer *producer, uint64_t index, uint32_t nr)
{
	struct sdxi_desc desc;

	sdxi_store(&producer->csb.signal, nr);
	for (uint32_t i = 0; i < nr; i++) {
		memset(producer->src[i], (int)model_random(&producer->prng), LEN);
		sdxi_build_copy(&desc, (uintptr_t)producer->dst[i], SDXI_OWN_AKEY,
				(uintptr_t)producer->src[i], SDXI_OWN_AKEY, LEN, &producer->csb);
		sdxi_ring_put(&producer->cxt->ring, index + i, &desc);
		if (model_below(&producer->prng, 8) == 0)
			sched_yield();
	}
	sdxi_ring_doorbell(&producer->cxt->ring, index + nr);
	while (sdxi_load(&producer->csb.signal))
		sched_yield();
	for (uint32_t i = 0; i < nr; i++)
		producer->nr_wrong += memcmp(producer->dst[i], producer->src[i], LEN) != 0;
	producer->nr_copies += nr;
}

static void *producer_main(void *arg)
{
	struct producer *producer = arg;

	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		uint32_t nr = 1 + (uint32_t)model_below(&producer->prng, MAX_GROUP);
		bool aborts = model_below(&producer->prng, 8) == 0;
		uint64_t index = producer_reserve(producer, aborts ? nr * 32 : nr);

		if (!aborts) {
			copy_group(producer, index, nr);
			continue;
		}
		sdxi_ring_fill_nops(&producer->cxt->ring, index, nr * 32);
		sdxi_ring_doorbell(&producer->cxt->ring, index + nr * 32);
		producer->nr_aborted += nr * 32;
	}
	return NULL;
}

static uint64_t breaches;

static void note_counter(void *arg __maybe_unused, const char *name, uint64_t value)
{
	tap_note("  %s %llu", name, (unsigned long long)value);
	if (!strcmp(name, "model.breaches"))
		breaches = value;
}

static void run_case(uint64_t seed, unsigned int nr_engines)
{
	static struct producer producers[NR_PRODUCERS];
	struct sdxi_model_config config = {.seed = seed, .nr_engines = nr_engines};
	struct sdxi_context cxt = {0};
	uint64_t nr_wrong = 0, nr_copies = 0, nr_aborted = 0, nr_full = 0;
	struct sdxi_backend *backend;

	config.speed.jitter_ns = nr_engines ? 2000 : 0;
	if (sdxi_backend_model_open(&config, &backend) || sdxi_context_open(backend, &cxt)) {
		tap_ok(false, "model opens");
		return;
	}
	memset(producers, 0, sizeof(producers));
	for (unsigned int i = 0; i < NR_PRODUCERS; i++) {
		producers[i].cxt = &cxt;
		producers[i].prng = model_prng_for(seed, i);
		pthread_create(&producers[i].thread, NULL, producer_main, &producers[i]);
	}
	for (unsigned int i = 0; i < NR_PRODUCERS; i++) {
		pthread_join(producers[i].thread, NULL);
		nr_wrong += producers[i].nr_wrong;
		nr_copies += producers[i].nr_copies;
		nr_aborted += producers[i].nr_aborted;
		nr_full += producers[i].nr_full;
	}
	backend->ops->stop(&cxt);
	while (!sdxi_context_stopped(&cxt))
		sched_yield();
	backend->ops->counters(backend, note_counter, NULL);
	tap_ok(!nr_wrong && !breaches && nr_aborted &&
		       sdxi_load(&cxt.shared->write_index) == nr_copies + nr_aborted,
	       "seed %llu, %u engines: %llu copies, %llu given up, %llu times full, %llu wrong, "
	       "%llu breaches",
	       (unsigned long long)seed, nr_engines, (unsigned long long)nr_copies,
	       (unsigned long long)nr_aborted, (unsigned long long)nr_full,
	       (unsigned long long)nr_wrong, (unsigned long long)breaches);
	backend->ops->release(&cxt);
	backend->ops->close(backend);
	sdxi_context_free(&cxt);
}

int main(void)
{
	/* The function of seed 1 clears valid bits, that of seed 4 does not. */
	static const uint64_t seeds[] = {1, 4};

	tap_plan(4);
	for (unsigned int i = 0; i < ARRAY_SIZE(seeds); i++) {
		run_case(seeds[i], 2);
		run_case(seeds[i], 0);
	}
	return tap_done();
}
