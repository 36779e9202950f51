// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/vault.h"
#include "engines/dsa/portal.h"
#include "hw/dsa/status.h"

/*
 * A device that works answers a NOOP in microseconds. Increasing this delays the refusal of a
 * broken device; decreasing it refuses a working one when this thread loses its CPU.
 */
#define PROBE_TIMEOUT_NS (500 * NS_PER_MS)
/* Times the timeout: other processes may keep a shared queue full. */
#define PROBE_ACCEPT 4
#define PROBE_TRIES  3

static void portal_add_refusal(struct dsa_portal *portal, const char *mode, const char *why)
{
	size_t len = strlen(portal->refusals);

	snprintf(portal->refusals + len, sizeof(portal->refusals) - len, "%s%s: %s",
		 len ? "; " : "", mode, why);
}

/* Reserves room for up to nr descriptors, of `limit` in flight. Returns for how many. */
static uint32_t portal_reserve(struct dsa_portal *portal, uint32_t nr, uint32_t limit)
{
	uint32_t used = atomic_load_explicit(&portal->in_flight, memory_order_relaxed);
	uint32_t take;

	do {
		take = used < limit ? MIN(nr, limit - used) : 0;
		if (!take)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&portal->in_flight, &used, used + take,
							memory_order_relaxed,
							memory_order_relaxed));
	return take;
}

static uint32_t portal_submit_within(struct dsa_portal *portal, const struct dsa_hw_desc *descs,
				     uint32_t nr, uint32_t limit)
{
	uint32_t room = portal_reserve(portal, nr, limit);
	int taken;

	if (!room)
		return 0;
	taken = portal->ops->submit(portal, descs, room);
	if (taken < 0) {
		atomic_store_explicit(&portal->error, taken, memory_order_relaxed);
		atomic_store_explicit(&portal->dead, true, memory_order_relaxed);
		taken = 0;
	}
	if ((uint32_t)taken < room)
		dsa_portal_retire(portal, room - (uint32_t)taken);
	return (uint32_t)taken;
}

uint32_t dsa_portal_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	uint32_t limit = UINT32_MAX;

	if (dsa_portal_is_dead(portal))
		return 0;
	if (portal->ops->posted)
		limit = MAX(portal->queue.size - 1, 1U);
	return portal_submit_within(portal, descs, nr, limit);
}

bool dsa_portal_submit_drain(struct dsa_portal *portal, const struct dsa_hw_desc *desc)
{
	return portal_submit_within(portal, desc, 1,
				    portal->ops->posted ? portal->queue.size : UINT32_MAX) == 1;
}

/* Lives as long as the portal, because a late device may still write to it. */
struct probe_page {
	struct dsa_hw_desc list[2] __attribute__((aligned(DSA_DESC_BYTES)));
	struct dsa_hw_desc desc __attribute__((aligned(DSA_DESC_BYTES)));
	struct dsa_completion_record crs[3] __attribute__((aligned(DSA_CR_BYTES)));
};

static uint8_t portal_wait_record(struct dsa_portal *portal, const struct dsa_completion_record *cr,
				  uint64_t timeout_ns)
{
	uint64_t deadline_ns = now_ns() + timeout_ns;

	while (!dsa_cr_status(cr) && now_ns() < deadline_ns) {
		if (portal->ops->idle)
			portal->ops->idle(portal);
		cpu_relax();
	}
	/* This thread may have lost its CPU between the last look and the deadline. */
	return dsa_cr_status(cr);
}

/* Submits page->desc, whose record is crs[0]. 0, or -errno and the reason. */
static int portal_try(struct dsa_portal *portal, struct probe_page *page, uint64_t timeout_ns,
		      char *why, size_t why_bytes)
{
	uint64_t deadline_ns = now_ns() + PROBE_ACCEPT * timeout_ns;
	uint8_t status;
	int taken;

	for (unsigned int i = 0; i < ARRAY_SIZE(page->crs); i++)
		dsa_cr_clear(&page->crs[i]);
	do {
		taken = portal->ops->submit(portal, &page->desc, 1);
	} while (taken == 0 && now_ns() < deadline_ns);
	if (taken <= 0) {
		snprintf(why, why_bytes, "%s",
			 taken ? strerror(-taken)
			       : "the queue accepts nothing: full, disabled or halted");
		return taken ? taken : -EAGAIN;
	}
	status = portal_wait_record(portal, &page->crs[0], timeout_ns);
	if (status == DSA_COMP_SUCCESS)
		return 0;
	snprintf(why, why_bytes, "%s (status 0x%02x)%s", dsa_status_name(status), status,
		 status ? "" : ": see `dmesg | grep idxd`");
	return status ? -EIO : -ETIMEDOUT;
}

static int portal_probe_noop(struct dsa_portal *portal, uint64_t timeout_ns, char *why,
			     size_t why_bytes)
{
	struct probe_page *page = portal->probe_page;

	dsa_desc_noop(&page->desc, 0, &page->crs[0]);
	return portal_try(portal, page, MAX(timeout_ns, PROBE_TIMEOUT_NS), why, why_bytes);
}

/* The limits in sysfs do not tell whether a process may submit batches: try it. */
static void portal_probe_batch(struct dsa_portal *portal)
{
	struct probe_page *page = portal->probe_page;
	char why[128];

	portal->max_batch = 1;
	if (portal->queue.max_batch < 2) {
		portal_add_refusal(portal, "batch", "the queue's max_batch_size is below 2");
		return;
	}
	for (int i = 0; i < PROBE_TRIES; i++) {
		int err;

		dsa_desc_noop(&page->list[0], 0, &page->crs[1]);
		dsa_desc_noop(&page->list[1], 0, &page->crs[2]);
		dsa_desc_batch(&page->desc, 0, &page->crs[0], page->list, 2);
		err = portal_try(portal, page, PROBE_TIMEOUT_NS, why, sizeof(why));
		if (!err) {
			portal->max_batch = portal->queue.max_batch;
			return;
		}
		/* The device may still write the record: do not use it again. */
		if (err == -ETIMEDOUT || err == -EINVAL)
			break;
	}
	portal_add_refusal(portal, "batch", why);
}

static int portal_open_mode(struct dsa_portal *portal, const struct dsa_portal_ops *ops,
			    uint64_t timeout_ns)
{
	char why[192] = "";
	int err;

	portal->ops = ops;
	err = ops->open(portal, why, sizeof(why));
	if (!err) {
		err = portal_probe_noop(portal, timeout_ns, why, sizeof(why));
		if (err)
			ops->close(portal);
	}
	if (err) {
		portal->ops = NULL;
		portal_add_refusal(portal, ops->name, why);
	}
	return err;
}

int dsa_portal_open(struct dsa_portal *portal, const struct dsa_queue *queue,
		    struct dsa_model *model, uint32_t model_device, uint64_t timeout_ns)
{
	const struct dsa_portal_ops *const *mode = model ? dsa_model_modes : dsa_hardware_modes;
	int err;

	*portal = (struct dsa_portal){
		.file = OWN_FD_NONE, .model = model, .model_device = model_device};
	portal->queue = *queue;
	err = vault_alloc(sizeof(struct probe_page), &portal->probe_page);
	if (err)
		return err;
	err = -ENODEV;
	for (; *mode && err; mode++) {
		err = portal_open_mode(portal, *mode, timeout_ns);
		if (err == -ETIMEDOUT)
			break;
	}
	if (err) {
		/* After a timeout the device may still write to the page: leak it. */
		if (err != -ETIMEDOUT)
			vault_free(portal->probe_page, sizeof(struct probe_page));
		portal->probe_page = NULL;
		return err;
	}
	portal_probe_batch(portal);
	return 0;
}

void dsa_portal_remedy(const struct dsa_portal *portal, int err, char *text, size_t text_bytes)
{
	if (err == -EACCES)
		snprintf(text, text_bytes, "setfacl -m u:$USER:rw %s", portal->queue.path);
	else
		snprintf(text, text_bytes,
			 "fix the cause named there; `dmesg | grep idxd` may have details");
}

void dsa_portal_close(struct dsa_portal *portal)
{
	if (!portal->ops)
		return;
	portal->ops->close(portal);
	portal->ops = NULL;
	vault_free(portal->probe_page, sizeof(struct probe_page));
	portal->probe_page = NULL;
}
