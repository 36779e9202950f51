// SPDX-License-Identifier: LGPL-2.1-or-later
/* Executes one descriptor: its bytes, its duration, its status block and its faults. */
#include "base/clock.h"
#include "base/sys.h"
#include "models/sdxi/internal.h"

#define SPIN_NS              (20 * NS_PER_US)
#define DELAY_NS             (200 * NS_PER_US)
#define FAULT(pending, kind) ((pending)->faults & 1U << (kind))

const char *const sdxi_fault_names[SDXI_NR_FAULTS] = {
	[SDXI_FAULT_ERROR] = "error", [SDXI_FAULT_STOP] = "stop",   [SDXI_FAULT_LOST] = "lost",
	[SDXI_FAULT_HANG] = "hang",   [SDXI_FAULT_STRAY] = "stray", [SDXI_FAULT_DELAY] = "delay",
};

const uint32_t sdxi_fault_default_ppm[SDXI_NR_FAULTS] = {
	[SDXI_FAULT_ERROR] = 10000, [SDXI_FAULT_STOP] = 1000, [SDXI_FAULT_LOST] = 100,
	[SDXI_FAULT_HANG] = 100,    [SDXI_FAULT_STRAY] = 50,  [SDXI_FAULT_DELAY] = 10000,
};

static void wait_until(uint64_t when_ns)
{
	uint64_t now;

	while ((now = now_ns()) < when_ns) {
		struct timespec ts = {.tv_nsec = (long)MIN(when_ns - now, NS_PER_MS)};

		if (when_ns - now > SPIN_NS)
			sys(SYS_nanosleep, &ts, NULL);
		else
			cpu_relax();
	}
}

static bool pending_fails(const struct pending *pending)
{
	return pending->broken || FAULT(pending, SDXI_FAULT_ERROR) ||
	       FAULT(pending, SDXI_FAULT_STOP);
}

/* Hardware may copy a buffer in any order, and an error leaves any part of it written. */
static void pending_copy(struct pending *pending)
{
	const struct sdxi_dsc_copy *copy = &pending->desc.copy;
	uint64_t len_bytes = copy->size + 1ULL;
	uint64_t cut = model_below(&pending->prng, len_bytes);
	uint8_t *dst = (uint8_t *)(uintptr_t)copy->addr1;
	const uint8_t *src = (const uint8_t *)(uintptr_t)copy->addr0;
	bool tail_first = model_random(&pending->prng) & 1;

	if (!pending_fails(pending)) {
		if (tail_first) {
			model_copy(dst + cut, src + cut, len_bytes - cut);
			model_copy(dst, src, cut);
		} else {
			model_copy(dst, src, len_bytes);
		}
	} else if (tail_first) {
		model_copy(dst + cut, src + cut, len_bytes - cut);
	} else {
		model_copy(dst, src, cut);
	}
}

static void pending_perform(struct sdxi_model_context *cxt, struct pending *pending)
{
	const struct sdxi_desc *desc = &pending->desc;

	switch (desc->generic.opcode & SDXI_OPCODE_MASK) {
	case SDXI_OP_COPY:
		pending_copy(pending);
		break;
	case SDXI_OP_WRT_IMM:
		if (!pending_fails(pending))
			model_copy((void *)(uintptr_t)desc->wrt_imm.addr0, desc->wrt_imm.data,
				   desc->wrt_imm.size + 1ULL);
		break;
	case SDXI_OP_INTR:
		if (!pending_fails(pending))
			sdxi_model_count(&cxt->model->interrupts);
		break;
	}
}

/* Writes the error bit before the signal, so that a producer that sees the signal sees the bit. */
static void pending_signal(struct sdxi_model_context *cxt, const struct pending *pending)
{
	struct sdxi_cst_blk *csb =
		(void *)(uintptr_t)(pending->desc.generic.csb_ptr & SDXI_CSB_PTR);

	if (!csb || pending->broken == SDXI_RULE_CSB_POINTER ||
	    pending->broken == SDXI_RULE_CSB_RESERVED || pending->broken == SDXI_RULE_CSB_SIGNAL)
		return;
	if (pending_fails(pending))
		__atomic_fetch_or(&csb->flags, SDXI_CST_BLK_ER, __ATOMIC_RELAXED);
	if (__atomic_fetch_sub(&csb->signal, 1, __ATOMIC_ACQ_REL) == 0)
		sdxi_model_breach(cxt->model, SDXI_RULE_CSB_SIGNAL);
}

static uint64_t pending_duration_ns(const struct sdxi_model_config *config, struct pending *pending)
{
	const struct model_speed *speed = &config->speed;
	uint64_t ns = speed->latency_ns + model_below(&pending->prng, speed->jitter_ns);

	if ((pending->desc.generic.opcode & SDXI_OPCODE_MASK) == SDXI_OP_COPY)
		ns += model_transfer_ns(speed, pending->desc.copy.size + 1ULL) *
		      MAX(config->nr_engines, 1U);
	if (FAULT(pending, SDXI_FAULT_DELAY))
		ns += model_below(&pending->prng, config->delay_ns ? config->delay_ns : DELAY_NS);
	return ns;
}

bool sdxi_execute(struct sdxi_model_context *cxt, struct pending *pending)
{
	uint64_t ns = pending_duration_ns(&cxt->model->config, pending);
	uint64_t start_ns = ns ? now_ns() : 0;

	if (!pending->broken)
		pending_perform(cxt, pending);
	if (ns)
		wait_until(start_ns + ns);
	if (!FAULT(pending, SDXI_FAULT_LOST))
		pending_signal(cxt, pending);
	return pending->broken || FAULT(pending, SDXI_FAULT_STOP);
}
