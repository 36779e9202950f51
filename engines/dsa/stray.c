// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * After a timeout: memory that the device may still write stays in quarantine until the operation
 * has completed after all, or the device has completed a drain, which waits for everything before
 * it.
 */
#include "engines/dsa/dsa.h"

static void op_release(struct dsa_channel *ch, struct dsa_op *op)
{
	op->state = DSA_OP_FREE;
	ch->free_ops[ch->nr_free_ops++] = (uint32_t)(op - ch->ops);
	ch->nr_stray--;
	dsa_portal_retire(ch->portals[op->portal].portal, 1);
}

/* The portal is dead, so this channel submits nothing after the drain. */
static void portal_drain(struct dsa_channel *ch, struct dsa_portal_ref *ref)
{
	struct dsa_hw_desc *desc = ch->stage;
	uint8_t status;

	if (!ref->drain.sent) {
		dsa_cr_clear(&ref->drain.cr);
		dsa_desc_drain(desc, 0, &ref->drain.cr);
		ref->drain.sent = dsa_portal_submit_drain(ref->portal, desc);
		if (ref->drain.sent)
			dsa_add(ch, DSA_CTR_DRAINS, 1);
		return;
	}
	status = dsa_cr_status(&ref->drain.cr);
	if (!status)
		return;
	dsa_add(ch, DSA_CTR_STATUS + status, 1);
	dsa_portal_retire(ref->portal, 1);
	ref->drain.sent = false;
	ref->drain.done = status == DSA_COMP_SUCCESS;
}

static uint32_t portal_nr_strays(const struct dsa_channel *ch, uint32_t portal)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < ch->nr_ops; i++)
		nr += ch->ops[i].state == DSA_OP_STRAY && ch->ops[i].portal == portal;
	return nr;
}

static void portal_settle(struct dsa_channel *ch, uint32_t portal)
{
	struct dsa_portal_ref *ref = &ch->portals[portal];

	ref->drain.done = false;
	if (ref->drain.sent || portal_nr_strays(ch, portal))
		portal_drain(ch, ref);
	for (uint32_t i = 0; i < ch->nr_ops; i++) {
		struct dsa_op *op = &ch->ops[i];

		if (op->state == DSA_OP_STRAY && op->portal == portal &&
		    (ref->drain.done || dsa_cr_status(&op->crs[0])))
			op_release(ch, op);
	}
}

bool dsa_channel_is_quiet(struct dsa_channel *ch)
{
	for (uint32_t p = 0; p < ch->nr_portals; p++)
		if (ch->nr_stray || ch->portals[p].drain.sent)
			portal_settle(ch, p);
	return !ch->nr_stray;
}

bool dsa_channel_is_released(struct dsa_channel *ch)
{
	bool released = dsa_channel_is_quiet(ch);

	for (uint32_t p = 0; p < ch->nr_portals; p++)
		released &= !ch->portals[p].drain.sent;
	return released;
}
