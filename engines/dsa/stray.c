// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * After a timeout: what the device may still write to is quarantined until it has either completed
 * after all or answered a drain, which it does only when everything before it is done.
 */
#include "engines/dsa/dsa.h"

static void release(struct dsa_channel *ch, struct dsa_op *op)
{
	op->state = DSA_OP_FREE;
	ch->free_ops[ch->nr_free_ops++] = (uint32_t)(op - ch->ops);
	ch->nr_stray--;
	dsa_portal_retire(ch->portals[op->portal].portal, 1);
}

/* Submitted to a dead portal, so nothing of this channel comes behind it. */
static void drain(struct dsa_channel *ch, struct dsa_portal_ref *ref)
{
	struct dsa_hw_desc *desc = ch->stage;
	uint8_t status;

	if (!ref->drain.sent) {
		dsa_cr_clear(&ref->drain.cr);
		dsa_desc_drain(desc, 0, &ref->drain.cr);
		ref->drain.sent = dsa_portal_submit_drain(ref->portal, desc);
		if (ref->drain.sent)
			dsa_count(ch, DSA_CTR_DRAINS, 1);
		return;
	}
	status = dsa_cr_status(&ref->drain.cr);
	if (!status)
		return;
	dsa_count(ch, DSA_CTR_STATUS + status, 1);
	dsa_portal_retire(ref->portal, 1);
	ref->drain.sent = false;
	ref->drain.done = status == DSA_COMP_SUCCESS;
}

static uint32_t nr_strays(const struct dsa_channel *ch, uint32_t portal)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < ch->nr_ops; i++)
		nr += ch->ops[i].state == DSA_OP_STRAY && ch->ops[i].portal == portal;
	return nr;
}

static void settle(struct dsa_channel *ch, uint32_t portal)
{
	struct dsa_portal_ref *ref = &ch->portals[portal];

	ref->drain.done = false;
	if (ref->drain.sent || nr_strays(ch, portal))
		drain(ch, ref);
	for (uint32_t i = 0; i < ch->nr_ops; i++) {
		struct dsa_op *op = &ch->ops[i];

		if (op->state == DSA_OP_STRAY && op->portal == portal &&
		    (ref->drain.done || dsa_cr_status(&op->crs[0])))
			release(ch, op);
	}
}

bool dsa_channel_is_quiet(struct dsa_channel *ch)
{
	for (uint32_t p = 0; p < ch->nr_portals; p++)
		if (ch->nr_stray || ch->portals[p].drain.sent)
			settle(ch, p);
	return !ch->nr_stray;
}

bool dsa_channel_is_released(struct dsa_channel *ch)
{
	bool released = dsa_channel_is_quiet(ch);

	for (uint32_t p = 0; p < ch->nr_portals; p++)
		released &= !ch->portals[p].drain.sent;
	return released;
}
