// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sends pieces as descriptors to the least loaded device, and reaps completion records. */
#include "base/clock.h"
#include "base/wait.h"
#include "engines/device/instructions.h"
#include "engines/dsa/dsa.h"

/* A device's share of what waits is at least this: smaller batches do not pay. */
#define SHARE_BYTES (32U << 10)

#define MAX_LIST_FAULTS 8

#define SPIN_ROUNDS   256
#define YIELD_ROUNDS  2048
#define UMWAIT_CYCLES 100000

static struct dsa_portal *op_portal(struct dsa_channel *ch, const struct dsa_op *op)
{
	return ch->portals[op->portal].portal;
}

static uint32_t portal_load(const struct dsa_portal_ref *ref)
{
	return atomic_load_explicit(&ref->portal->in_flight, memory_order_relaxed) * 2 +
	       ref->distance;
}

/* The least loaded near portal; if there is none, of all. -1: none takes anything. */
static int channel_choose_portal(const struct dsa_channel *ch, uint64_t full)
{
	int best = -1;

	for (uint32_t i = 0; i < ch->nr_portals; i++) {
		const struct dsa_portal_ref *ref = &ch->portals[i];

		if ((full >> i & 1) || dsa_portal_is_dead(ref->portal))
			continue;
		if (best < 0 || (ref->near && !ch->portals[best].near) ||
		    (ref->near == ch->portals[best].near &&
		     portal_load(ref) < portal_load(&ch->portals[best])))
			best = (int)i;
	}
	return best;
}

static void piece_describe(const struct dsa_channel *ch, const struct dsa_piece *piece,
			   struct dsa_hw_desc *desc, struct dsa_completion_record *cr)
{
	uint32_t len = piece->to - piece->from;

	dsa_cr_clear(cr);
	if (piece->kind == DSA_PIECE_CHECK)
		dsa_desc_crcgen(desc, 0, cr, piece->dst + piece->from, len, piece->seed);
	else if (ch->engine->options.verify == DSA_VERIFY_CRC)
		dsa_desc_copy_crc(desc, 0, cr, piece->dst + piece->from, piece->src + piece->from,
				  len, piece->seed);
	else
		dsa_desc_memmove(desc, 0, cr, piece->dst + piece->from, piece->src + piece->from,
				 len);
}

static struct dsa_op *op_take(struct dsa_channel *ch, uint32_t portal, uint64_t until_ns)
{
	struct dsa_op *op = &ch->ops[ch->free_ops[--ch->nr_free_ops]];
	struct dsa_portal *at = ch->portals[portal].portal;

	op->nr_pieces = 0;
	op->is_batch = false;
	op->portal = portal;
	patience_begin(&op->patience, until_ns, atomic_load(&at->nr_ended),
		       atomic_load(&at->in_flight));
	return op;
}

static void op_free(struct dsa_channel *ch, struct dsa_op *op)
{
	op->state = DSA_OP_FREE;
	ch->free_ops[ch->nr_free_ops++] = (uint32_t)(op - ch->ops);
}

static void op_fly(struct dsa_channel *ch, struct dsa_op *op)
{
	op->state = DSA_OP_FLYING;
	ch->flying[ch->nr_flying++] = (uint32_t)(op - ch->ops);
}

/* The device did not accept it: the pieces wait again. */
static void op_ground(struct dsa_channel *ch, struct dsa_op *op)
{
	for (uint32_t i = 0; i < op->nr_pieces; i++)
		dsa_requeue_piece(ch, op->pieces[i]);
	op_free(ch, op);
}

static void count_sent(struct dsa_channel *ch, enum dsa_counter kind, uint32_t nr_ops,
		       uint32_t nr_pieces, uint64_t nr_bytes)
{
	dsa_add(ch, kind, nr_ops);
	dsa_add(ch, DSA_CTR_DESCRIPTORS, nr_pieces);
	dsa_add(ch, DSA_CTR_BYTES, nr_bytes);
}

/* Takes up to `most` pieces, but no more than this device's share of what waits. */
static uint64_t op_gather(struct dsa_channel *ch, struct dsa_op *op, uint32_t most)
{
	uint32_t nr_devices = dsa_nr_near_alive(ch);
	uint64_t share = ch->waiting_bytes, bytes = 0;
	int64_t piece;

	if (nr_devices > 1)
		share = MAX(share / nr_devices, (uint64_t)SHARE_BYTES);
	while (op->nr_pieces < most && bytes < share && (piece = dsa_next_piece(ch)) >= 0) {
		op->pieces[op->nr_pieces++] = (uint32_t)piece;
		bytes += ch->pieces[piece].to - ch->pieces[piece].from;
	}
	return bytes;
}

static bool portal_send_batch(struct dsa_channel *ch, uint32_t portal, uint64_t until_ns)
{
	struct dsa_op *op = op_take(ch, portal, until_ns);
	struct dsa_hw_desc *desc = ch->stage;
	uint64_t bytes = op_gather(ch, op, MIN(ch->op_descs, op_portal(ch, op)->max_batch));

	op->is_batch = op->nr_pieces > 1;
	if (op->is_batch) {
		for (uint32_t i = 0; i < op->nr_pieces; i++)
			piece_describe(ch, &ch->pieces[op->pieces[i]], &op->descs[i],
				       &op->crs[1 + i]);
		dsa_cr_clear(&op->crs[0]);
		dsa_desc_batch(desc, 0, &op->crs[0], op->descs, op->nr_pieces);
	} else if (op->nr_pieces) {
		piece_describe(ch, &ch->pieces[op->pieces[0]], desc, &op->crs[0]);
	}
	if (!op->nr_pieces || !dsa_portal_submit(op_portal(ch, op), desc, 1)) {
		op_ground(ch, op);
		return false;
	}
	op_fly(ch, op);
	count_sent(ch, op->is_batch ? DSA_CTR_BATCHES : DSA_CTR_SINGLES, 1, op->nr_pieces, bytes);
	return true;
}

/* Without batches: as many single descriptors as there is room for, in one submission. */
static bool portal_send_singles(struct dsa_channel *ch, uint32_t portal, uint64_t until_ns)
{
	struct dsa_op *staged[DSA_STAGE];
	uint32_t nr = 0, taken;
	uint64_t bytes = 0;
	int64_t piece;

	while (nr < DSA_STAGE && ch->nr_free_ops && (piece = dsa_next_piece(ch)) >= 0) {
		struct dsa_op *op = op_take(ch, portal, until_ns);

		op->pieces[op->nr_pieces++] = (uint32_t)piece;
		piece_describe(ch, &ch->pieces[piece], &ch->stage[nr], &op->crs[0]);
		staged[nr++] = op;
	}
	taken = nr ? dsa_portal_submit(ch->portals[portal].portal, ch->stage, nr) : 0;
	for (uint32_t i = 0; i < nr; i++) {
		if (i < taken) {
			const struct dsa_piece *p = &ch->pieces[staged[i]->pieces[0]];

			bytes += p->to - p->from;
			op_fly(ch, staged[i]);
		} else {
			op_ground(ch, staged[i]);
		}
	}
	count_sent(ch, DSA_CTR_SINGLES, taken, taken, bytes);
	return taken == nr && nr;
}

static bool channel_has_portal(const struct dsa_channel *ch)
{
	for (uint32_t i = 0; i < ch->nr_portals; i++)
		if (!dsa_portal_is_dead(ch->portals[i].portal))
			return true;
	return false;
}

/*
 * Operations in flight have patience of their own, and make room when they end. Without any in
 * flight the queues are full of other submitters' work, or accept nothing at all.
 */
static void channel_await_turn(struct dsa_channel *ch, uint64_t now)
{
	uint64_t timeout_ns = ch->engine->options.timeout_ns;
	uint32_t nr_ended = 0, nr_ahead = 0;

	if (ch->nr_flying)
		return;
	for (uint32_t i = 0; i < ch->nr_portals; i++) {
		nr_ended += atomic_load(&ch->portals[i].portal->nr_ended);
		nr_ahead += atomic_load(&ch->portals[i].portal->in_flight);
	}
	if (ch->turn.until_ns) {
		if (!patience_is_over(&ch->turn, now, timeout_ns, nr_ended))
			return;
		dsa_abandon_waiting(ch, now - MIN(now, timeout_ns), DSA_REASON_FULL);
	}
	patience_begin(&ch->turn, now + timeout_ns, nr_ended, nr_ahead);
}

void dsa_send_waiting(struct dsa_channel *ch)
{
	uint64_t timeout_ns = ch->engine->options.timeout_ns;
	uint64_t full = 0, now;
	int portal;

	if (!dsa_pieces_wait(ch))
		return;
	now = now_ns();
	while (dsa_pieces_wait(ch) && ch->nr_free_ops &&
	       (portal = channel_choose_portal(ch, full)) >= 0) {
		bool batches = ch->portals[portal].portal->max_batch > 1;
		bool sent = batches ? portal_send_batch(ch, (uint32_t)portal, now + timeout_ns)
				    : portal_send_singles(ch, (uint32_t)portal, now + timeout_ns);

		if (!sent) {
			full |= 1ULL << portal;
			dsa_add(ch, DSA_CTR_FULL, 1);
		}
	}
	if (!dsa_pieces_wait(ch))
		return;
	if (!channel_has_portal(ch))
		dsa_abandon_waiting(ch, UINT64_MAX, DSA_REASON_NO_DEVICE);
	else
		channel_await_turn(ch, now);
}

/*
 * A piece of a batch without a record of its own: the status of the batch says why. After a page
 * fault on the list the device did not read the descriptor, and it is sent again; after a refusal
 * the device executed nothing.
 */
static void piece_answer_silent(struct dsa_channel *ch, uint32_t piece, uint8_t batch_status,
				const struct dsa_completion_record *cr)
{
	uint8_t code = dsa_status_code(batch_status);

	if (code == DSA_COMP_BATCH_PAGE_FAULT && ch->pieces[piece].nr_resumes < MAX_LIST_FAULTS) {
		ch->pieces[piece].nr_resumes++;
		dsa_requeue_piece(ch, piece);
	} else if (code == DSA_COMP_BATCH_PAGE_FAULT || code == DSA_COMP_BATCH_FAIL) {
		dsa_piece_answered(ch, piece, 0, cr);
	} else {
		dsa_piece_answered(ch, piece, batch_status, cr);
	}
}

static void count_statuses(struct dsa_channel *ch, uint8_t status, uint32_t nr)
{
	dsa_add(ch, DSA_CTR_STATUS + status, nr);
}

/* Success of the batch means success of all its descriptors: their records need not be read. */
static void op_answer_success(struct dsa_channel *ch, const struct dsa_op *op)
{
	count_statuses(ch, DSA_COMP_SUCCESS, op->nr_pieces);
	for (uint32_t i = 0; i < op->nr_pieces; i++)
		dsa_piece_answered(ch, op->pieces[i], DSA_COMP_SUCCESS, &op->crs[1 + i]);
}

static void op_answer_batch(struct dsa_channel *ch, const struct dsa_op *op, uint8_t batch_status)
{
	if (dsa_status_code(batch_status) == DSA_COMP_BATCH_PAGE_FAULT)
		dsa_add(ch, DSA_CTR_FAULT_LIST, 1);
	for (uint32_t i = 0; i < op->nr_pieces; i++) {
		const struct dsa_completion_record *cr = &op->crs[1 + i];
		uint8_t status = dsa_cr_status(cr);

		if (!status) {
			piece_answer_silent(ch, op->pieces[i], batch_status, cr);
			continue;
		}
		count_statuses(ch, status, 1);
		dsa_piece_answered(ch, op->pieces[i], status, cr);
	}
}

static void op_answer(struct dsa_channel *ch, const struct dsa_op *op, uint8_t status)
{
	count_statuses(ch, status, 1);
	if (!op->is_batch)
		dsa_piece_answered(ch, op->pieces[0], status, &op->crs[0]);
	else if (status == DSA_COMP_SUCCESS)
		op_answer_success(ch, op);
	else
		op_answer_batch(ch, op, status);
}

/*
 * A timeout. No channel uses the device again, and the memory that it may still write, the
 * destinations and the records of this op, stays reserved until the device has been drained.
 */
static void op_give_up(struct dsa_channel *ch, struct dsa_op *op)
{
	dsa_add(ch, DSA_CTR_TIMEOUTS, 1);
	dsa_add(ch, DSA_CTR_STRAY, 1);
	atomic_store_explicit(&op_portal(ch, op)->dead, true, memory_order_relaxed);
	op->state = DSA_OP_STRAY;
	ch->nr_stray++;
	for (uint32_t i = 0; i < op->nr_pieces; i++) {
		const struct dsa_completion_record *cr = &op->crs[1 + i];
		uint8_t status = op->is_batch ? dsa_cr_status(cr) : 0;

		if (!status) {
			dsa_piece_stray(ch, op->pieces[i]);
			continue;
		}
		count_statuses(ch, status, 1);
		dsa_piece_answered(ch, op->pieces[i], status, cr);
	}
}

void dsa_reap(struct dsa_channel *ch)
{
	uint64_t timeout_ns = ch->engine->options.timeout_ns;
	uint64_t now = 0;

	for (uint32_t i = ch->nr_flying; i-- > 0;) {
		struct dsa_op *op = &ch->ops[ch->flying[i]];
		uint8_t status = dsa_cr_status(&op->crs[0]);

		if (!status) {
			now = now ? now : now_ns();
			if (!patience_is_over(&op->patience, now, timeout_ns,
					      atomic_load(&op_portal(ch, op)->nr_ended)))
				continue;
		}
		ch->flying[i] = ch->flying[--ch->nr_flying];
		ch->turn.until_ns = 0;
		if (!status) {
			op_give_up(ch, op);
			continue;
		}
		op_answer(ch, op, status);
		dsa_portal_answered(op_portal(ch, op));
		op_free(ch, op);
	}
}

void dsa_relax(struct dsa_channel *ch, uint32_t *nr_rounds)
{
	struct dsa_portal *first = ch->portals[0].portal;

	if (first->ops->idle)
		first->ops->idle(first);
	if (++*nr_rounds < SPIN_ROUNDS)
		cpu_relax();
	else if (*nr_rounds >= YIELD_ROUNDS)
		step_aside(*nr_rounds - YIELD_ROUNDS);
	else if (ch->engine->can_umwait && ch->nr_flying)
		device_umwait(&ch->ops[ch->flying[0]].crs[0], UMWAIT_CYCLES);
	else
		for (int i = 0; i < 8; i++)
			cpu_relax();
}
