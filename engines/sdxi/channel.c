// SPDX-License-Identifier: LGPL-2.1-or-later
/* The engine's calls on a channel, and its phases. */
#include "base/clock.h"
#include "base/vault.h"
#include "base/wait.h"
#include "engines/sdxi/channel.h"

static void channel_request_stop(struct sdxi_channel *ch, uint64_t now)
{
	ch->cxt.backend->ops->stop(&ch->cxt);
	ch->phase = SDXI_STOPPING;
	ch->stop_deadline_ns = now + ch->engine->timeout_ns;
}

/* A broken ring ends in a stop. */
static void channel_feed(struct sdxi_channel *ch)
{
	if (sdxi_flights_feed(ch))
		channel_request_stop(ch, now_ns());
}

static void channel_restart(struct sdxi_channel *ch)
{
	if (sdxi_context_restart(&ch->cxt)) {
		ch->phase = SDXI_RETIRED;
		return;
	}
	ch->next_index = 0;
	ch->phase = SDXI_RUNNING;
	sdxi_count(ch, SDXI_COUNT_RESTARTS, 1);
}

static void channel_watch(struct sdxi_channel *ch, uint64_t now)
{
	uint8_t state = sdxi_context_state(&ch->cxt);

	if (state != SDXI_CXT_RUN) {
		sdxi_count(ch, SDXI_COUNT_STATE + state, 1);
		sdxi_count(ch, SDXI_COUNT_STOPPED_BY_FUNCTION, 1);
	} else if (sdxi_flights_are_overdue(ch, now)) {
		sdxi_count(ch, SDXI_COUNT_TIMEOUTS, 1);
	} else {
		return;
	}
	channel_request_stop(ch, now);
}

/* Advances the channel through its phases. */
static void channel_step(struct sdxi_channel *ch, uint64_t now)
{
	if (ch->phase == SDXI_RUNNING)
		channel_watch(ch, now);
	if (ch->phase == SDXI_STOPPING && sdxi_context_stopped(&ch->cxt)) {
		sdxi_flights_end(ch, true);
		channel_restart(ch);
	} else if (ch->phase == SDXI_STOPPING && now > ch->stop_deadline_ns) {
		sdxi_flights_end(ch, false);
		ch->phase = SDXI_STRAYED;
	} else if (ch->phase == SDXI_STRAYED && sdxi_context_stopped(&ch->cxt)) {
		channel_restart(ch);
	}
}

enum engine_verdict sdxi_channel_submit(struct engine_channel *channel, struct engine_batch *batch)
{
	struct sdxi_channel *ch = CONTAINER_OF(channel, struct sdxi_channel, channel);
	uint64_t now = now_ns();

	channel_step(ch, now);
	if (ch->phase != SDXI_RUNNING || !batch->nr_items) {
		sdxi_flights_decline(ch, batch);
		return ENGINE_DONE;
	}
	if (ch->nr_queued == SDXI_DEPTH) {
		sdxi_count(ch, SDXI_COUNT_BUSY, 1);
		return ENGINE_BUSY;
	}
	sdxi_flights_add(ch, batch, now);
	channel_feed(ch);
	return ENGINE_QUEUED;
}

/* User space gets no interrupt: spin, then yield the CPU. */
#define SPIN_ROUNDS 256

static void poll_relax(unsigned int round)
{
	if (round < SPIN_ROUNDS)
		cpu_relax();
	else
		step_aside(round - SPIN_ROUNDS);
}

uint32_t sdxi_channel_poll(struct engine_channel *channel, uint64_t wait_ns,
			   struct engine_batch **done, uint32_t max)
{
	struct sdxi_channel *ch = CONTAINER_OF(channel, struct sdxi_channel, channel);
	uint64_t start_ns = 0;

	for (unsigned int round = 0; ch->head; round++) {
		uint32_t nr = sdxi_flights_take(ch, done, max);
		uint64_t now;

		if (ch->unfed && ch->phase == SDXI_RUNNING)
			channel_feed(ch);
		if (nr)
			return nr;
		now = now_ns();
		if (!start_ns)
			start_ns = now;
		channel_step(ch, now);
		if (now - start_ns >= wait_ns)
			return sdxi_flights_take(ch, done, max);
		poll_relax(round);
	}
	return 0;
}

bool sdxi_channel_quiet(struct engine_channel *channel)
{
	struct sdxi_channel *ch = CONTAINER_OF(channel, struct sdxi_channel, channel);

	channel_step(ch, now_ns());
	return ch->phase != SDXI_STRAYED;
}

int sdxi_channel_open(struct engine *engine, int near_node __maybe_unused,
		      struct engine_channel **out)
{
	struct sdxi_channel *ch;
	void *memory;
	int err = vault_alloc(sizeof(*ch), &memory);

	if (err)
		return err;
	ch = memory;
	ch->channel.engine = engine;
	ch->engine = CONTAINER_OF(engine, struct sdxi_engine, engine);
	err = sdxi_context_open(ch->engine->backend, &ch->cxt);
	if (err) {
		vault_free(ch, sizeof(*ch));
		return err;
	}
	counts_open(&ch->engine->counts, &ch->counts, ch->count_values);
	*out = &ch->channel;
	return 0;
}

static void channel_free(struct sdxi_channel *ch)
{
	sdxi_context_free(&ch->cxt);
	vault_free(ch, sizeof(*ch));
}

void sdxi_channel_close(struct engine_channel *channel)
{
	struct sdxi_channel *ch;
	uint64_t deadline_ns;

	if (!channel)
		return;
	ch = CONTAINER_OF(channel, struct sdxi_channel, channel);
	deadline_ns = now_ns() + ch->engine->timeout_ns;
	if (ch->phase != SDXI_RETIRED)
		ch->cxt.backend->ops->stop(&ch->cxt);
	for (unsigned int i = 0; !sdxi_context_stopped(&ch->cxt) && now_ns() < deadline_ns; i++)
		poll_relax(i);
	counts_close(&ch->engine->counts, &ch->counts);
	if (sdxi_context_stopped(&ch->cxt)) {
		ch->cxt.backend->ops->release(&ch->cxt);
		channel_free(ch);
		return;
	}
	/* A hung function may still write to the status blocks: keep them until the engine closes.
	 */
	ch->next_unstopped = atomic_load(&ch->engine->unstopped);
	while (!atomic_compare_exchange_weak(&ch->engine->unstopped, &ch->next_unstopped, ch))
		;
}

void sdxi_channel_free_unstopped(struct sdxi_engine *engine)
{
	struct sdxi_channel *ch = atomic_load(&engine->unstopped);

	while (ch) {
		struct sdxi_channel *next = ch->next_unstopped;

		channel_free(ch);
		ch = next;
	}
}
