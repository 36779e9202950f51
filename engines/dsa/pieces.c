// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Batches are cut into pieces as room becomes free, so a batch may have any length. Its scratch:
 * [0] time of submission, [1] item and [2] byte to cut next, [3] number of items for the device.
 * nr_left counts the pieces that have not ended, and one more while the batch is being cut.
 */
#include <sys/mman.h>

#include "base/clock.h"
#include "base/sys.h"
#include "engines/dsa/dsa.h"

#define POPULATE_READ  22
#define POPULATE_WRITE 23

#define MAX_RESUMES 8
/* Items of at least this size are cut into one piece per near device. */
#define SPLIT_BYTES (256U << 10)

/* Not an engine_state: no piece of the item has ended. */
#define STATE_OPEN 0xff

/* The null model copies nothing: its items are left to the CPU. */
static void batch_count_null(struct dsa_channel *ch, const struct engine_batch *batch)
{
	uint64_t bytes = batch->bytes;

	for (uint64_t i = batch->scratch[3]; i < batch->nr_items; i++)
		bytes -= batch->items[i].len_bytes;
	counts_add_fallback(&ch->counts, DSA_CTR_FALLBACK, NR_DSA_REASONS, DSA_REASON_NULL,
			    batch->scratch[3], bytes);
}

static void batch_done(struct dsa_channel *ch, struct engine_batch *batch)
{
	if (ch->engine->copies_nothing)
		batch_count_null(ch, batch);
	batch->next = NULL;
	*ch->done_tail = batch;
	ch->done_tail = &batch->next;
}

static void batch_parts_end(struct dsa_channel *ch, struct engine_batch *batch, uint32_t nr_parts)
{
	batch->nr_left -= nr_parts;
	if (!batch->nr_left)
		batch_done(ch, batch);
}

/* The worse of two pieces' states. Copied and not attempted make an item that is half copied. */
static enum engine_state state_worse(enum engine_state a, enum engine_state b)
{
	if (a == b)
		return a;
	if (a == ENGINE_STRAY || b == ENGINE_STRAY)
		return ENGINE_STRAY;
	if (a == ENGINE_FAULT || b == ENGINE_FAULT)
		return ENGINE_FAULT;
	return ENGINE_ERROR;
}

static void item_ends(struct engine_item *item, enum engine_state state, uint8_t detail)
{
	if (item->state == STATE_OPEN) {
		item->state = (uint8_t)state;
		item->detail = detail;
		return;
	}
	item->state = (uint8_t)state_worse(item->state, state);
	if (state != ENGINE_COPIED)
		item->detail = detail;
}

/* The item, or a part of it, was not copied: it counts once, for the first reason. */
static void item_left(struct dsa_channel *ch, struct engine_item *item, enum engine_state state,
		      uint8_t detail, enum dsa_reason reason)
{
	if (item->state == STATE_OPEN || item->state == ENGINE_COPIED)
		counts_add_fallback(&ch->counts, DSA_CTR_FALLBACK, NR_DSA_REASONS, reason, 1,
				    item->len_bytes);
	item_ends(item, state, detail);
}

void dsa_batch_declined(struct dsa_channel *ch, struct engine_batch *batch)
{
	for (uint32_t i = 0; i < batch->nr_items; i++) {
		batch->items[i].state = STATE_OPEN;
		item_left(ch, &batch->items[i], ENGINE_NOT_ATTEMPTED, 0, DSA_REASON_NO_DEVICE);
	}
}

/* nr_items: the device copies the first ones of the batch, the CPU the rest. */
void dsa_feed_batch(struct dsa_channel *ch, struct engine_batch *batch, uint32_t nr_items)
{
	for (uint32_t i = 0; i < nr_items; i++) {
		batch->items[i].state = STATE_OPEN;
		ch->waiting_bytes += batch->items[i].len_bytes;
	}
	batch->scratch[0] = now_ns();
	batch->scratch[1] = 0;
	batch->scratch[2] = 0;
	batch->scratch[3] = nr_items;
	batch->nr_left = 1;
	batch->next = NULL;
	*ch->feeding_tail = batch;
	ch->feeding_tail = &batch->next;
}

static void batch_end_feeding(struct dsa_channel *ch)
{
	struct engine_batch *batch = ch->feeding;

	ch->feeding = batch->next;
	if (!ch->feeding)
		ch->feeding_tail = &ch->feeding;
	batch_parts_end(ch, batch, 1);
}

uint32_t dsa_nr_near_alive(const struct dsa_channel *ch)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < ch->nr_portals; i++)
		nr += ch->portals[i].near && !dsa_portal_is_dead(ch->portals[i].portal);
	return MAX(nr, 1U);
}

static uint32_t piece_size(const struct dsa_channel *ch, uint32_t len_bytes)
{
	uint32_t most = ch->engine->max_piece_bytes;
	uint32_t share = len_bytes;

	if (ch->nr_portals > 1 && len_bytes >= SPLIT_BYTES)
		share = ALIGN_UP(len_bytes / dsa_nr_near_alive(ch), (uint32_t)PAGE_BYTES);
	return MIN(share, most);
}

static uint32_t batch_cut_piece(struct dsa_channel *ch)
{
	struct engine_batch *batch = ch->feeding;
	struct engine_item *item = &batch->items[batch->scratch[1]];
	uint32_t at = (uint32_t)batch->scratch[2];
	uint32_t len = MIN(piece_size(ch, item->len_bytes), item->len_bytes - at);
	uint32_t index = ch->free_pieces[--ch->nr_free_pieces];
	struct dsa_piece *piece = &ch->pieces[index];

	piece->batch = batch;
	piece->item = (uint32_t)batch->scratch[1];
	piece->kind = DSA_PIECE_COPY;
	piece->nr_resumes = 0;
	piece->touched = false;
	piece->dst = (uint8_t *)item->dst + at;
	piece->src = (const uint8_t *)item->src + at;
	piece->len_bytes = len;
	piece->from = 0;
	piece->to = len;
	piece->seed = 0;
	batch->nr_left++;
	batch->scratch[2] += len;
	if (batch->scratch[2] == item->len_bytes) {
		batch->scratch[1]++;
		batch->scratch[2] = 0;
	}
	if (batch->scratch[1] == batch->scratch[3])
		batch_end_feeding(ch);
	return index;
}

static uint32_t requeued_take(struct dsa_channel *ch)
{
	uint32_t index = ch->requeued.index[ch->requeued.head];

	ch->requeued.head = (ch->requeued.head + 1) % DSA_NR_PIECES;
	ch->requeued.nr--;
	return index;
}

static uint32_t piece_bytes_left(const struct dsa_piece *piece)
{
	return piece->to - piece->from;
}

int64_t dsa_next_piece(struct dsa_channel *ch)
{
	uint32_t index;

	if (ch->requeued.nr)
		index = requeued_take(ch);
	else if (ch->feeding && ch->nr_free_pieces)
		index = batch_cut_piece(ch);
	else
		return -1;
	ch->waiting_bytes -= piece_bytes_left(&ch->pieces[index]);
	return index;
}

bool dsa_pieces_wait(const struct dsa_channel *ch)
{
	return ch->requeued.nr || ch->feeding;
}

void dsa_requeue_piece(struct dsa_channel *ch, uint32_t index)
{
	ch->requeued.index[(ch->requeued.head + ch->requeued.nr++) % DSA_NR_PIECES] = index;
	ch->waiting_bytes += piece_bytes_left(&ch->pieces[index]);
}

static void piece_end(struct dsa_channel *ch, uint32_t index)
{
	ch->free_pieces[ch->nr_free_pieces++] = index;
	batch_parts_end(ch, ch->pieces[index].batch, 1);
}

static struct engine_item *piece_item(const struct dsa_piece *piece)
{
	return &piece->batch->items[piece->item];
}

static void piece_done(struct dsa_channel *ch, uint32_t index, enum engine_state state)
{
	item_ends(piece_item(&ch->pieces[index]), state, DSA_COMP_SUCCESS);
	piece_end(ch, index);
}

static void piece_left(struct dsa_channel *ch, uint32_t index, enum engine_state state,
		       uint8_t detail, enum dsa_reason reason)
{
	item_left(ch, piece_item(&ch->pieces[index]), state, detail, reason);
	piece_end(ch, index);
}

void dsa_piece_abandoned(struct dsa_channel *ch, uint32_t index, enum dsa_reason reason)
{
	bool touched = ch->pieces[index].touched;

	piece_left(ch, index, touched ? ENGINE_ERROR : ENGINE_NOT_ATTEMPTED, 0, reason);
}

void dsa_piece_stray(struct dsa_channel *ch, uint32_t index)
{
	piece_left(ch, index, ENGINE_STRAY, 0, DSA_REASON_HUNG);
}

static void piece_copied(struct dsa_channel *ch, uint32_t index,
			 const struct dsa_completion_record *cr)
{
	struct dsa_piece *piece = &ch->pieces[index];

	if (piece->kind == DSA_PIECE_CHECK) {
		if ((uint32_t)cr->crc_val == piece->crc)
			piece_done(ch, index, ENGINE_COPIED);
		else
			piece_left(ch, index, ENGINE_ERROR, DSA_COMP_SUCCESS, DSA_REASON_VERIFY);
		return;
	}
	if (ch->engine->copies_nothing) {
		piece_done(ch, index, ENGINE_NOT_ATTEMPTED);
		return;
	}
	if (ch->engine->options.verify == DSA_VERIFY_NONE) {
		piece_done(ch, index, ENGINE_COPIED);
		return;
	}
	piece->kind = DSA_PIECE_CHECK;
	piece->touched = true;
	piece->crc = (uint32_t)cr->crc_val;
	piece->from = 0;
	piece->to = piece->len_bytes;
	piece->seed = 0;
	dsa_requeue_piece(ch, index);
}

/* By madvise(2) rather than an access, which would crash on a bad address. */
static bool range_make_present(const void *addr, uint32_t len_bytes, bool write)
{
	uintptr_t start = ALIGN_DOWN((uintptr_t)addr, PAGE_BYTES);
	uintptr_t end = ALIGN_UP((uintptr_t)addr + len_bytes, PAGE_BYTES);

	return sys(SYS_madvise, start, end - start, write ? POPULATE_WRITE : POPULATE_READ) == 0;
}

static bool piece_make_present(const struct dsa_piece *piece)
{
	uint32_t len = piece_bytes_left(piece);

	if (piece->kind == DSA_PIECE_CHECK)
		return range_make_present(piece->dst + piece->from, len, false);
	return range_make_present(piece->src + piece->from, len, false) &&
	       range_make_present(piece->dst + piece->from, len, true);
}

/* Moves the piece past what the record reports as done. False if that exceeds the descriptor. */
static bool piece_advance(struct dsa_piece *piece, const struct dsa_completion_record *cr)
{
	uint32_t done = cr->bytes_completed;

	if (done > piece_bytes_left(piece))
		return false;
	if (cr->result == 1) {
		piece->to -= done;
		return true;
	}
	piece->from += done;
	if (done)
		piece->seed = (uint32_t)cr->crc_val;
	return true;
}

static void piece_partial(struct dsa_channel *ch, uint32_t index, uint8_t status,
			  const struct dsa_completion_record *cr)
{
	struct dsa_piece *piece = &ch->pieces[index];
	bool resume = ch->engine->options.on_partial == DSA_PARTIAL_RESUME &&
		      piece->nr_resumes++ < MAX_RESUMES;

	dsa_add(ch, status & DSA_COMP_STATUS_WRITE ? DSA_CTR_FAULT_WRITE : DSA_CTR_FAULT_READ, 1);
	piece->touched = true;
	if (resume && piece_advance(piece, cr) && piece->from < piece->to &&
	    piece_make_present(piece)) {
		dsa_add(ch, DSA_CTR_RESUMED, 1);
		dsa_requeue_piece(ch, index);
		return;
	}
	piece_left(ch, index, ENGINE_FAULT, status, DSA_REASON_FAULT);
}

/* A status by which the device refuses a descriptor before it has touched anything. */
static bool status_is_refusal(uint8_t status)
{
	return status >= DSA_COMP_BAD_OPCODE && status <= DSA_COMP_TRAFFIC_CLASS_CONF;
}

void dsa_piece_answered(struct dsa_channel *ch, uint32_t index, uint8_t status,
			const struct dsa_completion_record *cr)
{
	struct dsa_piece *piece = &ch->pieces[index];

	if (status == DSA_COMP_SUCCESS) {
		piece_copied(ch, index, cr);
		return;
	}
	if (!status) {
		dsa_piece_abandoned(ch, index, DSA_REASON_NOT_EXECUTED);
		return;
	}
	if (dsa_status_is_partial(status))
		piece_partial(ch, index, status, cr);
	else if (status_is_refusal(status) && !piece->touched)
		piece_left(ch, index, ENGINE_NOT_ATTEMPTED, status, DSA_REASON_REFUSED);
	else
		piece_left(ch, index, ENGINE_ERROR, status, DSA_REASON_ERROR);
}

static void batch_abandon_feeding(struct dsa_channel *ch, enum dsa_reason reason)
{
	struct engine_batch *batch = ch->feeding;
	uint64_t cut_bytes = batch->scratch[2];

	for (uint64_t i = batch->scratch[1]; i < batch->scratch[3]; i++) {
		ch->waiting_bytes -= batch->items[i].len_bytes - cut_bytes;
		cut_bytes = 0;
		item_left(ch, &batch->items[i], ENGINE_NOT_ATTEMPTED, 0, reason);
	}
	batch_end_feeding(ch);
}

void dsa_abandon_waiting(struct dsa_channel *ch, uint64_t came_ns, enum dsa_reason reason)
{
	for (uint32_t left = ch->requeued.nr; left; left--) {
		uint32_t index = (uint32_t)dsa_next_piece(ch);

		if (ch->pieces[index].batch->scratch[0] <= came_ns)
			dsa_piece_abandoned(ch, index, reason);
		else
			dsa_requeue_piece(ch, index);
	}
	while (ch->feeding && ch->feeding->scratch[0] <= came_ns)
		batch_abandon_feeding(ch, reason);
}
