/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an engine is: something that copies bytes.
 *
 * An engine gets (source, destination, length) items in batches and reports per item how each one
 * ended. It knows nothing of pages, userfaultfd or policy. The caller (the exchange mover, or
 * `migbench copy`) validates; an engine trusts.
 *
 *	engine_find("cpu") ─ ops->probe ─ ops->open ─┬─ ops->channel_open   (one per thread)
 *	                                             │    ops->submit  → DONE | QUEUED | BUSY
 *	                                             │    ops->poll    → finished batches
 *	                                             │  ops->channel_close
 *	                                             └─ ops->close
 *
 * Rules for those who write one:
 *  - While a batch is being served, pages of the process may be out (see DESIGN, exchange mover).
 *    Between submit and the batch's end an engine touches only: the batch, its items, their source
 *    and destination bytes, its own stack, and memory from vault_alloc(). No malloc, no stdio, no
 *    libc lock, no errno: system calls go through base/sys.h.
 *  - Every wait and every retry is bounded. A batch that was QUEUED comes back from poll in bounded
 *    time, whatever the device does.
 *  - An item is COPIED only if every byte of it was. Nothing else may be said of a doubtful one.
 *  - No constructors, no signal handlers, no output.
 */
#ifndef FERRY_ENGINE_H
#define FERRY_ENGINE_H

#include <stdint.h>

#include "base/base.h"

#define ENGINE_ABI 1

/* How one item ended. */
enum engine_state {
	ENGINE_NOT_ATTEMPTED = 0, /* nothing was written; the caller copies it by CPU */
	ENGINE_COPIED,            /* every byte is at the destination */
	ENGINE_FAULT,             /* source or destination could not be reached; partly written */
	ENGINE_ERROR,             /* the engine failed; the destination may be partly written */
	/*
	 * A hung device may still read the source and write the destination at any later time. The
	 * destination must not be used for anything until ops->quiet says so.
	 */
	ENGINE_STRAY,
};

struct engine_item {
	void *dst;
	const void *src;
	uint32_t len_bytes; /* ≥ 1; at most ENGINE_MAX_ITEM_BYTES */
	uint8_t state;      /* enum engine_state, set by the engine */
	uint8_t detail;     /* engine's own code (DSA: completion status), 0 none; for counters */
	uint16_t reserved;
};

#define ENGINE_MAX_ITEM_BYTES (1U << 30)

/*
 * Owned by the caller, who keeps it and its items in place until it has ended. Sources and
 * destinations of one batch never overlap. An engine may complete items in any order.
 */
struct engine_batch {
	struct engine_item *items;
	uint32_t nr_items;
	uint32_t nr_left;          /* engine's scratch: items not yet ended */
	uint64_t bytes;            /* sum of the items' lengths */
	uint64_t scratch[4];       /* engine's scratch while QUEUED */
	struct engine_batch *next; /* engine's scratch while QUEUED */
	void *owner;               /* the caller's */
	uint32_t nr_threads;       /* to copy with at most, the caller's included; 0: as you like */
	bool more;                 /* another batch follows at once, then poll: see engine.hold */
};

enum engine_verdict {
	ENGINE_DONE,   /* every item has its state now */
	ENGINE_QUEUED, /* accepted; comes out of poll exactly once */
	ENGINE_BUSY,   /* nothing was taken or touched; try again, or copy by CPU */
};

struct crew;

struct engine_env {
	struct crew
		*crew; /* helpers for engines that copy by CPU; NULL: the caller's thread only */
};

struct engine {
	const struct engine_ops *ops;
	uint32_t
		depth; /* batches worth keeping in flight per channel; 1 for a synchronous engine */
	uint32_t batch_items; /* items per batch the engine likes best */
	/*
	 * Batches marked `more` that it can hold back (QUEUED) until poll copies all of them
	 * together, in the calling thread and its helpers; 0: it has no use for that.
	 */
	uint32_t hold;
};

struct engine_channel {
	struct engine *engine;
};

/*
 * One counter, for reports: "descriptors", "retries", "fault.read" … Totals since open. Names that
 * engines share: fallback.REASON, items that were left to the CPU, and fallback.REASON.bytes, their
 * bytes; status.NAME, what the device said, in words. A device that says yes and copies nothing
 * (only to measure the way to it) has its items NOT_ATTEMPTED and counted as fallback.null.
 */
typedef void (*engine_counter_fn)(void *arg, const char *name, uint64_t value);

/* Parts what is missing from what mends it, where probe and open say why not. */
#define ENGINE_REMEDY " -> "

struct engine_ops {
	uint32_t abi;  /* ENGINE_ABI */
	uint32_t size; /* sizeof(struct engine_ops) */
	const char *name;
	const char *summary;     /* one line for --help and doctor */
	const char *params_help; /* "kernel=NAME,threads=N"; NULL: none */
	int priority;            /* higher is preferred by "auto"; negative: only by name */

	/*
	 * Can it be used here, now? 0, or -errno with one line in why: the first thing missing,
	 * ENGINE_REMEDY, and the command that mends it; without the latter two if there is none.
	 */
	int (*probe)(const char *params, char *why, size_t why_bytes);
	/* params: what stood behind "name:", NULL if nothing. -EINVAL: why names the bad one. */
	int (*open)(const struct engine_env *env, const char *params, struct engine **out,
		    char *why, size_t why_bytes);
	void (*close)(struct engine *engine); /* takes NULL and half-built ones */

	/* near_node: the destination's node, -1 unknown; for engines that have several devices. */
	int (*channel_open)(struct engine *engine, int near_node, struct engine_channel **out);
	void (*channel_close)(struct engine_channel *channel); /* nothing may be in flight */

	/* One thread at a time per channel. */
	enum engine_verdict (*submit)(struct engine_channel *channel, struct engine_batch *batch);
	/*
	 * Collects up to max finished batches, waiting at most wait_ns for the first. Returns their
	 * number. NULL in engines that never answer QUEUED.
	 */
	uint32_t (*poll)(struct engine_channel *channel, uint64_t wait_ns,
			 struct engine_batch **done, uint32_t max);
	/* True once no STRAY item of this channel can be written any more. NULL: never STRAY. */
	bool (*quiet)(struct engine_channel *channel);

	/*
	 * From any thread, while channels are in use; so it may wait for channel_open and
	 * channel_close, and they for it, but nothing else. No lock is held when fn is called. May
	 * be NULL.
	 */
	void (*counters)(struct engine *engine, engine_counter_fn fn, void *arg);
};

/* The static table, by falling priority; NULL-terminated. */
extern const struct engine_ops *const engine_table[];

/* "dsa:model,devices=4" → ops of "dsa", *params = "model,devices=4" (NULL without a colon). */
const struct engine_ops *engine_find(const char *spec, const char **params);

/*
 * Opens by spec; NULL or "auto" takes the best that probes well. A spec that starts with '/' is
 * a shared object exporting `engine_ops` (ABI checked).
 * -ENOENT unknown, -EPROTO wrong ABI, else what probe or open said; why has the sentence.
 */
int __must_check engine_open(const char *spec, const struct engine_env *env, struct engine **out,
			     char *why, size_t why_bytes);
void engine_close(struct engine *engine);

/* Ends the sentence before its remedy and returns that; NULL if it has none. */
const char *engine_cut_remedy(char *why);

#endif
