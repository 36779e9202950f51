// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Copies by CPU. The submitting thread copies small batches itself; larger ones it posts to the
 * crew and works on too, so it is never slower for having helpers. Nothing is ever in flight when
 * submit returns.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/vault.h"
#include "crew/crew.h"
#include "engines/cpu/grain.h"
#include "engines/cpu/kernels.h"
#include "engines/cpu/pace.h"
#include "engines/engine.h"
#include "engines/params.h"

/* Waking a helper takes as long as copying some tens of KiB. */
#define SPLIT_DEFAULT_BYTES (256UL << 10)
/* Batches from there on, and from each power of two above, learn on their own. */
#define NR_PACES 5
/*
 * What a thread takes at a time: an eighth of its share, so that nobody waits long at the end, but
 * enough to stream.
 */
#define GRAINS_PER_THREAD 8
#define GRAIN_MIN_BYTES   (64U << 10)
#define GRAIN_MAX_BYTES   (512U << 10)
/* Copy rates stop growing here (reference: eight threads over eight chiplets). */
#define THREADS_DEFAULT 8
#define BATCH_ITEMS     1024

#define PARAMS_HELP "kernel=NAME,threads=N,split=BYTES"

extern const struct engine_ops cpu_engine_ops;

/*
 * Counted by channel, with one writer: a locked instruction would wait for the streaming stores
 * before it, which a small batch would feel.
 */
struct cpu_counters {
	atomic_ullong nr_alone, nr_shared, nr_helped, bytes;
};

struct cpu_engine {
	struct engine engine;
	struct crew *crew;
	unsigned int nr_threads; /* the caller's included */
	uint64_t split_bytes;    /* smaller batches are the caller's alone */
	const struct copy_kernel *kernel;
	struct futex_lock lock; /* for the two below */
	struct cpu_channel *channels;
	struct cpu_counters closed; /* of channels that are gone */
};

struct cpu_channel {
	struct engine_channel channel;
	struct crew_task task;
	struct cpu_channel *prev, *next;
	struct cpu_counters counters;
	struct pace paces[NR_PACES]; /* by size */
	const struct engine_batch *batch;
	uint32_t grain_bytes;
	atomic_uint nr_helpers; /* workers that took a share of this batch */
	/* The next byte nobody has taken: item number in the upper half, offset in the lower. */
	__cacheline_aligned atomic_ullong cursor;
};

static void count(atomic_ullong *counter, uint64_t add)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, value + add, memory_order_relaxed);
}

static struct grain_at unpack(unsigned long long cursor)
{
	return (struct grain_at){(uint32_t)(cursor >> 32), (uint32_t)cursor};
}

static unsigned long long pack(struct grain_at position)
{
	return (unsigned long long)position.item << 32 | position.offset_bytes;
}

static bool take_grain(struct cpu_channel *channel, struct grain_at *start, struct grain_at *end)
{
	unsigned long long cursor = atomic_load_explicit(&channel->cursor, memory_order_relaxed);

	do {
		*start = unpack(cursor);
		if (start->item >= channel->batch->nr_items)
			return false;
		*end = grain_end(channel->batch, *start, channel->grain_bytes);
	} while (!atomic_compare_exchange_weak_explicit(
		&channel->cursor, &cursor, pack(*end), memory_order_relaxed, memory_order_relaxed));
	return true;
}

static bool share(struct crew_task *task, unsigned int worker)
{
	struct cpu_channel *channel = CONTAINER_OF(task, struct cpu_channel, task);
	struct cpu_engine *cpu = CONTAINER_OF(channel->channel.engine, struct cpu_engine, engine);
	struct grain_at start, end;
	bool any = false;

	while (take_grain(channel, &start, &end)) {
		copy_grain(cpu->kernel, channel->batch->items, start, end);
		any = true;
	}
	if (any)
		atomic_fetch_add_explicit(&channel->nr_helpers, 1, memory_order_relaxed);
	return false;
}

static void copy_shared(struct cpu_engine *cpu, struct cpu_channel *channel,
			const struct engine_batch *batch)
{
	uint64_t grain = batch->bytes / (cpu->nr_threads * GRAINS_PER_THREAD);

	channel->batch = batch;
	grain = MIN(MAX(grain, GRAIN_MIN_BYTES), GRAIN_MAX_BYTES);
	channel->grain_bytes = ALIGN_UP((uint32_t)grain, PAGE_BYTES);
	atomic_store_explicit(&channel->cursor, 0, memory_order_relaxed);
	atomic_store_explicit(&channel->nr_helpers, 0, memory_order_relaxed);
	channel->task.nr_wanted = cpu->nr_threads - 1;
	crew_run(cpu->crew, &channel->task, CREW_CALLER);

	count(&channel->counters.nr_shared, 1);
	if (atomic_load_explicit(&channel->nr_helpers, memory_order_relaxed) > 1)
		count(&channel->counters.nr_helped, 1);
}

static void copy_alone(struct cpu_engine *cpu, struct cpu_channel *channel,
		       const struct engine_batch *batch)
{
	copy_items(cpu->kernel, batch->items, batch->nr_items);
	count(&channel->counters.nr_alone, 1);
}

static struct pace *pace_of(struct cpu_channel *channel, uint64_t bytes)
{
	unsigned int class = 0;

	for (bytes /= SPLIT_DEFAULT_BYTES; bytes > 1 && class < NR_PACES - 1; bytes /= 2)
		class ++;
	return &channel->paces[class];
}

/* Alone or shared, whichever has been faster for batches of this size. */
static void copy_paced(struct cpu_engine *cpu, struct cpu_channel *channel,
		       const struct engine_batch *batch)
{
	struct pace *pace = pace_of(channel, batch->bytes);
	enum pace_way way = pace_choose(pace);
	uint64_t start = now_ns();

	if (way == PACE_SHARED)
		copy_shared(cpu, channel, batch);
	else
		copy_alone(cpu, channel, batch);
	pace_note(pace, way, batch->bytes, now_ns() - start);
}

static enum engine_verdict cpu_submit(struct engine_channel *base, struct engine_batch *batch)
{
	struct cpu_channel *channel = CONTAINER_OF(base, struct cpu_channel, channel);
	struct cpu_engine *cpu = CONTAINER_OF(base->engine, struct cpu_engine, engine);

	if (!batch->alone && cpu->nr_threads > 1 && batch->bytes >= cpu->split_bytes &&
	    crew_nr_idle(cpu->crew))
		copy_paced(cpu, channel, batch);
	else
		copy_alone(cpu, channel, batch);
	for (uint32_t i = 0; i < batch->nr_items; i++) {
		batch->items[i].state = ENGINE_COPIED;
		batch->items[i].detail = 0;
	}
	count(&channel->counters.bytes, batch->bytes);
	return ENGINE_DONE;
}

static int cpu_channel_open(struct engine *engine, int near_node, struct engine_channel **out)
{
	struct cpu_engine *cpu = CONTAINER_OF(engine, struct cpu_engine, engine);
	struct cpu_channel *channel;

	if (vault_alloc(sizeof(*channel), (void **)&channel))
		return -ENOMEM;
	channel->channel.engine = engine;
	channel->task.work = share;
	futex_lock(&cpu->lock);
	channel->next = cpu->channels;
	if (channel->next)
		channel->next->prev = channel;
	cpu->channels = channel;
	futex_unlock(&cpu->lock);
	*out = &channel->channel;
	return 0;
}

static void add_counters(struct cpu_counters *sum, const struct cpu_counters *more)
{
	count(&sum->nr_alone, atomic_load_explicit(&more->nr_alone, memory_order_relaxed));
	count(&sum->nr_shared, atomic_load_explicit(&more->nr_shared, memory_order_relaxed));
	count(&sum->nr_helped, atomic_load_explicit(&more->nr_helped, memory_order_relaxed));
	count(&sum->bytes, atomic_load_explicit(&more->bytes, memory_order_relaxed));
}

static void cpu_channel_close(struct engine_channel *base)
{
	struct cpu_channel *channel;
	struct cpu_engine *cpu;

	if (!base)
		return;
	channel = CONTAINER_OF(base, struct cpu_channel, channel);
	cpu = CONTAINER_OF(base->engine, struct cpu_engine, engine);
	futex_lock(&cpu->lock);
	*(channel->prev ? &channel->prev->next : &cpu->channels) = channel->next;
	if (channel->next)
		channel->next->prev = channel->prev;
	add_counters(&cpu->closed, &channel->counters);
	futex_unlock(&cpu->lock);
	vault_free(channel, sizeof(*channel));
}

struct cpu_params {
	const struct copy_kernel *kernel; /* NULL: by size */
	unsigned int nr_threads;          /* 0: by the crew */
	uint64_t split_bytes;
};

static int parse_kernel(const struct engine_param *param, struct cpu_params *params, char *why,
			size_t why_bytes)
{
	for (unsigned int i = 0; i < nr_copy_kernels; i++) {
		const struct copy_kernel *kernel = &copy_kernels[i];

		if (!engine_param_value(param, kernel->name))
			continue;
		if (!kernel->usable()) {
			snprintf(why, why_bytes, "engine cpu: kernel %s needs %s", kernel->name,
				 kernel->needs);
			return -EINVAL;
		}
		if (!kernel->vault_safe) {
			snprintf(why, why_bytes,
				 "engine cpu: kernel %s may touch memory that is being moved",
				 kernel->name);
			return -EINVAL;
		}
		params->kernel = kernel;
		return 0;
	}
	return engine_param_bad(param, "cpu", "unknown kernel", PARAMS_HELP, why, why_bytes);
}

static int parse(const char *text, struct cpu_params *params, char *why, size_t why_bytes)
{
	struct engine_param param;
	uint64_t number;

	*params = (struct cpu_params){.split_bytes = SPLIT_DEFAULT_BYTES};
	while (engine_param_next(&text, &param)) {
		bool good = true;

		if (engine_param_key(&param, "kernel")) {
			int err = parse_kernel(&param, params, why, why_bytes);

			if (err)
				return err;
		} else if (engine_param_key(&param, "threads")) {
			good = engine_param_number(&param, 1, PLACEMENT_MAX, &number);
			if (good)
				params->nr_threads = (unsigned int)number;
		} else if (engine_param_key(&param, "split")) {
			good = engine_param_number(&param, 0, UINT64_MAX, &params->split_bytes);
		} else {
			return engine_param_bad(&param, "cpu", "unknown parameter", PARAMS_HELP,
						why, why_bytes);
		}
		if (!good)
			return engine_param_bad(&param, "cpu", "bad number in", PARAMS_HELP, why,
						why_bytes);
	}
	return 0;
}

static int cpu_probe(const char *text, char *why, size_t why_bytes)
{
	struct cpu_params params;

	return parse(text, &params, why, why_bytes);
}

/* By default no more than there are CPUs: a helper without one is only waited for. */
static unsigned int count_threads(const struct crew *crew, unsigned int asked)
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

	err = parse(text, &params, why, why_bytes);
	if (err)
		return err;
	if (vault_alloc(sizeof(*cpu), (void **)&cpu)) {
		snprintf(why, why_bytes, "engine cpu: out of memory");
		return -ENOMEM;
	}
	cpu->engine.ops = &cpu_engine_ops;
	cpu->engine.depth = 1;
	cpu->engine.batch_items = BATCH_ITEMS;
	cpu->crew = env ? env->crew : NULL;
	cpu->nr_threads = count_threads(cpu->crew, params.nr_threads);
	cpu->split_bytes = params.split_bytes;
	cpu->kernel = params.kernel ? params.kernel : copy_kernel_best(PAGE_BYTES, 1);
	*out = &cpu->engine;
	return 0;
}

static void cpu_close(struct engine *engine)
{
	if (engine)
		vault_free(CONTAINER_OF(engine, struct cpu_engine, engine),
			   sizeof(struct cpu_engine));
}

static void cpu_report(struct engine *engine, engine_counter_fn fn, void *arg)
{
	struct cpu_engine *cpu = CONTAINER_OF(engine, struct cpu_engine, engine);
	struct cpu_counters sum = {0};

	futex_lock(&cpu->lock);
	add_counters(&sum, &cpu->closed);
	for (struct cpu_channel *channel = cpu->channels; channel; channel = channel->next)
		add_counters(&sum, &channel->counters);
	futex_unlock(&cpu->lock);
	fn(arg, "batches.alone", sum.nr_alone);
	fn(arg, "batches.shared", sum.nr_shared);
	fn(arg, "batches.helped", sum.nr_helped);
	fn(arg, "bytes", sum.bytes);
}

const struct engine_ops cpu_engine_ops = {
	.abi = ENGINE_ABI,
	.size = sizeof(struct engine_ops),
	.name = "cpu",
	.summary = "copies by CPU threads placed over the chiplets",
	.params_help = PARAMS_HELP,
	.priority = 0,
	.probe = cpu_probe,
	.open = cpu_open,
	.close = cpu_close,
	.channel_open = cpu_channel_open,
	.channel_close = cpu_channel_close,
	.submit = cpu_submit,
	.counters = cpu_report,
};
