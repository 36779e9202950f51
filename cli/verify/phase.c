// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/verify/forker.h"
#include "cli/verify/phase.h"
#include "cli/verify/requester.h"
#include "cli/verify/slot.h"
#include "cli/verify/slot_kinds.h"
#include "cli/verify/words.h"

#define TICK_NS (50 * NS_PER_MS)
/* Longer than the requesters' limit for a job, whose message is more precise. */
#define HANG_NS (150 * NS_PER_SEC)

static void *actor_main(void *arg)
{
	struct actor *actor = arg;

	while (!atomic_load_explicit(&actor->verify->ending, memory_order_relaxed) &&
	       actor->step(actor))
		atomic_fetch_add_explicit(&actor->nr_steps, 1, memory_order_relaxed);
	atomic_store(&actor->ended, true);
	return NULL;
}

/* The step of an actor with a slot. */
static bool slot_actor_step(struct actor *actor)
{
	const struct slot_kind *kind = &slot_kinds[actor->index];

	if (!kind->step(actor))
		return false;
	verify_count(actor->verify, kind->tally, 1);
	return true;
}

static void verify_add_slot(struct verify *verify, unsigned int kind, char *base)
{
	struct actor *actor =
		verify_add_actor(verify, slot_kinds[kind].name, slot_actor_step, kind);

	actor->close = slot_close;
	slot_open(actor, base);
}

static void verify_add_actors(struct verify *verify)
{
	char *slots = verify_slots(verify);

	verify->nr_actors = 0;
	for (unsigned int i = 0; i < verify_options.nr_writers; i++)
		verify_add_actor(verify, "writer", writer_step, i);
	for (unsigned int i = 0; i < verify_options.nr_requesters; i++)
		verify_add_actor(verify, "requester", requester_step, i)->close = requester_close;
	if (text_list_has(&verify_options.with, "fork"))
		verify_add_actor(verify, "fork", forker_step, 0)->close = forker_close;
	for (unsigned int i = 0; i < nr_slot_kinds; i++) {
		if (!text_list_has(&verify_options.with, slot_kinds[i].name))
			continue;
		verify_add_slot(verify, i, slots);
		slots += SLOT_BYTES;
	}
}

static unsigned int nr_slots(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < nr_slot_kinds; i++)
		nr += text_list_has(&verify_options.with, slot_kinds[i].name);
	return nr;
}

/* Also ends the program: a thread that hangs cannot be joined. */
static void actor_report_hang(const struct verify *verify, const struct actor *actor)
{
	cli_error("FAIL: %s %u made no step in %llu s (seed %llu)%s%s", actor->name, actor->index,
		  HANG_NS / NS_PER_SEC, (unsigned long long)verify_options.seed,
		  atomic_load(&verify->failure.set) ? "; before that: " : "",
		  atomic_load(&verify->failure.set) ? verify->failure.what : "");
	_Exit(CLI_FAILED);
}

struct watch {
	uint64_t nr_steps[THREADS_MAX];
	uint64_t since_ns[THREADS_MAX];
};

static bool verify_actors_ended(struct verify *verify, struct watch *watch)
{
	bool all = true;

	for (unsigned int i = 0; i < verify->nr_actors; i++) {
		struct actor *actor = &verify->actors[i];
		uint64_t nr_steps = atomic_load(&actor->nr_steps);

		if (atomic_load(&actor->ended))
			continue;
		all = false;
		if (nr_steps != watch->nr_steps[i] || !watch->since_ns[i]) {
			watch->nr_steps[i] = nr_steps;
			watch->since_ns[i] = now_ns();
		} else if (now_ns() - watch->since_ns[i] > HANG_NS) {
			actor_report_hang(verify, actor);
		}
	}
	return all;
}

static void verify_watch_actors(struct verify *verify, uint64_t phase_ns, const char *folio)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	struct watch watch = {0};
	uint64_t start_ns = now_ns();

	while (!verify_actors_ended(verify, &watch)) {
		uint64_t spent_ns = now_ns() - start_ns;

		if (spent_ns >= phase_ns)
			atomic_store(&verify->ending, true);
		cli_progress("%s: %llu of %llu s, %llu pages moved, %llu updates", folio,
			     (unsigned long long)(spent_ns / NS_PER_SEC),
			     (unsigned long long)(phase_ns / NS_PER_SEC),
			     (unsigned long long)verify->tally[TALLY_PAGES],
			     (unsigned long long)verify->tally[TALLY_UPDATES]);
		nanosleep(&tick, NULL);
	}
}

static void verify_run_actors(struct verify *verify, uint64_t phase_ns, const char *folio)
{
	unsigned int nr_started = 0;

	atomic_store(&verify->ending, atomic_load(&verify->failure.set));
	for (unsigned int i = 0; i < verify->nr_actors; i++) {
		struct actor *actor = &verify->actors[i];
		int err = pthread_create(&actor->thread, NULL, actor_main, actor);

		if (err) {
			verify_fail(verify, NULL, "cannot start a thread: %s", strerror(err));
			actor->ended = true;
			break;
		}
		nr_started++;
	}
	for (unsigned int i = nr_started; i < verify->nr_actors; i++)
		verify->actors[i].ended = true;
	verify_watch_actors(verify, phase_ns, folio);
	for (unsigned int i = 0; i < nr_started; i++)
		pthread_join(verify->actors[i].thread, NULL);
}

/* Unmaps all but the slots whose addresses another thread's mapping has taken. */
static void verify_unmap_area(struct verify *verify)
{
	char *at = verify->area.mapping;
	char *end = at + verify->area.mapping_bytes;
	char *slots = verify_slots(verify);

	for (size_t i = 0; i < nr_slots(); i++) {
		char *slot = slots + i * SLOT_BYTES;

		if (!(atomic_load(&verify->lost_slots) >> i & 1))
			continue;
		munmap(at, (size_t)(slot - at));
		at = slot + SLOT_BYTES;
	}
	munmap(at, (size_t)(end - at));
	verify->area.mapping = NULL;
	area_close(&verify->area);
	atomic_store(&verify->lost_slots, 0);
}

int verify_phase(struct verify *verify, size_t folio_bytes, uint64_t phase_ns)
{
	size_t slots_bytes = nr_slots() * SLOT_BYTES;
	char folio[SIZE_TEXT_BYTES];
	struct mismatch bad;
	int err = area_open(&verify->area, verify_options.total_bytes + slots_bytes, folio_bytes,
			    verify->node[0]);

	if (err) {
		cli_error("--total: cannot map the memory (%s); try a smaller size",
			  strerror(-err));
		return err;
	}
	verify->kind = verify->area.kind;
	verify->nr_main_pages = (uint32_t)((verify->area.len_bytes - slots_bytes) / PAGE_BYTES);
	words_open(verify);
	verify_add_actors(verify);
	verify_run_actors(verify, phase_ns, size_text(folio_bytes, folio));
	if (!atomic_load(&verify->failure.set) && !words_check(verify, NULL, &bad))
		verify_fail(verify, &bad, "the final check of all words");
	for (unsigned int i = 0; i < verify->nr_actors; i++) {
		if (verify->actors[i].close)
			verify->actors[i].close(&verify->actors[i]);
	}
	words_close(verify);
	verify_unmap_area(verify);
	return 0;
}
