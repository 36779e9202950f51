// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The rules for descriptors. Of several errors hardware may report any one: the model reports a
 * random one and records all.
 */
#include "models/dsa/internal.h"

#define BYTE_RANGE(from, to) ((~0ULL >> (63 - (to))) & (~0ULL << (from)))

#define FLAGS_ALWAYS (DSA_FLAGS_REPORT | IDXD_OP_FLAG_CR_TCS)
#define FLAGS_WRITES (IDXD_OP_FLAG_BOF | IDXD_OP_FLAG_CC | IDXD_OP_FLAG_DRDBK | IDXD_OP_FLAG_STORD)
#define A1           IDXD_OP_FLAG_ADDR1_TCS
#define A2           IDXD_OP_FLAG_ADDR2_TCS
#define A3           IDXD_OP_FLAG_ADDR3_TCS

struct op_rule {
	bool known;
	bool reports;       /* needs a completion record and the request for it */
	bool sized;         /* has a transfer size */
	uint32_t flags;     /* beyond FLAGS_ALWAYS */
	uint64_t must_zero; /* a bit per byte */
};

static const struct op_rule op_rules[] = {
	[DSA_OPCODE_NOOP] = {true, false, false, 0, BYTE_RANGE(16, 35) | BYTE_RANGE(38, 63)},
	[DSA_OPCODE_BATCH] = {true, false, false, A1, BYTE_RANGE(24, 31) | BYTE_RANGE(38, 63)},
	[DSA_OPCODE_DRAIN] = {true, false, false, A1 | A2, BYTE_RANGE(16, 35) | BYTE_RANGE(38, 63)},
	[DSA_OPCODE_MEMMOVE] = {true, false, true, FLAGS_WRITES | A1 | A2, BYTE_RANGE(38, 63)},
	[DSA_OPCODE_MEMFILL] = {true, false, true, FLAGS_WRITES | A2, BYTE_RANGE(38, 63)},
	[DSA_OPCODE_COMPARE] = {true, true, true, IDXD_OP_FLAG_BOF | IDXD_OP_FLAG_CR | A1 | A2,
				BYTE_RANGE(38, 39) | BYTE_RANGE(41, 63)},
	[DSA_OPCODE_COMPVAL] = {true, true, true, IDXD_OP_FLAG_BOF | IDXD_OP_FLAG_CR | A1,
				BYTE_RANGE(38, 39) | BYTE_RANGE(41, 63)},
	[DSA_OPCODE_DUALCAST] = {true, false, true, FLAGS_WRITES | A1 | A2 | A3,
				 BYTE_RANGE(38, 39) | BYTE_RANGE(48, 63)},
	[DSA_OPCODE_CRCGEN] = {true, true, true, IDXD_OP_FLAG_BOF | DSA_FLAG_CRC_SEED_MEM | A1 | A3,
			       BYTE_RANGE(24, 31) | BYTE_RANGE(38, 39) | BYTE_RANGE(44, 63)},
	[DSA_OPCODE_COPY_CRC] = {true, true, true,
				 FLAGS_WRITES | DSA_FLAG_CRC_SEED_MEM | A1 | A2 | A3,
				 BYTE_RANGE(38, 39) | BYTE_RANGE(44, 63)},
	[DSA_OPCODE_CFLUSH] = {true, false, true,
			       IDXD_OP_FLAG_BOF | IDXD_OP_FLAG_DRDBK | IDXD_OP_FLAG_STORD | A2,
			       BYTE_RANGE(16, 23) | BYTE_RANGE(38, 63)},
};

static const char *const rule_names[NR_DSA_RULES] = {
	[DSA_RULE_P1] = "P1 wrong kind of store for this queue",
	[DSA_RULE_P2] = "P2 portal store misaligned or not of 64 bytes",
	[DSA_RULE_P4] = "P4 dedicated queue overflowed",
	[DSA_RULE_P5] = "P5 ENQCMD with PASID or privilege set",
	[DSA_RULE_P7] = "P7 completion record gone before it was written",
	[DSA_RULE_D1] = "D1 opcode not offered",
	[DSA_RULE_D2] = "D2 flag not allowed",
	[DSA_RULE_D3] = "D3 reserved field not zero",
	[DSA_RULE_D4] = "D4 completion fields without address-valid",
	[DSA_RULE_D5] = "D5 operation must report",
	[DSA_RULE_D6] = "D6 completion record misaligned",
	[DSA_RULE_D7] = "D7 completion record not writable",
	[DSA_RULE_D8] = "D8 completion record not cleared",
	[DSA_RULE_D9] = "D9 transfer size out of range",
	[DSA_RULE_D10] = "D10 buffers overlap",
	[DSA_RULE_D11] = "D11 dualcast destinations differ",
	[DSA_RULE_D12] = "D12 interrupt asked for",
	[DSA_RULE_D13] = "D13 fence outside a batch",
	[DSA_RULE_D14] = "D14 block on fault not allowed",
	[DSA_RULE_D15] = "D15 drain without report",
	[DSA_RULE_D16] = "D16 operand misaligned",
	[DSA_RULE_B1] = "B1 descriptor list misaligned",
	[DSA_RULE_B2] = "B2 descriptor count out of range",
	[DSA_RULE_B3] = "B3 batch or drain in a batch",
	[DSA_RULE_B10] = "B10 descriptor list changed under way",
	[DSA_RULE_E5] = "E5 source changed under way",
};

const char *dsa_rule_name(enum dsa_rule rule)
{
	return rule_names[rule];
}

/* The rules broken so far, and the status of one of them, each with equal probability. */
struct verdict {
	struct dsa_model *model;
	struct model_prng *prng;
	struct dsa_completion_record *cr;
	uint32_t nr_broken;
	uint8_t status;
};

static void verdict_add(struct verdict *v, enum dsa_rule rule, uint8_t status)
{
	dsa_model_breach(v->model, rule);
	if (model_below(v->prng, ++v->nr_broken) == 0)
		v->status = status;
}

static uint32_t allowed_flags(const struct dsa_model *model, const struct op_rule *op)
{
	uint32_t flags = FLAGS_ALWAYS | op->flags;

	if (!(model->config.gen_cap & DSA_GENCAP_CACHE_CONTROL))
		flags &= ~(uint32_t)IDXD_OP_FLAG_CC;
	if (!(model->config.gen_cap & (1ULL << 8)))
		flags &= ~(uint32_t)IDXD_OP_FLAG_DRDBK;
	if (!model->config.block_on_fault)
		flags &= ~(uint32_t)IDXD_OP_FLAG_BOF;
	return flags;
}

static void check_flags(struct verdict *v, const struct dsa_hw_desc *desc, const struct op_rule *op,
			bool in_batch)
{
	uint32_t allowed = allowed_flags(v->model, op) | (in_batch ? IDXD_OP_FLAG_FENCE : 0);
	uint32_t invalid = desc->flags & ~allowed;
	uint32_t others = ~(uint32_t)(IDXD_OP_FLAG_FENCE | IDXD_OP_FLAG_BOF | IDXD_OP_FLAG_RCI);

	if (invalid & IDXD_OP_FLAG_FENCE)
		verdict_add(v, DSA_RULE_D13, DSA_COMP_INVALID_FLAGS);
	if (invalid & IDXD_OP_FLAG_BOF)
		verdict_add(v, DSA_RULE_D14, DSA_COMP_INVALID_FLAGS);
	if (invalid & IDXD_OP_FLAG_RCI)
		verdict_add(v, DSA_RULE_D12, DSA_COMP_INVALID_FLAGS);
	if (invalid & others)
		verdict_add(v, DSA_RULE_D2, DSA_COMP_INVALID_FLAGS);
	if (!(desc->flags & IDXD_OP_FLAG_CRAV) &&
	    (desc->flags & (IDXD_OP_FLAG_RCR | IDXD_OP_FLAG_CR_TCS))) {
		invalid |= desc->flags & (IDXD_OP_FLAG_RCR | IDXD_OP_FLAG_CR_TCS);
		verdict_add(v, DSA_RULE_D4, DSA_COMP_INVALID_FLAGS);
	}
	if (op->reports && (desc->flags & DSA_FLAGS_REPORT) != DSA_FLAGS_REPORT) {
		invalid |= DSA_FLAGS_REPORT & ~desc->flags;
		verdict_add(v, DSA_RULE_D5, DSA_COMP_INVALID_FLAGS);
	}
	if (desc->opcode == DSA_OPCODE_DRAIN &&
	    !(desc->flags & (IDXD_OP_FLAG_RCR | IDXD_OP_FLAG_RCI))) {
		invalid |= IDXD_OP_FLAG_RCR;
		verdict_add(v, DSA_RULE_D15, DSA_COMP_INVALID_FLAGS);
	}
	v->cr->invalid_flags = invalid;
}

static void check_reserved(struct verdict *v, const struct dsa_hw_desc *desc,
			   const struct op_rule *op)
{
	const uint8_t *bytes = (const uint8_t *)desc;
	uint64_t must_zero = op->must_zero;
	bool broken;

	/* With this flag the address of the seed is an operand. */
	if (desc->flags & op->flags & DSA_FLAG_CRC_SEED_MEM)
		must_zero &= ~BYTE_RANGE(48, 55);
	broken = desc->rsvd;
	for (unsigned int i = 0; i < DSA_DESC_BYTES; i++)
		broken |= (must_zero >> i & 1) && bytes[i];
	if (broken)
		verdict_add(v, DSA_RULE_D3, DSA_COMP_NOZERO_RESERVE);
	if (!(desc->flags & IDXD_OP_FLAG_CRAV) && desc->completion_addr)
		verdict_add(v, DSA_RULE_D4, DSA_COMP_NOZERO_RESERVE);
	if (!(desc->flags & IDXD_OP_FLAG_RCI) && desc->int_handle)
		verdict_add(v, DSA_RULE_D12, DSA_COMP_INT_HANDLE_INVAL);
}

static bool ranges_overlap(uint64_t a, uint64_t b, uint32_t len_bytes)
{
	return a < b + len_bytes && b < a + len_bytes;
}

static bool operands_overlap(const struct dsa_model *model, const struct dsa_hw_desc *desc)
{
	bool first_two = ranges_overlap(desc->src_addr, desc->dst_addr, desc->xfer_size);

	switch (desc->opcode) {
	case DSA_OPCODE_MEMMOVE:
		return first_two && !(model->config.gen_cap & DSA_GENCAP_OVERLAP);
	case DSA_OPCODE_COMPARE:
	case DSA_OPCODE_COPY_CRC:
		return first_two;
	case DSA_OPCODE_DUALCAST:
		return first_two || ranges_overlap(desc->src_addr, desc->dest2, desc->xfer_size) ||
		       ranges_overlap(desc->dst_addr, desc->dest2, desc->xfer_size);
	default:
		return false;
	}
}

static void check_operands(struct verdict *v, const struct dsa_hw_desc *desc)
{
	uint32_t len = desc->xfer_size;
	bool wraps = desc->dst_addr + len < desc->dst_addr;

	if (desc->opcode != DSA_OPCODE_MEMFILL)
		wraps |= desc->src_addr + len < desc->src_addr;
	if (!len || len > v->model->config.max_transfer_bytes || wraps)
		verdict_add(v, DSA_RULE_D9, DSA_COMP_XFER_ERANGE);
	else if (operands_overlap(v->model, desc))
		verdict_add(v, DSA_RULE_D10, DSA_COMP_OVERLAP_BUFFERS);
	if (desc->opcode == DSA_OPCODE_DUALCAST &&
	    ((desc->dst_addr ^ desc->dest2) & (PAGE_BYTES - 1)))
		verdict_add(v, DSA_RULE_D11, DSA_COMP_DCAST_ERR);
	if ((desc->opcode == DSA_OPCODE_CRCGEN || desc->opcode == DSA_OPCODE_COPY_CRC) &&
	    (desc->flags & DSA_FLAG_CRC_SEED_MEM) && (desc->seed_addr & 3))
		verdict_add(v, DSA_RULE_D16, DSA_COMP_ADDR_ALIGN);
}

static void check_batch(struct verdict *v, const struct dsa_hw_desc *desc)
{
	uint32_t at_least = v->model->config.gen_cap & DSA_GENCAP_BATCH_OF_ONE ? 1 : 2;

	if (desc->desc_list_addr & (DSA_DESC_BYTES - 1))
		verdict_add(v, DSA_RULE_B1, DSA_COMP_DESCLIST_ALIGN);
	if (desc->desc_count < at_least || desc->desc_count > v->model->config.max_batch)
		verdict_add(v, DSA_RULE_B2, DSA_COMP_DESC_CNT_ERANGE);
}

uint8_t dsa_check(struct dsa_model *model, const struct dsa_hw_desc *desc, bool in_batch,
		  struct model_prng *prng, struct dsa_completion_record *cr)
{
	struct verdict v = {.model = model, .prng = prng, .cr = cr};
	const struct op_rule *op;

	if (in_batch && (desc->opcode == DSA_OPCODE_BATCH || desc->opcode == DSA_OPCODE_DRAIN ||
			 desc->opcode == DSA_OP_UPDATE_WIN)) {
		verdict_add(&v, DSA_RULE_B3, DSA_COMP_BAD_OPCODE);
		return v.status;
	}
	if (desc->opcode >= ARRAY_SIZE(op_rules) || !op_rules[desc->opcode].known) {
		verdict_add(&v, DSA_RULE_D1, DSA_COMP_BAD_OPCODE);
		return v.status;
	}
	op = &op_rules[desc->opcode];
	check_flags(&v, desc, op, in_batch);
	check_reserved(&v, desc, op);
	if (op->sized)
		check_operands(&v, desc);
	if (desc->opcode == DSA_OPCODE_BATCH)
		check_batch(&v, desc);
	return v.status;
}

bool dsa_check_cr(struct dsa_device *device, const struct dsa_hw_desc *desc)
{
	struct dsa_model *model = device->model;
	uint64_t bad;

	if (!(desc->flags & IDXD_OP_FLAG_CRAV))
		return true;
	if (desc->completion_addr & (DSA_CR_BYTES - 1)) {
		dsa_model_breach(model, DSA_RULE_D6);
		device->sw_error = DSA_COMP_CRA_ALIGN;
	} else if (!dsa_memory_writable(model, desc->completion_addr, DSA_CR_BYTES, true, &bad)) {
		dsa_model_breach(model, DSA_RULE_D7);
		device->sw_error = DSA_COMP_CRA_XLAT;
	} else {
		if (dsa_cr_status((const void *)(uintptr_t)desc->completion_addr))
			dsa_model_breach(model, DSA_RULE_D8);
		return true;
	}
	dsa_model_add(model, DSA_COUNT_SW_ERRORS, 1);
	return false;
}
