// SPDX-License-Identifier: LGPL-2.1-or-later
/* The rules for producers, checked on the bytes. Pure functions. */
#include "models/sdxi/internal.h"

static const char *const rule_names[SDXI_NR_RULES] = {
	[SDXI_RULE_NONE] = "none",
	[SDXI_RULE_CONTEXT] = "context",
	[SDXI_RULE_OPCODE] = "opcode",
	[SDXI_RULE_RESERVED] = "reserved",
	[SDXI_RULE_SIZE] = "size",
	[SDXI_RULE_OVERLAP] = "overlap",
	[SDXI_RULE_CSB_POINTER] = "csb-pointer",
	[SDXI_RULE_CSB_RESERVED] = "csb-reserved",
	[SDXI_RULE_CSB_SIGNAL] = "csb-signal",
	[SDXI_RULE_AKEY] = "akey",
	[SDXI_RULE_CHANGED] = "changed",
	[SDXI_RULE_WRITE_INDEX] = "write-index",
	[SDXI_RULE_DOORBELL] = "doorbell",
	[SDXI_RULE_DOORBELL_LOST] = "doorbell-lost",
	[SDXI_RULE_STOPPED] = "stopped",
};

const char *sdxi_rule_name(enum sdxi_rule rule)
{
	return rule < SDXI_NR_RULES ? rule_names[rule] : "unknown";
}

static bool all_zero(const uint8_t *bytes, size_t len_bytes)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len_bytes; i++)
		any |= bytes[i];
	return !any;
}

#define ZERO(array) all_zero(array, sizeof(array))

static bool ranges_overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

enum sdxi_rule sdxi_check_context(const struct sdxi_cxt_l1_ent *l1)
{
	const struct sdxi_cxt_ctl *ctl =
		(const void *)(uintptr_t)(l1->cxt_ctl_ptr & SDXI_L1_CTL_PTR);

	if (!(l1->cxt_ctl_ptr & SDXI_L1_VL) || l1->cxt_ctl_ptr & SDXI_L1_CTL_RESERVED || !ctl ||
	    l1->akey_ptr & SDXI_L1_AKEY_RESERVED || !(l1->akey_ptr & SDXI_L1_AKEY_PTR) ||
	    l1->misc0 & SDXI_L1_MISC0_RESERVED || !ZERO(l1->rsvd_0))
		return SDXI_RULE_CONTEXT;
	if (!(ctl->ds_ring_ptr & SDXI_CXT_CTL_VL) || ctl->ds_ring_ptr & SDXI_CXT_CTL_RESERVED ||
	    !(ctl->ds_ring_ptr & SDXI_CXT_CTL_RING_PTR) || !ZERO(ctl->rsvd_0) || !ZERO(ctl->rsvd_1))
		return SDXI_RULE_CONTEXT;
	if (ctl->ds_ring_sz < SDXI_MIN_RING_ENTRIES || !ctl->cxt_sts_ptr ||
	    ctl->cxt_sts_ptr & 0xf || !ctl->write_index_ptr || ctl->write_index_ptr & 0x7)
		return SDXI_RULE_CONTEXT;
	return SDXI_RULE_NONE;
}

static enum sdxi_rule check_akey(const struct sdxi_model_context *cxt, uint16_t index,
				 uint32_t wanted)
{
	const struct sdxi_akey_ent *akey = &cxt->akeys[index];

	if (index >= cxt->nr_akeys || (akey->intr_num & wanted) != wanted ||
	    akey->intr_num & SDXI_AKEY_INTR_RESERVED || !ZERO(akey->rsvd_0) || !ZERO(akey->rsvd_1))
		return SDXI_RULE_AKEY;
	return SDXI_RULE_NONE;
}

static enum sdxi_rule check_csb(const struct sdxi_desc *desc)
{
	uint64_t qword = desc->generic.csb_ptr;
	const struct sdxi_cst_blk *csb = (const void *)(uintptr_t)(qword & SDXI_CSB_PTR);

	if (qword & SDXI_CSB_RESERVED || !(qword & SDXI_CSB_NP) == !csb)
		return SDXI_RULE_CSB_POINTER;
	if (csb && (__atomic_load_n(&csb->flags, __ATOMIC_RELAXED) & ~SDXI_CST_BLK_ER ||
		    !ZERO(csb->rsvd_0)))
		return SDXI_RULE_CSB_RESERVED;
	if (csb && __atomic_load_n(&csb->signal, __ATOMIC_ACQUIRE) == 0)
		return SDXI_RULE_CSB_SIGNAL;
	return SDXI_RULE_NONE;
}

static bool csb_overlaps(const struct sdxi_desc *desc, uint64_t start, uint64_t len_bytes)
{
	uint64_t csb = desc->generic.csb_ptr & SDXI_CSB_PTR;

	return csb && ranges_overlap(csb, sizeof(struct sdxi_cst_blk), start, len_bytes);
}

static enum sdxi_rule check_copy(const struct sdxi_model_context *cxt, const struct sdxi_desc *desc)
{
	const struct sdxi_dsc_copy *copy = &desc->copy;
	uint64_t len_bytes = copy->size + 1ULL;

	if (!ZERO(copy->rsvd_0) || !ZERO(copy->rsvd_1))
		return SDXI_RULE_RESERVED;
	if (len_bytes > cxt->max_buffer_bytes)
		return SDXI_RULE_SIZE;
	if (ranges_overlap(copy->addr0, len_bytes, copy->addr1, len_bytes) ||
	    csb_overlaps(desc, copy->addr0, len_bytes) ||
	    csb_overlaps(desc, copy->addr1, len_bytes))
		return SDXI_RULE_OVERLAP;
	if (check_akey(cxt, copy->akey0, SDXI_AKEY_VL))
		return SDXI_RULE_AKEY;
	return check_akey(cxt, copy->akey1, SDXI_AKEY_VL);
}

static enum sdxi_rule check_wrt_imm(const struct sdxi_model_context *cxt,
				    const struct sdxi_desc *desc)
{
	const struct sdxi_dsc_wrt_imm *wrt = &desc->wrt_imm;
	uint64_t len_bytes = wrt->size + 1ULL;

	if (!ZERO(wrt->rsvd_0) || wrt->rsvd_1)
		return SDXI_RULE_RESERVED;
	if (len_bytes > SDXI_MAX_WRT_IMM_BYTES)
		return SDXI_RULE_SIZE;
	if (!all_zero(wrt->data + len_bytes, SDXI_MAX_WRT_IMM_BYTES - len_bytes))
		return SDXI_RULE_RESERVED;
	if (csb_overlaps(desc, wrt->addr0, len_bytes))
		return SDXI_RULE_OVERLAP;
	return check_akey(cxt, wrt->akey0, SDXI_AKEY_VL);
}

static enum sdxi_rule check_intr(const struct sdxi_model_context *cxt, const struct sdxi_desc *desc)
{
	if (!ZERO(desc->intr.rsvd_0) || !ZERO(desc->intr.rsvd_1))
		return SDXI_RULE_RESERVED;
	return check_akey(cxt, desc->intr.akey, SDXI_AKEY_VL | SDXI_AKEY_IV);
}

enum sdxi_rule sdxi_check_desc(const struct sdxi_model_context *cxt, const struct sdxi_desc *desc)
{
	enum sdxi_rule rule = check_csb(desc);

	if (rule)
		return rule;
	if (desc->generic.opcode & SDXI_DSC_RESERVED)
		return SDXI_RULE_RESERVED;
	switch (desc->generic.opcode & SDXI_OPCODE_MASK) {
	case SDXI_OP_NOP:
		return ZERO(desc->generic.body) ? SDXI_RULE_NONE : SDXI_RULE_RESERVED;
	case SDXI_OP_COPY:
		return check_copy(cxt, desc);
	case SDXI_OP_WRT_IMM:
		return check_wrt_imm(cxt, desc);
	case SDXI_OP_INTR:
		return check_intr(cxt, desc);
	default:
		return SDXI_RULE_OPCODE;
	}
}
