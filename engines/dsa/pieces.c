// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Batches are cut into pieces as room comes free, so a batch of any length is taken. A batch's
 * scratch: [0] when it came, [1] the item and [2] the byte to cut next, [3] items for the device.
 * nr_left counts pieces under way, and one more while the batch is being cut.
 */
#include <sys/mman.h>

#include "base/clock.h"
#include "base/sys.h"
#include "engines/dsa/dsa.h"

#define POPULATE_READ  22
#define POPULATE_WRITE 23

#define MAX_RESUMES 8
/* From here on an item is cut so that every device near it gets a share. */
#define SPLIT_BYTES (256U << 10)

/* Not an engine_state: nothing has been said about the item. */
#define STATE_OPEN 0xff

/* The null device says yes to everything and copies nothing: its items are the CPU's. */
static void count_null(struct dsa_channel *ch, const struct engine_batch *batch)
{
	uint64_t bytes = batch->bytes;

	for (uint64_t i = batch->scratch[3]; i < batch->nr_items; i++)
		bytes -= batch->items[i].len_bytes;
	counts_add_fallback(&ch->counts, DSA_CTR_FALLBACK, NR_DSA_REASONS, DSA_REASON_NULL,
			    batch->scratch[3], bytes);
}

static void push_done(struct dsa_channel *ch, struct engine_batch *batch)
{
	if (ch->engine->copies_nothing)
		count_null(ch, batch);
	batch->next = NULL;
	*ch->done_tail = batch;
	ch->done_tail = &batch->next;
}

static void batch_parts_end(struct dsa_channel *ch, struct engine_batch *batch, uint32_t nr_parts)
{
	batch->nr_left -= nr_parts;
	if (!batch->nr_left)
		push_done(ch, batch);
}

/* The worst that happened to any piece; pieces copied and pieces never begun make a half item. */
static enum engine_state worse(enum engine_state a, enum engine_state b)
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
	item->state = (uint8_t)worse(item->state, state);
	if (state != ENGINE_COPIED)
		item->detail = detail;
}

/* Some of it, or all, was not copied: it is the CPU's then, for the reason that came first. */
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

/* nr_items: the first of the batch's; the rest is somebody else's to copy. */
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

static void end_feeding(struct dsa_channel *ch)
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

static uint32_t piece_bytes(const struct dsa_channel *ch, uint32_t len_bytes)
{
	uint32_t most = ch->engine->max_piece_bytes;
	uint32_t share = len_bytes;

	if (ch->nr_portals > 1 && len_bytes >= SPLIT_BYTES)
		share = ALIGN_UP(len_bytes / dsa_nr_near_alive(ch), (uint32_t)PAGE_BYTES);
	return MIN(share, most);
}

static uint32_t cut(struct dsa_channel *ch)
{
	struct engine_batch *batch = ch->feeding;
	struct engine_item *item = &batch->items[batch->scratch[1]];
	uint32_t at = (uint32_t)batch->scratch[2];
	uint32_t len = MIN(piece_bytes(ch, item->len_bytes), item->len_bytes - at);
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
		end_feeding(ch);
	return index;
}

static uint32_t take_requeued(struct dsa_channel *ch)
{
	uint32_t index = ch->requeued.index[ch->requeued.head];

	ch->requeued.head = (ch->requeued.head + 1) % DSA_NR_PIECES;
	ch->requeued.nr--;
	return index;
}

static uint32_t bytes_left(const struct dsa_piece *piece)
{
	return piece->to - piece->from;
}

int64_t dsa_next_piece(struct dsa_channel *ch)
{
	uint32_t index;

	if (ch->requeued.nr)
		index = take_requeued(ch);
	else if (ch->feeding && ch->nr_free_pieces)
		index = cut(ch);
	else
		return -1;
	ch->waiting_bytes -= bytes_left(&ch->pieces[index]);
	return index;
}

bool dsa_pieces_wait(const struct dsa_channel *ch)
{
	return ch->requeued.nr || ch->feeding;
}

void dsa_requeue_piece(struct dsa_channel *ch, uint32_t index)
{
	ch->requeued.index[(ch->requeued.head + ch->requeued.nr++) % DSA_NR_PIECES] = index;
	ch->waiting_bytes += bytes_left(&ch->pieces[index]);
}

static void end_piece(struct dsa_channel *ch, uint32_t index)
{
	ch->free_pieces[ch->nr_free_pieces++] = index;
	batch_parts_end(ch, ch->pieces[index].batch, 1);
}

static struct engine_item *item_of(const struct dsa_piece *piece)
{
	return &piece->batch->items[piece->item];
}

static void piece_done(struct dsa_channel *ch, uint32_t index, enum engine_state state)
{
	item_ends(item_of(&ch->pieces[index]), state, DSA_COMP_SUCCESS);
	end_piece(ch, index);
}

static void piece_left(struct dsa_channel *ch, uint32_t index, enum engine_state state,
		       uint8_t detail, enum dsa_reason reason)
{
	item_left(ch, item_of(&ch->pieces[index]), state, detail, reason);
	end_piece(ch, index);
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

static void copied(struct dsa_channel *ch, uint32_t index, const struct dsa_completion_record *cr)
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

/* Asking the kernel for the page instead of touching it: a bad address is then no crash. */
static bool make_present(const void *addr, uint32_t len_bytes, bool write)
{
	uintptr_t start = ALIGN_DOWN((uintptr_t)addr, PAGE_BYTES);
	uintptr_t end = ALIGN_UP((uintptr_t)addr + len_bytes, PAGE_BYTES);

	return sys(SYS_madvise, start, end - start, write ? POPULATE_WRITE : POPULATE_READ) == 0;
}

static bool mend(const struct dsa_piece *piece)
{
	uint32_t len = bytes_left(piece);

	if (piece->kind == DSA_PIECE_CHECK)
		return make_present(piece->dst + piece->from, len, false);
	return make_present(piece->src + piece->from, len, false) &&
	       make_present(piece->dst + piece->from, len, true);
}

/* The record may claim anything; what is outside the descriptor ends the piece. */
static bool advance(struct dsa_piece *piece, const struct dsa_completion_record *cr)
{
	uint32_t done = cr->bytes_completed;

	if (done > bytes_left(piece))
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

static void partial(struct dsa_channel *ch, uint32_t index, uint8_t status,
		    const struct dsa_completion_record *cr)
{
	struct dsa_piece *piece = &ch->pieces[index];
	bool resume = ch->engine->options.on_partial == DSA_PARTIAL_RESUME &&
		      piece->nr_resumes++ < MAX_RESUMES;

	dsa_count(ch, status & DSA_COMP_STATUS_WRITE ? DSA_CTR_FAULT_WRITE : DSA_CTR_FAULT_READ, 1);
	piece->touched = true;
	if (resume && advance(piece, cr) && piece->from < piece->to && mend(piece)) {
		dsa_count(ch, DSA_CTR_RESUMED, 1);
		dsa_requeue_piece(ch, index);
		return;
	}
	piece_left(ch, index, ENGINE_FAULT, status, DSA_REASON_FAULT);
}

/* Refusals come before the device has touched anything. */
static bool is_refusal(uint8_t status)
{
	return status >= DSA_COMP_BAD_OPCODE && status <= DSA_COMP_TRAFFIC_CLASS_CONF;
}

void dsa_piece_answered(struct dsa_channel *ch, uint32_t index, uint8_t status,
			const struct dsa_completion_record *cr)
{
	struct dsa_piece *piece = &ch->pieces[index];

	if (status == DSA_COMP_SUCCESS) {
		copied(ch, index, cr);
		return;
	}
	if (!status) {
		dsa_piece_abandoned(ch, index, DSA_REASON_NOT_EXECUTED);
		return;
	}
	if (dsa_status_is_partial(status))
		partial(ch, index, status, cr);
	else if (is_refusal(status) && !piece->touched)
		piece_left(ch, index, ENGINE_NOT_ATTEMPTED, status, DSA_REASON_REFUSED);
	else
		piece_left(ch, index, ENGINE_ERROR, status, DSA_REASON_ERROR);
}

static void abandon_feeding(struct dsa_channel *ch, enum dsa_reason reason)
{
	struct engine_batch *batch = ch->feeding;
	uint64_t cut_bytes = batch->scratch[2];

	for (uint64_t i = batch->scratch[1]; i < batch->scratch[3]; i++) {
		ch->waiting_bytes -= batch->items[i].len_bytes - cut_bytes;
		cut_bytes = 0;
		item_left(ch, &batch->items[i], ENGINE_NOT_ATTEMPTED, 0, reason);
	}
	end_feeding(ch);
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
		abandon_feeding(ch, reason);
}
