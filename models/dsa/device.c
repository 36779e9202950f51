// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The life of a descriptor in a device:
 *
 *	queued ── executed (result held back until it is due) ── completed
 *	   └───── hung ── queued again, or never
 */
#include "models/dsa/internal.h"

#define NEVER UINT64_MAX

static void set_add(struct dsa_set *set, uint32_t index)
{
	set->index[set->nr++] = index;
}

static uint32_t set_take(struct dsa_set *set, uint32_t at)
{
	uint32_t index = set->index[at];

	set->index[at] = set->index[--set->nr];
	return index;
}

/* A drain waits for every descriptor that was accepted before it. */
static bool entry_is_oldest(const struct dsa_device *device, const struct dsa_entry *entry)
{
	for (uint32_t i = 0; i < device->nr_entries; i++)
		if (device->entries[i].live && device->entries[i].seq < entry->seq)
			return false;
	return true;
}

static bool entry_may_run(const struct dsa_device *device, const struct dsa_entry *entry)
{
	return entry->desc.opcode != DSA_OPCODE_DRAIN || entry_is_oldest(device, entry);
}

/* A position in the queue, or queued.nr if nothing may run. */
static uint32_t device_choose_queued(struct dsa_device *device)
{
	uint32_t nr = device->queued.nr;
	uint32_t start = (uint32_t)model_below(&device->prng, nr);
	uint32_t best = nr;

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t at = (start + i) % nr;
		struct dsa_entry *entry = &device->entries[device->queued.index[at]];

		if (!entry_may_run(device, entry))
			continue;
		if (!device->model->config.in_order)
			return at;
		if (best == nr || entry->seq < device->entries[device->queued.index[best]].seq)
			best = at;
	}
	return best;
}

static void device_wake_hung(struct dsa_device *device, uint64_t now_ns, uint64_t *next_ns)
{
	for (uint32_t i = device->hung.nr; i-- > 0;) {
		struct dsa_entry *entry = &device->entries[device->hung.index[i]];

		if (entry->due_ns > now_ns) {
			*next_ns = MIN(*next_ns, entry->due_ns);
			continue;
		}
		entry->woken = true;
		set_add(&device->queued, set_take(&device->hung, i));
	}
}

static void entry_check_watched(struct dsa_model *model, const struct dsa_entry *entry,
				const struct dsa_watch *watch)
{
	bool changed;

	if (!model->config.watch)
		return;
	if (entry->desc.opcode == DSA_OPCODE_BATCH)
		changed = !watch->partial && entry->source_hash != watch->source_hash;
	else
		changed = entry->source_hash != dsa_watch_sources(model, &entry->desc);
	if (entry->list_hash != dsa_watch_list(model, &entry->desc))
		dsa_model_breach(model, DSA_RULE_B10);
	else if (changed)
		dsa_model_breach(model, DSA_RULE_E5);
}

/*
 * Frees the entry before it writes the record, both under the lock: a submitter that sees the
 * record must find room.
 */
static void entry_complete(struct dsa_device *device, uint32_t at)
{
	uint32_t index = set_take(&device->executed, at);
	struct dsa_entry *entry = &device->entries[index];
	uint64_t addr = entry->desc.completion_addr, bad;

	entry->live = false;
	set_add(&device->free, index);
	if (!entry->cr_wanted)
		return;
	if (!dsa_memory_writable(device->model, addr, DSA_CR_BYTES, true, &bad)) {
		dsa_model_breach(device->model, DSA_RULE_P7);
		device->sw_error = DSA_COMP_CRA_XLAT;
		dsa_model_add(device->model, DSA_COUNT_SW_ERRORS, 1);
		return;
	}
	dsa_write_cr(addr, &entry->result);
}

static bool device_complete_one(struct dsa_device *device, uint64_t now_ns, uint64_t *next_ns)
{
	uint32_t nr = device->executed.nr;
	uint32_t start = (uint32_t)model_below(&device->prng, nr);

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t at = (start + i) % nr;
		uint64_t due_ns = device->entries[device->executed.index[at]].due_ns;

		if (due_ns <= now_ns) {
			entry_complete(device, at);
			return true;
		}
		*next_ns = MIN(*next_ns, due_ns);
	}
	return false;
}

/* Draws the faults of a descriptor as a whole. False: it is not executed now. */
static bool entry_meet_fate(struct dsa_device *device, struct dsa_entry *entry, uint32_t index,
			    struct model_prng *prng, uint64_t now_ns)
{
	struct dsa_model *model = device->model;
	uint64_t hang_ns = model->config.hang_ns;

	if (entry->woken || entry->desc.opcode == DSA_OPCODE_NOOP ||
	    entry->desc.opcode == DSA_OPCODE_DRAIN)
		return true;
	if (dsa_model_fault(model, prng, DSA_FAULT_HALT)) {
		device->halted = true;
		set_add(&device->queued, index);
		return false;
	}
	if (dsa_model_fault(model, prng, DSA_FAULT_HANG)) {
		entry->due_ns = hang_ns ? now_ns + hang_ns / 2 + model_below(prng, hang_ns) : NEVER;
		set_add(&device->hung, index);
		return false;
	}
	if (dsa_model_fault(model, prng, DSA_FAULT_LATE))
		entry->due_ns += model->config.late_ns;
	entry->cr_wanted = !dsa_model_fault(model, prng, DSA_FAULT_LOST);
	return true;
}

/* Returns the bytes moved. */
static uint64_t entry_execute(struct dsa_device *device, struct dsa_entry *entry,
			      struct model_prng *prng, struct dsa_watch *watch)
{
	uint64_t bytes = dsa_execute(device, &entry->desc, false, prng, &entry->result);

	if (entry->desc.opcode != DSA_OPCODE_BATCH)
		return bytes;
	if (entry->result.status == DSA_COMP_SUCCESS)
		return dsa_execute_batch(device, &entry->desc, prng, &entry->result, watch);
	watch->partial = true;
	return 0;
}

static void entry_run(struct dsa_device *device, struct dsa_entry *entry, uint32_t index,
		      struct model_prng *prng, uint64_t now_ns)
{
	struct model_speed speed = device->model->config.speed;
	struct dsa_watch watch = {0};
	uint64_t bytes = 0;

	futex_unlock(&device->lock);
	/* Without a usable record address the device has nowhere to report: it executes nothing. */
	if (entry->cr_was_good) {
		bytes = entry_execute(device, entry, prng, &watch);
		entry->cr_wanted &= dsa_wants_cr(device, &entry->desc, entry->result.status);
		entry_check_watched(device->model, entry, &watch);
	} else {
		entry->cr_wanted = false;
	}
	futex_lock(&device->lock);
	speed.bytes_per_us = atomic_load(&device->model->bytes_per_us);
	device->busy_until_ns =
		MAX(device->busy_until_ns, now_ns) + model_transfer_ns(&speed, bytes);
	entry->due_ns = MAX(entry->due_ns, device->busy_until_ns);
	entry->due_ns += model_below(prng, speed.jitter_ns);
	set_add(&device->executed, index);
}

static bool device_execute_one(struct dsa_device *device, uint64_t now_ns)
{
	uint32_t at = device_choose_queued(device);
	struct model_prng prng;
	struct dsa_entry *entry;
	uint32_t index;

	if (at == device->queued.nr)
		return false;
	index = set_take(&device->queued, at);
	entry = &device->entries[index];
	prng = model_prng_for(entry->fate, 0);
	entry->cr_wanted = true;
	if (entry_meet_fate(device, entry, index, &prng, now_ns))
		entry_run(device, entry, index, &prng, now_ns);
	return true;
}

bool dsa_device_work(struct dsa_device *device, uint64_t now_ns, uint64_t *next_ns)
{
	bool worked = false;

	*next_ns = NEVER;
	futex_lock(&device->lock);
	if (!device->halted) {
		device_wake_hung(device, now_ns, next_ns);
		worked = device_complete_one(device, now_ns, next_ns) ||
			 device_execute_one(device, now_ns);
	}
	futex_unlock(&device->lock);
	return worked;
}

uint32_t dsa_model_outstanding(struct dsa_model *model, uint32_t device)
{
	struct dsa_device *dev = &model->devices[device];
	uint32_t nr;

	futex_lock(&dev->lock);
	nr = dev->nr_entries - dev->free.nr;
	futex_unlock(&dev->lock);
	return nr;
}

void dsa_model_set_rate(struct dsa_model *model, uint64_t bytes_per_us)
{
	atomic_store(&model->bytes_per_us, bytes_per_us);
}

void dsa_model_halt(struct dsa_model *model, uint32_t device)
{
	struct dsa_device *dev = &model->devices[device];

	futex_lock(&dev->lock);
	dev->halted = true;
	futex_unlock(&dev->lock);
}
