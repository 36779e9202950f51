/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interface of engines, which copy bytes.
 *
 * An engine takes items (source, destination, length) in batches and reports the state of each
 * item. It knows nothing of pages, userfaultfd or policy. The caller (the exchange mover, or
 * `migbench copy`) validates; the engine trusts.
 *
 *	engine_find("cpu") ─ ops->probe ─ ops->open ─┬─ ops->channel_open   (one per thread)
 *	                                             │    ops->submit  → DONE | QUEUED | BUSY
 *	                                             │    ops->poll    → finished batches
 *	                                             │  ops->channel_close
 *	                                             └─ ops->close
 *
 * Rules for engines:
 *  - While a batch is being served, pages of the process may be in flight (docs/architecture.md,
 *    The exchange mover). From submit to the end of the batch an engine touches only the batch, its
 *    items, their source and destination bytes, its own stack, and memory from vault_alloc(). No
 *    malloc, no stdio, no libc lock, no errno: system calls go through base/sys.h.
 *  - Every wait and every retry is bounded. A QUEUED batch comes back from poll in bounded time,
 *    whatever the device does.
 *  - An item is COPIED only if every byte of it was copied. In doubt it is not COPIED.
 *  - No constructors, no signal handlers, no output.
 */
#ifndef FERRY_ENGINE_H
#define FERRY_ENGINE_H

#include <stdint.h>

#include "base/base.h"

#define ENGINE_ABI 1

/* The state of an item at the end of its batch. */
enum engine_state {
	ENGINE_NOT_ATTEMPTED = 0, /* nothing was written; the caller copies it */
	ENGINE_COPIED,            /* every byte is at the destination */
	ENGINE_FAULT, /* source or destination is not accessible; may be partly written */
	ENGINE_ERROR, /* the engine failed; the destination may be partly written */
	/*
	 * A hung device may still read the source and write the destination. The caller must not
	 * use the destination until ops->quiet returns true.
	 */
	ENGINE_STRAY,
};

struct engine_item {
	void *dst;
	const void *src;
	uint32_t len_bytes; /* ≥ 1; at most ENGINE_MAX_ITEM_BYTES */
	uint8_t state;      /* enum engine_state, set by the engine */
	uint8_t detail;     /* the engine's own code (DSA: completion status); 0: none */
	uint16_t reserved;
};

#define ENGINE_MAX_ITEM_BYTES (1U << 30)

/*
 * The caller owns the batch and keeps it and its items in place until it has ended. Sources and
 * destinations of a batch never overlap. An engine may complete items in any order.
 */
struct engine_batch {
	struct engine_item *items;
	uint32_t nr_items;
	uint32_t nr_left;          /* the engine's while QUEUED: items that have not ended */
	uint64_t bytes;            /* sum of the items' lengths */
	uint64_t scratch[4];       /* the engine's while QUEUED */
	struct engine_batch *next; /* the engine's while QUEUED */
	void *owner;               /* the caller's */
	uint32_t nr_threads;       /* the most to copy with, including the caller; 0: no limit */
	bool more;                 /* another batch follows at once, then poll: see engine.hold */
	/* Hints, which only speed depends on: the folios, 0 if unknown; and where they go. */
	uint32_t folio_bytes;
	bool other_node;
};

enum engine_verdict {
	ENGINE_DONE,   /* every item has its state */
	ENGINE_QUEUED, /* accepted; poll returns it exactly once */
	ENGINE_BUSY,   /* not accepted, nothing was touched; try again, or copy by CPU */
};

struct crew;

struct engine;

struct engine_env {
	struct crew *crew; /* helpers of engines that copy by CPU; NULL: only the calling thread */
	/* engine_open(), for engines that wrap another one. The registry sets it. */
	int (*open_inner)(const char *spec, const struct engine_env *env, struct engine **out,
			  char *why, size_t why_bytes);
};

struct engine {
	const struct engine_ops *ops;
	uint32_t depth;       /* batches per channel worth keeping in flight; 1: synchronous */
	uint32_t batch_items; /* the preferred number of items per batch */
	/*
	 * The most batches marked `more` that submit holds back (QUEUED) until poll copies all of
	 * them together, in the calling thread and its helpers. 0: submit holds none back.
	 */
	uint32_t hold;
};

struct engine_channel {
	struct engine *engine;
};

/*
 * Reports one counter, a total since open: "descriptors", "retries", "fault.read" … Engines share
 * the names fallback.REASON, items left to the CPU, fallback.REASON.bytes, their bytes, and
 * status.NAME, answers of the device. Items of a null device, which reports success and copies
 * nothing, end as NOT_ATTEMPTED and count as fallback.null.
 */
typedef void (*engine_counter_fn)(void *arg, const char *name, uint64_t value);

/* In the reasons of probe and open: separates the diagnosis from the remedy. */
#define ENGINE_REMEDY " -> "

struct engine_ops {
	uint32_t abi;  /* ENGINE_ABI */
	uint32_t size; /* sizeof(struct engine_ops) */
	const char *name;
	const char *summary;     /* one line for --help and doctor */
	const char *params_help; /* "kernel=NAME,threads=N"; NULL: none */
	int priority;            /* higher is preferred by "auto"; negative: only by name */

	/*
	 * Can the engine be used here and now? 0, or -errno with one line in why: the first thing
	 * that is missing and, if there is one, ENGINE_REMEDY and the command that fixes it.
	 */
	int (*probe)(const char *params, char *why, size_t why_bytes);
	/* params: the text after "name:", or NULL. -EINVAL: why names the bad parameter. */
	int (*open)(const struct engine_env *env, const char *params, struct engine **out,
		    char *why, size_t why_bytes);
	void (*close)(struct engine *engine); /* takes NULL and half-built ones */

	/* near_node: the destination's node, -1 if unknown; for engines with several devices. */
	int (*channel_open)(struct engine *engine, int near_node, struct engine_channel **out);
	void (*channel_close)(struct engine_channel *channel); /* nothing may be in flight */

	/* One thread at a time per channel. */
	enum engine_verdict (*submit)(struct engine_channel *channel, struct engine_batch *batch);
	/*
	 * Returns up to max finished batches, and their number. Waits up to wait_ns for the first.
	 * NULL in engines that never return QUEUED.
	 */
	uint32_t (*poll)(struct engine_channel *channel, uint64_t wait_ns,
			 struct engine_batch **done, uint32_t max);
	/* True if no STRAY item of this channel can be written any more. NULL: never STRAY. */
	bool (*quiet)(struct engine_channel *channel);

	/*
	 * Called from any thread while channels are in use. It may wait for channel_open and
	 * channel_close and they for it, but nothing else waits. It holds no lock when it calls fn.
	 * May be NULL.
	 */
	void (*counters)(struct engine *engine, engine_counter_fn fn, void *arg);
};

/* The built-in engines, by descending priority; NULL-terminated. */
extern const struct engine_ops *const engine_table[];

/* "dsa:model,devices=4" → ops of "dsa", *params = "model,devices=4" (NULL without a colon). */
const struct engine_ops *engine_find(const char *spec, const char **params);

/*
 * Opens an engine by spec. NULL or "auto": the first in the table whose probe succeeds. A spec that
 * starts with '/' is a shared object that exports `engine_ops`, whose ABI is checked.
 * -ENOENT unknown, -EPROTO wrong ABI, else the error of probe or open; why has the reason.
 */
int __must_check engine_open(const char *spec, const struct engine_env *env, struct engine **out,
			     char *why, size_t why_bytes);
void engine_close(struct engine *engine);

/* Cuts the remedy off the reason and returns it; NULL if the reason has none. */
const char *engine_cut_remedy(char *why);

#endif
