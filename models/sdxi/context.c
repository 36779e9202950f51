// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context: reading its ring, choosing what runs next, stopping. */
#include <errno.h>

#include "base/clock.h"
#include "models/sdxi/internal.h"

#define STRAY_NS (20 * NS_PER_MS)

static uint8_t context_state(const struct sdxi_model_context *cxt)
{
	return __atomic_load_n(&cxt->sts->state, __ATOMIC_RELAXED);
}

static void context_set_state(struct sdxi_model_context *cxt, enum sdxi_cxt_state state)
{
	__atomic_store_n(&cxt->sts->state, (uint8_t)state, __ATOMIC_RELEASE);
}

void sdxi_fail(struct sdxi_model_context *cxt, enum sdxi_cxt_state stop_as)
{
	if (context_state(cxt) != SDXI_CXT_RUN)
		return;
	cxt->stop_as = (uint8_t)stop_as;
	context_set_state(cxt, SDXI_CXT_STOPG_FN);
}

/* By atomic words: a producer that breaks the rules may be writing to the slot. */
static void slot_read(const struct sdxi_desc *slot, struct sdxi_desc *out)
{
	out->qw[0] = __atomic_load_n(&slot->qw[0], __ATOMIC_ACQUIRE);
	for (unsigned int i = 1; i < ARRAY_SIZE(out->qw); i++)
		out->qw[i] = __atomic_load_n(&slot->qw[i], __ATOMIC_RELAXED);
}

static bool desc_equals(const struct sdxi_desc *a, const struct sdxi_desc *b)
{
	uint64_t differs = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(a->qw); i++)
		differs |= a->qw[i] ^ b->qw[i];
	return !differs;
}

static struct sdxi_desc *context_next_slot(const struct sdxi_model_context *cxt)
{
	return &cxt->descs[cxt->read_index % cxt->nr_entries];
}

/* A descriptor that was seen valid must not have changed since. */
static bool context_peek_holds(struct sdxi_model_context *cxt)
{
	struct sdxi_desc now;

	if (!cxt->peeked)
		return true;
	cxt->peeked = false;
	slot_read(context_next_slot(cxt), &now);
	if (desc_equals(&now, &cxt->peek))
		return true;
	sdxi_model_breach(cxt->model, SDXI_RULE_CHANGED);
	return false;
}

static struct pending *context_free_pending(struct sdxi_model_context *cxt)
{
	for (unsigned int i = 0; i < WINDOW; i++)
		if (cxt->window[i].state == PENDING_FREE)
			return &cxt->window[i];
	return NULL;
}

static void pending_draw_faults(struct sdxi_model_context *cxt, struct pending *pending)
{
	struct sdxi_model *model = cxt->model;

	pending->prng = model_prng_for(model->config.seed, cxt->serial << 40 ^ cxt->read_index);
	pending->faults = 0;
	for (unsigned int i = 0; i < SDXI_NR_FAULTS && !pending->broken; i++) {
		if (!model_chance(&pending->prng, model->config.fault_ppm[i]))
			continue;
		pending->faults |= 1U << i;
		sdxi_model_count(&model->faults[i]);
	}
	pending->state = PENDING_READY;
	if (pending->faults & 1U << SDXI_FAULT_HANG)
		pending->state = PENDING_HUNG;
	if (pending->faults & 1U << SDXI_FAULT_STRAY)
		pending->state = PENDING_STRAY;
}

static void context_take(struct sdxi_model_context *cxt, struct pending *pending)
{
	struct sdxi_desc *slot = context_next_slot(cxt);

	slot_read(slot, &pending->desc);
	pending->broken =
		context_peek_holds(cxt) ? sdxi_check_desc(cxt, &pending->desc) : SDXI_RULE_CHANGED;
	if (pending->broken && pending->broken != SDXI_RULE_CHANGED)
		sdxi_model_breach(cxt->model, pending->broken);
	pending_draw_faults(cxt, pending);
	cxt->nr_pending++;
	sdxi_model_count(&cxt->model->descriptors);
	if (cxt->clears_valid)
		__atomic_store_n(&slot->qw[0], pending->desc.qw[0] & ~(uint64_t)SDXI_DSC_VL,
				 __ATOMIC_RELEASE);
	__atomic_store_n(&cxt->sts->read_index, ++cxt->read_index, __ATOMIC_RELEASE);
}

/*
 * How far to read: up to the doorbell or, as a function may, up to Write_Index. -1 if the
 * producer's index is out of range.
 */
static int64_t context_limit(struct sdxi_model_context *cxt)
{
	uint64_t write = __atomic_load_n(cxt->write_index, __ATOMIC_ACQUIRE);

	if (write < cxt->seen_write_index || write - cxt->read_index > cxt->nr_entries) {
		sdxi_model_breach(cxt->model, SDXI_RULE_WRITE_INDEX);
		sdxi_fail(cxt, SDXI_CXT_ERR_FN);
		return -1;
	}
	cxt->seen_write_index = write;
	return (int64_t)(model_random(&cxt->order) & 1 ? write : MIN(write, cxt->doorbell));
}

void sdxi_fetch(struct sdxi_model_context *cxt)
{
	int64_t limit;

	if (cxt->stop_asked || context_state(cxt) != SDXI_CXT_RUN)
		return;
	limit = context_limit(cxt);
	while ((int64_t)cxt->read_index < limit) {
		uint64_t qw0 = __atomic_load_n(&context_next_slot(cxt)->qw[0], __ATOMIC_ACQUIRE);
		struct pending *pending = context_free_pending(cxt);

		if (!(qw0 & SDXI_DSC_VL))
			return;
		if (!pending || (qw0 & SDXI_DSC_FE && cxt->nr_pending)) {
			if (context_peek_holds(cxt)) {
				slot_read(context_next_slot(cxt), &cxt->peek);
				cxt->peeked = true;
			} else {
				sdxi_fail(cxt, SDXI_CXT_ERR_FN);
			}
			return;
		}
		context_take(cxt, pending);
	}
}

struct pending *sdxi_pick(struct sdxi_model_context *cxt)
{
	struct pending *ready[WINDOW];
	unsigned int nr_ready = 0;
	struct pending *pending;

	if (cxt->stop_asked || context_state(cxt) != SDXI_CXT_RUN)
		return NULL;
	for (unsigned int i = 0; i < WINDOW; i++)
		if (cxt->window[i].state == PENDING_READY)
			ready[nr_ready++] = &cxt->window[i];
	if (!nr_ready)
		return NULL;
	pending = ready[model_below(&cxt->order, nr_ready)];
	pending->state = PENDING_RUNNING;
	cxt->nr_running++;
	return pending;
}

static void context_drop(struct sdxi_model_context *cxt, struct pending *pending)
{
	pending->state = PENDING_FREE;
	cxt->nr_pending--;
}

void sdxi_end(struct sdxi_model_context *cxt, struct pending *pending, bool stop)
{
	cxt->nr_running--;
	if (stop)
		sdxi_fail(cxt, pending->broken ? SDXI_CXT_ERR_FN : SDXI_CXT_STOP_FN);
	context_drop(cxt, pending);
}

/* A stray descriptor still executes after the stop request, before the stop is confirmed. */
static bool pending_strays_on(struct sdxi_model_context *cxt, struct pending *pending)
{
	uint64_t stray_ns = cxt->model->config.stray_ns;

	if (!cxt->stray_until_ns)
		cxt->stray_until_ns = now_ns() + (stray_ns ? stray_ns : STRAY_NS);
	if (now_ns() < cxt->stray_until_ns)
		return true;
	sdxi_execute(cxt, pending);
	return false;
}

/* A descriptor that does not run: does the stop drop it now? */
static bool pending_may_drop(struct sdxi_model_context *cxt, struct pending *pending)
{
	switch (pending->state) {
	case PENDING_READY:
		return true;
	case PENDING_HUNG:
		return cxt->stop_asked;
	case PENDING_STRAY:
		return cxt->stop_asked && !pending_strays_on(cxt, pending);
	default:
		return false;
	}
}

bool sdxi_settle(struct sdxi_model_context *cxt)
{
	bool stuck = false;

	if (!cxt->stop_asked && context_state(cxt) != SDXI_CXT_STOPG_FN)
		return false;
	if (context_state(cxt) == SDXI_CXT_STOP_SW)
		return false;
	for (unsigned int i = 0; i < WINDOW; i++) {
		struct pending *pending = &cxt->window[i];

		if (pending->state == PENDING_FREE || pending->state == PENDING_RUNNING)
			continue;
		if (pending_may_drop(cxt, pending))
			context_drop(cxt, pending);
		else
			stuck = true;
	}
	if (!stuck && !cxt->nr_running)
		context_set_state(cxt, cxt->stop_asked ? SDXI_CXT_STOP_SW : cxt->stop_as);
	return stuck && cxt->stop_asked;
}

static void model_wake_engines(struct sdxi_model *model)
{
	atomic_fetch_add(&model->work, 1);
	if (atomic_load(&model->nr_asleep))
		futex_wake(&model->work, UINT32_MAX);
}

static void context_run_inline(struct sdxi_model_context *cxt)
{
	struct pending *pending;

	for (;;) {
		sdxi_fetch(cxt);
		pending = sdxi_pick(cxt);
		if (!pending)
			break;
		sdxi_end(cxt, pending, sdxi_execute(cxt, pending));
	}
	sdxi_settle(cxt);
}

void sdxi_model_doorbell(struct sdxi_model_context *cxt, uint64_t write_index)
{
	struct sdxi_model *model = cxt->model;

	futex_lock(&cxt->lock);
	if (cxt->stop_asked)
		sdxi_model_breach(model, SDXI_RULE_STOPPED);
	if (write_index > __atomic_load_n(cxt->write_index, __ATOMIC_ACQUIRE)) {
		sdxi_model_breach(model, SDXI_RULE_DOORBELL);
		sdxi_fail(cxt, SDXI_CXT_ERR_FN);
	} else if (write_index < cxt->doorbell) {
		sdxi_model_count(&model->late_doorbells);
	} else {
		cxt->doorbell = write_index;
	}
	if (!model->config.nr_engines)
		context_run_inline(cxt);
	futex_unlock(&cxt->lock);
	if (model->config.nr_engines)
		model_wake_engines(model);
}

/* True if there are valid descriptors beyond the doorbell, which an idle function never sees. */
static bool context_has_unrung(const struct sdxi_model_context *cxt)
{
	uint64_t write = __atomic_load_n(cxt->write_index, __ATOMIC_ACQUIRE);

	if (cxt->read_index > cxt->doorbell)
		return true;
	for (uint64_t i = cxt->doorbell; i < write && i - cxt->doorbell < cxt->nr_entries; i++)
		if (__atomic_load_n(&cxt->descs[i % cxt->nr_entries].qw[0], __ATOMIC_ACQUIRE) &
		    SDXI_DSC_VL)
			return true;
	return false;
}

void sdxi_model_stop(struct sdxi_model_context *cxt)
{
	futex_lock(&cxt->lock);
	if (!cxt->stop_asked) {
		context_peek_holds(cxt);
		if (context_state(cxt) == SDXI_CXT_RUN && context_has_unrung(cxt))
			sdxi_model_breach(cxt->model, SDXI_RULE_DOORBELL_LOST);
		cxt->stop_asked = true;
		context_set_state(cxt, SDXI_CXT_STOPG_SW);
		sdxi_settle(cxt);
	}
	futex_unlock(&cxt->lock);
	model_wake_engines(cxt->model);
}

/* Under the lock. Each start draws other faults. */
static void context_begin(struct sdxi_model_context *cxt)
{
	cxt->serial = atomic_fetch_add_explicit(&cxt->model->nr_contexts_started, 1,
						memory_order_relaxed);
	cxt->order = model_prng_for(~cxt->model->config.seed, cxt->serial);
	cxt->clears_valid = model_random(&cxt->order) & 1;
	cxt->read_index = 0;
	cxt->seen_write_index = 0;
	cxt->doorbell = 0;
	cxt->peeked = false;
	cxt->stop_asked = false;
	cxt->stray_until_ns = 0;
	__atomic_store_n(&cxt->sts->read_index, 0, __ATOMIC_RELEASE);
	context_set_state(cxt, SDXI_CXT_RUN);
}

static void context_adopt(struct sdxi_model_context *cxt, const struct sdxi_cxt_l1_ent *l1)
{
	const struct sdxi_cxt_ctl *ctl =
		(const void *)(uintptr_t)(l1->cxt_ctl_ptr & SDXI_L1_CTL_PTR);

	cxt->descs = (void *)(uintptr_t)(ctl->ds_ring_ptr & SDXI_CXT_CTL_RING_PTR);
	cxt->nr_entries = ctl->ds_ring_sz;
	cxt->sts = (void *)(uintptr_t)ctl->cxt_sts_ptr;
	cxt->write_index = (const void *)(uintptr_t)ctl->write_index_ptr;
	cxt->akeys = (const void *)(uintptr_t)(l1->akey_ptr & SDXI_L1_AKEY_PTR);
	cxt->nr_akeys = SDXI_L1_NR_AKEYS(l1->akey_ptr & SDXI_L1_AKEY_SZ_MASK);
	cxt->max_buffer_bytes = SDXI_L1_MAX_BUFFER_BYTES(SDXI_L1_MAX_BUFFER_OF(l1->misc0));
}

int sdxi_model_start(struct sdxi_model *model, const struct sdxi_cxt_l1_ent *l1,
		     struct sdxi_model_context **out)
{
	int err = -ENOSPC;

	if (sdxi_check_context(l1)) {
		sdxi_model_breach(model, SDXI_RULE_CONTEXT);
		return -EINVAL;
	}
	for (unsigned int i = 0; err && i < SDXI_MODEL_MAX_CONTEXTS; i++) {
		struct sdxi_model_context *cxt = &model->contexts[i];

		futex_lock(&cxt->lock);
		if (!cxt->used) {
			cxt->model = model;
			context_adopt(cxt, l1);
			context_begin(cxt);
			cxt->used = true;
			*out = cxt;
			err = 0;
		}
		futex_unlock(&cxt->lock);
	}
	return err;
}

void sdxi_model_restart(struct sdxi_model_context *cxt)
{
	futex_lock(&cxt->lock);
	context_begin(cxt);
	futex_unlock(&cxt->lock);
}

void sdxi_model_release(struct sdxi_model_context *cxt)
{
	if (!cxt)
		return;
	futex_lock(&cxt->lock);
	cxt->used = false;
	futex_unlock(&cxt->lock);
}
