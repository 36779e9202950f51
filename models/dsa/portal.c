// SPDX-License-Identifier: LGPL-2.1-or-later
/* Submission: what ENQCMD, MOVDIR64B and the kernel's write() do with a descriptor. */
#include <errno.h>

#include "base/clock.h"
#include "models/dsa/internal.h"

#define ENQCMDS_RETRIES 32

enum take { TAKEN, FULL, REFUSED };

static void device_ring(struct dsa_device *device)
{
	atomic_fetch_add(&device->bell, 1);
	if (atomic_load(&device->nr_asleep))
		futex_wake(&device->bell, 1);
}

/* The null model: a record of success, at once. */
static void null_complete(struct dsa_model *model, const struct dsa_hw_desc *desc)
{
	uint64_t *cr = (uint64_t *)(uintptr_t)desc->completion_addr;
	uint64_t done = desc->opcode == DSA_OPCODE_BATCH ? desc->desc_count : 0;

	dsa_model_add(model, DSA_COUNT_ACCEPTED, 1);
	if (desc->flags & IDXD_OP_FLAG_RCR)
		__atomic_store_n(cr, done << 32 | DSA_COMP_SUCCESS, __ATOMIC_RELEASE);
}

static void device_insert(struct dsa_device *device, const struct dsa_entry *prepared)
{
	uint32_t index = device->free.index[--device->free.nr];
	struct dsa_entry *entry = &device->entries[index];
	struct model_prng fate;

	*entry = *prepared;
	entry->live = true;
	entry->seq = device->next_seq++;
	fate = model_prng_for(device->model->config.seed +
				      (uint64_t)(device - device->model->devices),
			      entry->seq);
	entry->fate = model_random(&fate);
	device->queued.index[device->queued.nr++] = index;
}

static uint64_t model_clock(const struct dsa_model *model)
{
	return model->config.stepped ? model->step_ns : now_ns();
}

static enum take device_take(struct dsa_device *device, const void *desc, bool posted)
{
	struct dsa_model *model = device->model;
	const struct dsa_model_config *config = &model->config;
	struct dsa_entry entry = {0};
	enum take taken = TAKEN;

	entry.desc = *(const struct dsa_hw_desc *)desc;
	if (config->null) {
		null_complete(model, &entry.desc);
		return TAKEN;
	}
	entry.due_ns = model_clock(model) + config->speed.latency_ns;
	if (config->watch) {
		entry.source_hash = dsa_watch_sources(model, &entry.desc);
		entry.list_hash = dsa_watch_list(model, &entry.desc);
	}
	futex_lock(&device->lock);
	if (device->halted)
		taken = REFUSED;
	else if (posted)
		taken = device->nr_entries - device->free.nr < config->wq_size ? TAKEN : FULL;
	else if (device->queued.nr >= config->wq_threshold || !device->free.nr ||
		 dsa_model_fault(model, &device->prng, DSA_FAULT_RETRY))
		taken = FULL;
	if (taken == TAKEN) {
		entry.cr_was_good = dsa_check_cr(device, &entry.desc);
		device_insert(device, &entry);
	}
	futex_unlock(&device->lock);
	if (taken == TAKEN) {
		dsa_model_add(model, DSA_COUNT_ACCEPTED, 1);
		device_ring(device);
	}
	return taken;
}

int dsa_model_mmap(const struct dsa_model *model)
{
	return model->config.rawio ? 0 : -EPERM;
}

bool dsa_model_enqcmd(struct dsa_model *model, uint32_t device, uint32_t offset, const void *desc)
{
	bool accepted = false;

	if (offset % DSA_DESC_BYTES || offset >= DSA_MODEL_PORTAL_BYTES)
		dsa_model_breach(model, DSA_RULE_P2);
	else if (model->config.dedicated)
		dsa_model_breach(model, DSA_RULE_P1);
	else if (*(const uint32_t *)desc)
		dsa_model_breach(model, DSA_RULE_P5);
	else
		accepted = device_take(&model->devices[device], desc, false) == TAKEN;
	if (!accepted)
		dsa_model_add(model, DSA_COUNT_RETRIES, 1);
	return accepted;
}

static bool device_post(struct dsa_model *model, struct dsa_device *device, const void *desc)
{
	enum take taken = device_take(device, desc, true);

	if (taken == TAKEN)
		return true;
	if (taken == FULL) {
		dsa_model_breach(model, DSA_RULE_P4);
		device->sw_error = DSA_SWERR_DWQ_OVERFLOW;
		dsa_model_add(model, DSA_COUNT_SW_ERRORS, 1);
	}
	return false;
}

void dsa_model_movdir64b(struct dsa_model *model, uint32_t device, uint32_t offset,
			 const void *data, size_t len_bytes)
{
	bool kept = false;

	if (len_bytes != DSA_DESC_BYTES || offset % DSA_DESC_BYTES ||
	    offset >= DSA_MODEL_PORTAL_BYTES)
		dsa_model_breach(model, DSA_RULE_P2);
	else if (!model->config.dedicated)
		dsa_model_breach(model, DSA_RULE_P1);
	else
		kept = device_post(model, &model->devices[device], data);
	if (!kept)
		dsa_model_add(model, DSA_COUNT_DROPS, 1);
}

static int device_write_one(struct dsa_model *model, struct dsa_device *device, const void *from)
{
	struct dsa_hw_desc desc = *(const struct dsa_hw_desc *)from;

	if (desc.opcode == DSA_OPCODE_BATCH && !model->config.submission_safe)
		return -EINVAL;
	if (desc.completion_addr & (DSA_CR_BYTES - 1))
		return -EINVAL;
	desc.pasid = 0;
	desc.priv = 0;
	if (model->config.dedicated) {
		if (!device_post(model, device, &desc))
			dsa_model_add(model, DSA_COUNT_DROPS, 1);
		return 0;
	}
	for (int i = 0; i < ENQCMDS_RETRIES; i++) {
		if (device_take(device, &desc, false) == TAKEN)
			return 0;
		dsa_model_add(model, DSA_COUNT_RETRIES, 1);
	}
	return -EAGAIN;
}

long dsa_model_write(struct dsa_model *model, uint32_t device, const void *buf, size_t len_bytes)
{
	const char *from = buf;
	size_t done;
	uint64_t bad;

	if (sys(SYS_getpid) != model->owner_pid)
		return -EPERM;
	for (done = 0; done + DSA_DESC_BYTES <= len_bytes; done += DSA_DESC_BYTES) {
		int err = -EFAULT;

		if (dsa_memory_readable(model, (uintptr_t)from + done, DSA_DESC_BYTES, true, &bad))
			err = device_write_one(model, &model->devices[device], from + done);
		if (err)
			return done ? (long)done : err;
	}
	return (long)done;
}
