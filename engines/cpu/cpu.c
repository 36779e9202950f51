// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Copies by CPU. The submitting thread copies small batches alone; it shares larger ones with the
 * crew. Nothing is in flight when submit returns: batches marked `more` are held back, untouched,
 * until poll copies all of them at once.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/pace.h"
#include "base/vault.h"
#include "copy/choice.h"
#include "crew/crew.h"
#include "engines/counts.h"
#include "engines/cpu/grain.h"
#include "engines/cpu/params.h"
#include "engines/engine.h"

/* Size classes, by powers of two from CPU_SPLIT_BYTES on; each learns by itself. */
#define NR_PACES 5
/*
 * A thread takes an eighth of its share at a time, so that the wait at the end is short, but not
 * less than pays for streaming stores.
 */
#define GRAINS_PER_THREAD 8
#define GRAIN_MIN_BYTES   (64U << 10)
#define GRAIN_MAX_BYTES   (256U << 10)
/* For this many batches the cost of waking helpers once is negligible. */
#define HOLD_MAX 32
/* More threads do not copy faster (reference: eight threads over eight chiplets). */
#define THREADS_DEFAULT 8
#define BATCH_ITEMS     1024

extern const struct engine_ops cpu_engine_ops;

enum { MODE_SHARED, MODE_ALONE };

/*
 * Counters are per channel, because a locked instruction would wait for the streaming stores before
 * it, which costs a small batch much of its time.
 */
enum cpu_count { CPU_ALONE, CPU_SHARED, CPU_HELPED, CPU_BYTES, NR_CPU_COUNTS };

static const char *const count_names[NR_CPU_COUNTS] = {
	[CPU_ALONE] = "batches.alone",
	[CPU_SHARED] = "batches.shared",
	[CPU_HELPED] = "batches.helped",
	[CPU_BYTES] = "bytes",
};

struct cpu_engine {
	struct engine engine;
	struct crew *crew;
	unsigned int nr_threads;          /* including the caller */
	uint64_t split_bytes;             /* the caller copies smaller batches alone */
	const struct copy_kernel *kernel; /* asked for, or the default */
	struct copy_choice *choice;       /* NULL: always that kernel */
	struct counts_sum counts;
	uint64_t closed_counts[NR_CPU_COUNTS];
};

struct cpu_channel {
	struct engine_channel channel;
	struct crew_task task;
	struct counts counts;
	_Atomic uint64_t count_values[NR_CPU_COUNTS];
	struct pace paces[NR_PACES]; /* by size */
	struct engine_batch *held[HOLD_MAX];
	uint32_t nr_held;
	uint32_t nr_copied; /* of those held: poll returns them */
	uint32_t next_out;
	/* what is being copied now */
	struct engine_batch *const *batches;
	uint32_t nr_batches;
	uint32_t grain_bytes;
	struct copy_race *race; /* of its kind; NULL: the engine's kernel */
	atomic_uint nr_helpers; /* workers that took a share of it */
	/* The next byte to take, packed. */
	__cacheline_aligned atomic_ullong cursor;
};

/* The packing of a place: an item has at most 2^30 bytes. */
#define OFFSET_BITS 31
#define ITEM_BITS   26

static struct grain_at cursor_unpack(unsigned long long cursor)
{
	return (struct grain_at){
		.batch = (uint32_t)(cursor >> (OFFSET_BITS + ITEM_BITS)),
		.item = (uint32_t)(cursor >> OFFSET_BITS) & ((1U << ITEM_BITS) - 1),
		.offset_bytes = (uint32_t)cursor & ((1U << OFFSET_BITS) - 1),
	};
}

static unsigned long long cursor_pack(struct grain_at at)
{
	return (unsigned long long)at.batch << (OFFSET_BITS + ITEM_BITS) |
	       (unsigned long long)at.item << OFFSET_BITS | at.offset_bytes;
}

static bool channel_take_grain(struct cpu_channel *channel, struct grain_at *start,
			       struct grain_at *end)
{
	unsigned long long cursor = atomic_load_explicit(&channel->cursor, memory_order_relaxed);
	struct grain_at next;

	do {
		const struct engine_batch *batch;

		*start = cursor_unpack(cursor);
		if (start->batch >= channel->nr_batches)
			return false;
		batch = channel->batches[start->batch];
		*end = next = grain_end(batch, *start, channel->grain_bytes);
		if (next.item == batch->nr_items)
			next = (struct grain_at){.batch = start->batch + 1};
	} while (!atomic_compare_exchange_weak_explicit(&channel->cursor, &cursor,
							cursor_pack(next), memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* A grain of a race is measured, by whichever thread copies it. */
static void channel_copy_grain(const struct cpu_channel *channel, const struct engine_item *items,
			       struct grain_at start, struct grain_at end)
{
	struct cpu_engine *cpu = CONTAINER_OF(channel->channel.engine, struct cpu_engine, engine);
	uint64_t bytes = grain_bytes(items, start, end), start_ns;
	struct copy_turn turn = {cpu->kernel, -1};

	if (channel->race)
		turn = copy_race_turn(channel->race, bytes);
	if (turn.slot < 0) {
		copy_grain(turn.kernel, items, start, end);
		return;
	}
	start_ns = now_ns();
	copy_grain(turn.kernel, items, start, end);
	copy_race_note(channel->race, &turn, bytes, now_ns() - start_ns);
}

static bool channel_work(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct cpu_channel *channel = CONTAINER_OF(task, struct cpu_channel, task);
	struct grain_at start, end;
	bool any = false;

	while (channel_take_grain(channel, &start, &end)) {
		channel_copy_grain(channel, channel->batches[start.batch]->items, start, end);
		any = true;
	}
	if (any)
		atomic_fetch_add_explicit(&channel->nr_helpers, 1, memory_order_relaxed);
	return false;
}

/* Batches that are copied as one. */
struct load {
	struct engine_batch *const *batches;
	uint32_t nr_batches;
	uint32_t nr_threads;
	uint64_t bytes;
};

static uint32_t batch_folio_bytes(const struct engine_batch *batch)
{
	if (batch->folio_bytes || !batch->nr_items)
		return batch->folio_bytes;
	return batch->items->len_bytes;
}

/* The race of this kind of copy; NULL: there is none. */
static struct copy_race *channel_race(struct cpu_channel *channel, const struct load *load,
				      bool with_others)
{
	struct cpu_engine *cpu = CONTAINER_OF(channel->channel.engine, struct cpu_engine, engine);
	const struct engine_batch *batch = load->batches[0];
	struct copy_kind kind = {
		.size = copy_size_of(batch_folio_bytes(batch)),
		.with_others = with_others,
		.other_node = batch->other_node,
	};

	return cpu->choice ? copy_choice_race(cpu->choice, &kind) : NULL;
}

static void load_copy_shared(struct cpu_engine *cpu, struct cpu_channel *channel,
			     const struct load *load)
{
	uint64_t grain = load->bytes / ((uint64_t)load->nr_threads * GRAINS_PER_THREAD);

	channel->race = channel_race(channel, load, true);
	channel->batches = load->batches;
	channel->nr_batches = load->nr_batches;
	grain = MIN(MAX(grain, GRAIN_MIN_BYTES), GRAIN_MAX_BYTES);
	channel->grain_bytes = ALIGN_UP((uint32_t)grain, PAGE_BYTES);
	atomic_store_explicit(&channel->cursor, 0, memory_order_relaxed);
	atomic_store_explicit(&channel->nr_helpers, 0, memory_order_relaxed);
	channel->task.nr_wanted = load->nr_threads - 1;
	channel->task.wake_all = load->nr_batches > 1;
	crew_run(cpu->crew, &channel->task, CREW_CALLER);

	counts_add(&channel->counts, CPU_SHARED, load->nr_batches);
	if (atomic_load_explicit(&channel->nr_helpers, memory_order_relaxed) > 1)
		counts_add(&channel->counts, CPU_HELPED, load->nr_batches);
}

/* Do other workers of the crew copy, too? This thread may be one of the crew, or not. */
static bool crew_is_busy(const struct crew *crew)
{
	return crew && crew_nr_idle(crew) + 1 < crew_nr_workers(crew);
}

static void batch_copy_alone(struct cpu_channel *channel, const struct engine_batch *batch)
{
	struct grain_at start = {0}, end;

	for (; start.item < batch->nr_items; start = end) {
		end = grain_end(batch, start, RACE_PIECE_BYTES);
		channel_copy_grain(channel, batch->items, start, end);
	}
}

static void load_copy_alone(struct cpu_engine *cpu, struct cpu_channel *channel,
			    const struct load *load)
{
	channel->race = channel_race(channel, load, crew_is_busy(cpu->crew));
	for (uint32_t i = 0; i < load->nr_batches; i++)
		batch_copy_alone(channel, load->batches[i]);
	counts_add(&channel->counts, CPU_ALONE, load->nr_batches);
}

static struct pace *channel_pace(struct cpu_channel *channel, uint64_t bytes)
{
	unsigned int class = 0;

	for (bytes /= CPU_SPLIT_BYTES; bytes > 1 && class < NR_PACES - 1; bytes /= 2)
		class ++;
	return &channel->paces[class];
}

/* Alone or shared, whichever was faster for loads of this size. */
static void load_copy_paced(struct cpu_engine *cpu, struct cpu_channel *channel,
			    const struct load *load)
{
	struct pace *pace = channel_pace(channel, load->bytes);
	unsigned int mode = pace_choose(pace);
	uint64_t start = now_ns();

	if (mode == MODE_SHARED)
		load_copy_shared(cpu, channel, load);
	else
		load_copy_alone(cpu, channel, load);
	pace_note(pace, mode, load->bytes, now_ns() - start);
}

static void load_copy(struct cpu_engine *cpu, struct cpu_channel *channel,
		      struct engine_batch *const *batches, uint32_t nr_batches)
{
	uint32_t asked = batches[0]->nr_threads;
	struct load load = {
		.batches = batches,
		.nr_batches = nr_batches,
		.nr_threads = asked ? MIN(asked, cpu->nr_threads) : cpu->nr_threads,
	};

	for (uint32_t i = 0; i < nr_batches; i++)
		load.bytes += batches[i]->bytes;
	if (load.nr_threads <= 1 || load.bytes < cpu->split_bytes || !crew_nr_idle(cpu->crew))
		load_copy_alone(cpu, channel, &load);
	else if (nr_batches > 1)
		load_copy_shared(cpu, channel, &load); /* gathered batches are large enough */
	else
		load_copy_paced(cpu, channel, &load);
	for (uint32_t b = 0; b < nr_batches; b++) {
		for (uint32_t i = 0; i < batches[b]->nr_items; i++) {
			batches[b]->items[i].state = ENGINE_COPIED;
			batches[b]->items[i].detail = 0;
		}
	}
	counts_add(&channel->counts, CPU_BYTES, load.bytes);
}

static enum engine_verdict cpu_submit(struct engine_channel *base, struct engine_batch *batch)
{
	struct cpu_channel *channel = CONTAINER_OF(base, struct cpu_channel, channel);
	struct cpu_engine *cpu = CONTAINER_OF(base->engine, struct cpu_engine, engine);

	if (batch->more && channel->nr_held < cpu->engine.hold && !channel->nr_copied) {
		channel->held[channel->nr_held++] = batch;
		return ENGINE_QUEUED;
	}
	load_copy(cpu, channel, &batch, 1);
	return ENGINE_DONE;
}

static uint32_t cpu_poll(struct engine_channel *base, uint64_t wait_ns __maybe_unused,
			 struct engine_batch **done, uint32_t max)
{
	struct cpu_channel *channel = CONTAINER_OF(base, struct cpu_channel, channel);
	struct cpu_engine *cpu = CONTAINER_OF(base->engine, struct cpu_engine, engine);
	uint32_t nr = 0;

	if (channel->nr_held && !channel->nr_copied) {
		load_copy(cpu, channel, channel->held, channel->nr_held);
		channel->nr_copied = channel->nr_held;
		channel->next_out = 0;
	}
	while (nr < max && channel->next_out < channel->nr_copied)
		done[nr++] = channel->held[channel->next_out++];
	if (channel->next_out == channel->nr_copied)
		channel->nr_held = channel->nr_copied = channel->next_out = 0;
	return nr;
}

static int cpu_channel_open(struct engine *engine, int near_node __maybe_unused,
			    struct engine_channel **out)
{
	struct cpu_engine *cpu = CONTAINER_OF(engine, struct cpu_engine, engine);
	struct cpu_channel *channel;

	if (vault_alloc(sizeof(*channel), (void **)&channel))
		return -ENOMEM;
	channel->channel.engine = engine;
	channel->task.work = channel_work;
	channel->task.bound = true;
	counts_open(&cpu->counts, &channel->counts, channel->count_values);
	*out = &channel->channel;
	return 0;
}

static void cpu_channel_close(struct engine_channel *base)
{
	struct cpu_channel *channel;
	struct cpu_engine *cpu;

	if (!base)
		return;
	channel = CONTAINER_OF(base, struct cpu_channel, channel);
	cpu = CONTAINER_OF(base->engine, struct cpu_engine, engine);
	counts_close(&cpu->counts, &channel->counts);
	vault_free(channel, sizeof(*channel));
}

static int cpu_probe(const char *text, char *why, size_t why_bytes)
{
	struct cpu_params params;

	return cpu_params_parse(text, &params, why, why_bytes);
}

/* By default not more than CPUs: the others would wait for a helper without a CPU. */
static unsigned int crew_count_threads(const struct crew *crew, unsigned int asked)
{
	if (!crew)
		return 1;
	if (!asked)
		asked = MIN(crew_nr_cpus(crew), (unsigned int)THREADS_DEFAULT);
	return MIN(asked, crew_nr_workers(crew) + 1);
}

static int cpu_open(const struct engine_env *env, const char *text, struct engine **out, char *why,
		    size_t why_bytes)
{
	struct cpu_params params;
	struct cpu_engine *cpu;
	int err;

	err = cpu_params_parse(text, &params, why, why_bytes);
	if (err)
		return err;
	if (vault_alloc(sizeof(*cpu), (void **)&cpu)) {
		snprintf(why, why_bytes, "engine cpu: out of memory");
		return -ENOMEM;
	}
	cpu->engine.ops = &cpu_engine_ops;
	cpu->engine.depth = 1;
	cpu->engine.batch_items = BATCH_ITEMS;
	cpu->engine.hold = HOLD_MAX;
	counts_init(&cpu->counts, cpu->closed_counts, NR_CPU_COUNTS);
	cpu->crew = env ? env->crew : NULL;
	cpu->nr_threads = crew_count_threads(cpu->crew, params.nr_threads);
	cpu->split_bytes = params.split_bytes;
	cpu->kernel = params.kernel ? params.kernel : copy_kernel_best(PAGE_BYTES, 1);
	cpu->choice = params.kernel ? NULL : copy_choice_get();
	*out = &cpu->engine;
	return 0;
}

static void cpu_close(struct engine *engine)
{
	if (engine)
		vault_free(CONTAINER_OF(engine, struct cpu_engine, engine),
			   sizeof(struct cpu_engine));
}

struct report {
	engine_counter_fn fn;
	void *arg;
};

/* "kernel.2M.others.far.stream32x8", with the nanoseconds per MiB that it took in its race. */
static void report_choice(void *arg, const struct copy_kind *kind, const struct copy_kernel *kernel,
			  uint32_t ns_per_mib)
{
	static const char *const sizes[] = {[COPY_4K] = "4K", [COPY_64K] = "64K", [COPY_2M] = "2M"};
	const struct report *report = arg;

	counts_report(report->fn, report->arg, ns_per_mib, "kernel.%s%s%s.%s", sizes[kind->size],
		      kind->with_others ? ".others" : "", kind->other_node ? ".far" : "",
		      kernel->name);
}

static void cpu_report(struct engine *engine, engine_counter_fn fn, void *arg)
{
	struct cpu_engine *cpu = CONTAINER_OF(engine, struct cpu_engine, engine);
	struct report report = {fn, arg};
	uint64_t total[NR_CPU_COUNTS];

	counts_total(&cpu->counts, total);
	for (unsigned int i = 0; i < NR_CPU_COUNTS; i++)
		fn(arg, count_names[i], total[i]);
	if (cpu->choice)
		copy_choice_report(cpu->choice, report_choice, &report);
}

const struct engine_ops cpu_engine_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "cpu",
	.summary = "copies by CPU threads placed over the chiplets",
	.params_help = CPU_PARAMS_HELP,
	.priority = 0,
	.probe = cpu_probe,
	.open = cpu_open,
	.close = cpu_close,
	.channel_open = cpu_channel_open,
	.channel_close = cpu_channel_close,
	.submit = cpu_submit,
	.poll = cpu_poll,
	.counters = cpu_report,
};
