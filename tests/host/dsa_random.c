// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The DSA engine on the model with every kind of fault. Whatever the device does: the state of each
 * item is true (copied: every byte; not attempted: none), nothing outside the destinations changes,
 * sources do not change, every batch comes back, every fallback is counted, and the engine breaks
 * no rule.
 *
 *	FERRY_TEST_DESCRIPTORS=5000000 FERRY_TEST_SEED=7 dsa_random.t
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engines/engine.h"
#include "models/dsa/dsa_model.h"
#include "tests/testlib/settings.h"
#include "tests/testlib/tap.h"

#define NR_SLOTS   6
#define SLOT_BYTES (4UL << 20)
#define MAX_ITEMS  48
#define GUARD      0xee /* the content of destinations before, and of their surroundings always */
#define QUARANTINE 0x5c

struct slot {
	struct engine_batch batch;
	struct engine_item items[MAX_ITEMS];
	uint8_t *src, *dst;
	uint64_t pattern; /* seed of the source's bytes */
	bool busy;
	bool quarantined;
	bool settled; /* quiet since; refilled with QUARANTINE */
};

struct totals {
	uint64_t descriptors, copied, left, stray, breaches, fallbacks, drops, faults;
	uint64_t by_kind[NR_DSA_FAULTS]; /* injected */
	uint64_t mismatches;             /* fallback.verify */
	uint64_t wrong;
};

static struct slot *slots;
static uint64_t base_seed;
static uint64_t nr_wanted;

static void *map_area(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static void fill_random(uint8_t *at, size_t len, uint64_t seed)
{
	struct model_prng prng = {seed};

	for (; len >= 8; len -= 8, at += 8) {
		uint64_t word = model_random(&prng);

		memcpy(at, &word, 8);
	}
}

static bool is_random(const uint8_t *at, size_t len, uint64_t seed)
{
	struct model_prng prng = {seed};

	for (; len >= 8; len -= 8, at += 8) {
		uint64_t word = model_random(&prng);

		if (memcmp(at, &word, 8))
			return false;
	}
	return true;
}

static bool is_filled(const uint8_t *at, size_t len, uint8_t value)
{
	return !len || (at[0] == value && !memcmp(at, at + 1, len - 1));
}

static uint32_t random_len(struct model_prng *prng)
{
	switch (model_below(prng, 24)) {
	case 0:
		return 1 + (uint32_t)model_below(prng, 8000);
	case 1:
		return 64 * (1 + (uint32_t)model_below(prng, 100));
	case 2:
		return 64U << 10;
	default:
		return PAGE_BYTES;
	}
}

/* Items one after another with a gap between; some have the size of a huge page. */
static void slot_prepare(struct slot *slot, struct model_prng *prng)
{
	uint32_t want = 1 + (uint32_t)model_below(prng, MAX_ITEMS);
	bool huge = model_chance(prng, 10000);
	size_t at = 0, used;
	uint32_t n = 0;

	for (; n < want; n++) {
		bool aligned = model_chance(prng, 700000);
		uint32_t len = huge && n == 0 ? HUGE_BYTES : random_len(prng);
		size_t skew = aligned ? 0 : model_below(prng, 200);

		at = ALIGN_UP(at + 64, PAGE_BYTES) + skew;
		if (at + len + PAGE_BYTES > SLOT_BYTES)
			break;
		slot->items[n] = (struct engine_item){
			.dst = slot->dst + at,
			.src = slot->src + at,
			.len_bytes = len,
			.state = 0x77,
		};
		at += len;
	}
	used = ALIGN_UP(at + 64, PAGE_BYTES);
	slot->pattern = model_random(prng);
	fill_random(slot->src, used, slot->pattern);
	memset(slot->dst, GUARD, used);
	slot->batch = (struct engine_batch){.items = slot->items, .nr_items = n, .owner = slot};
	for (uint32_t i = 0; i < n; i++)
		slot->batch.bytes += slot->items[i].len_bytes;
	slot->busy = true;
}

static bool item_is_true(const struct engine_item *item, struct totals *t)
{
	switch (item->state) {
	case ENGINE_COPIED:
		t->copied++;
		return !memcmp(item->dst, item->src, item->len_bytes);
	case ENGINE_NOT_ATTEMPTED:
		t->left++;
		return is_filled(item->dst, item->len_bytes, GUARD);
	case ENGINE_FAULT:
	case ENGINE_ERROR:
		t->left++;
		return true;
	case ENGINE_STRAY:
		t->stray++;
		return true;
	default:
		return false;
	}
}

static void check_finished(struct slot *slot, struct totals *t)
{
	const uint8_t *end = slot->dst;
	const struct engine_item *last = &slot->items[slot->batch.nr_items - 1];
	size_t used = ALIGN_UP((size_t)((uint8_t *)last->dst - slot->dst) + last->len_bytes + 64,
			       PAGE_BYTES);

	slot->busy = false;
	for (uint32_t i = 0; i < slot->batch.nr_items; i++) {
		const struct engine_item *item = &slot->items[i];

		t->wrong += !item_is_true(item, t);
		t->wrong += !is_filled(end, (size_t)((uint8_t *)item->dst - end), GUARD);
		end = (uint8_t *)item->dst + item->len_bytes;
		slot->quarantined |= item->state == ENGINE_STRAY;
	}
	t->wrong += !is_filled(end, used - (size_t)(end - slot->dst), GUARD);
	t->wrong += !is_random(slot->src, used, slot->pattern);
}

static void count_fault(struct totals *t, const char *kind, uint64_t value)
{
	for (int i = 0; i < NR_DSA_FAULTS; i++)
		if (!strcmp(dsa_fault_names[i], kind))
			t->by_kind[i] += value;
	t->faults += value;
}

static void say_faults(const struct totals *t)
{
	char text[256] = "none";
	size_t at = 0;

	for (int i = 0; i < NR_DSA_FAULTS; i++)
		if (t->by_kind[i])
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %lu",
					       at ? ", " : "", dsa_fault_names[i],
					       (unsigned long)t->by_kind[i]);
	tap_note("faults: %s", text);
}

static void count_counter(void *arg, const char *name, uint64_t value)
{
	struct totals *t = arg;

	if (!strcmp(name, "descriptors"))
		t->descriptors += value;
	else if (!strncmp(name, "fallback.", 9) && !strstr(name, ".bytes"))
		t->fallbacks += value;
	else if (!strcmp(name, "model.breaches"))
		t->breaches += value;
	else if (!strcmp(name, "model.drops"))
		t->drops += value;
	else if (!strncmp(name, "model.fault.", 12))
		count_fault(t, name + 12, value);
	if (!strncmp(name, "model.breach.", 13))
		tap_note("%s: %lu", name, (unsigned long)value);
	if (!strcmp(name, "fallback.verify"))
		t->mismatches += value;
}

/* Once the channel is quiet, nothing may write to quarantined memory any more. */
static void channel_settle(struct engine_channel *channel)
{
	if (!channel->engine->ops->quiet(channel))
		return;
	for (int i = 0; i < NR_SLOTS; i++) {
		if (!slots[i].quarantined || slots[i].settled)
			continue;
		memset(slots[i].dst, QUARANTINE, SLOT_BYTES);
		slots[i].settled = true;
	}
}

static void reuse_slots(struct totals *t)
{
	for (int i = 0; i < NR_SLOTS; i++) {
		if (slots[i].settled)
			t->wrong += !is_filled(slots[i].dst, SLOT_BYTES, QUARANTINE);
		slots[i].quarantined = slots[i].settled = false;
	}
}

struct life {
	struct engine_channel *channel;
	struct model_prng prng;
	struct totals *t;
	uint64_t nr_left; /* items to send */
	uint32_t in_flight;
	bool over; /* the engine declines, or no slot is left */
};

static void life_send(struct life *life, struct slot *slot)
{
	const struct engine_ops *ops = life->channel->engine->ops;

	slot_prepare(slot, &life->prng);
	life->nr_left -=
		slot->batch.nr_items < life->nr_left ? slot->batch.nr_items : life->nr_left;
	switch (ops->submit(life->channel, &slot->batch)) {
	case ENGINE_QUEUED:
		life->in_flight++;
		break;
	case ENGINE_DONE:
		check_finished(slot, life->t);
		life->over = true;
		break;
	default:
		slot->busy = false;
	}
}

static void life_turn(struct life *life)
{
	const struct engine_ops *ops = life->channel->engine->ops;
	struct engine_batch *done[4];

	for (int i = 0; i < NR_SLOTS && life->nr_left && !life->over; i++)
		if (!slots[i].busy && !slots[i].quarantined)
			life_send(life, &slots[i]);
	if (!life->in_flight)
		life->over = true;
	for (uint32_t n = ops->poll(life->channel, 1000000, done, 4); n-- > 0;) {
		check_finished(done[n]->owner, life->t);
		life->in_flight--;
	}
	channel_settle(life->channel);
}

static bool run_once(const char *spec, uint64_t seed, uint64_t nr_items, bool deadly,
		     struct totals *t)
{
	struct life life = {.prng = {seed * 31}, .t = t, .nr_left = nr_items};
	struct engine_env env = {0};
	struct engine *engine;
	char full[400], why[512];

	snprintf(full, sizeof(full), "%s,seed=%lu", spec, (unsigned long)seed);
	if (engine_open(full, &env, &engine, why, sizeof(why))) {
		tap_note("%s: %s", full, why);
		return false;
	}
	if (engine->ops->channel_open(engine, -1, &life.channel))
		abort();
	while ((life.nr_left && !life.over) || life.in_flight)
		life_turn(&life);
	/* A device that has died may never be quiet. For the others a limit only ends a hang. */
	for (int i = 0; i < (deadly ? 1000 : 600000) && !engine->ops->quiet(life.channel); i++)
		usleep(100);
	channel_settle(life.channel);
	engine->ops->channel_close(life.channel);
	engine->ops->counters(engine, count_counter, t);
	engine_close(engine);
	reuse_slots(t);
	return true;
}

/*
 * Opens engines until enough has been sent; the kth has a seed of its own. Only a device that has
 * halted may drop what is posted to it.
 */
static void run_case(const char *name, const char *spec, bool deadly, bool corrupt)
{
	struct totals t = {0};
	uint64_t seed = base_seed;

	while (t.copied + t.left + t.stray < nr_wanted)
		if (!run_once(spec, seed++, deadly ? 4000 : nr_wanted, deadly, &t))
			break;
	tap_note("%s: seeds %lu…%lu: %lu descriptors; items: %lu copied, "
		 "%lu left to the CPU, %lu stray; %lu fallbacks",
		 name, (unsigned long)base_seed, (unsigned long)seed - 1,
		 (unsigned long)t.descriptors, (unsigned long)t.copied, (unsigned long)t.left,
		 (unsigned long)t.stray, (unsigned long)t.fallbacks);
	say_faults(&t);
	tap_ok(t.copied + t.left + t.stray >= nr_wanted &&
		       t.copied > (deadly ? 0 : nr_wanted * 9 / 10) && !t.wrong && !t.breaches &&
		       (!t.drops || deadly) && t.fallbacks == t.left + t.stray && t.faults &&
		       (t.mismatches > 0) == corrupt,
	       "%s: %lu wrong, %lu breaches, %lu dropped", name, (unsigned long)t.wrong,
	       (unsigned long)t.breaches, (unsigned long)t.drops);
}

#define MILD   "faults=page+reverse+list+error+retry+late,watch=1,timeout_us=10000000"
#define DEADLY "faults=page+reverse+list+error+retry+late+lost:6000+hang:6000+halt:1000"

int main(void)
{
	static const struct {
		const char *name, *spec;
		bool deadly, corrupt;
	} runs[] = {
		{"shared queues", "dsa:model,devices=2,engines=2," MILD, false, false},
		{"a dedicated queue", "dsa:model,mode=dedicated,wq_size=8,max_batch=64," MILD,
		 false, false},
		{"write()", "dsa:model,mode=write,devices=2,engines=1," MILD, false, false},
		{"CRC verified", "dsa:model,verify=crc," MILD, false, false},
		{"CPU after faults", "dsa:model,on_partial=cpu,cpu_fraction=auto," MILD, false,
		 false},
		{"slow and jittery",
		 "dsa:model,devices=2,engines=2,latency_ns=5000,jitter_ns=20000,wq_size=4," MILD,
		 false, false},
		{"stepped", "dsa:model,stepped,devices=3," MILD, false, false},
		{"devices that die",
		 "dsa:model,devices=2,engines=2,timeout_us=20000,late_ns=1000000,hang_ns="
		 "30000000," DEADLY,
		 true, false},
		{"dedicated ones that die",
		 "dsa:model,mode=dedicated,wq_size=16,timeout_us=20000,hang_ns=30000000," DEADLY,
		 true, false},
		{"devices that corrupt",
		 "dsa:model,devices=2,verify=crc,timeout_us=10000000,faults=page+corrupt:20000",
		 false, true},
		{"verified ones that die",
		 "dsa:model,mode=write,verify=crc,timeout_us=20000,hang_ns=30000000," DEADLY, true,
		 false},
	};

	alarm(3600);
	nr_wanted = test_descriptors("FERRY_DSA_DESCRIPTORS", 12000);
	base_seed = test_seed("FERRY_DSA_SEED", 1);
	slots = map_area(NR_SLOTS * sizeof(*slots));
	for (int i = 0; i < NR_SLOTS; i++) {
		slots[i].src = map_area(SLOT_BYTES);
		slots[i].dst = map_area(SLOT_BYTES);
	}
	tap_plan(ARRAY_SIZE(runs));
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		run_case(runs[i].name, runs[i].spec, runs[i].deadly, runs[i].corrupt);
	return tap_done();
}
