// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the operations do to memory, and where a fault stops them. */
#include "models/dsa/internal.h"

struct operand {
	uint64_t addr;
	bool write;
};

/* Where a page fault stops an operation: `offset` bytes in, at an address of one operand. */
struct stop {
	uint64_t offset;
	uint64_t addr;
	bool write;
	bool injected;
	bool backwards;
};

static unsigned int op_operands(const struct dsa_hw_desc *desc, struct operand operand[3])
{
	switch (desc->opcode) {
	case DSA_OPCODE_MEMFILL:
	case DSA_OPCODE_CFLUSH:
		operand[0] = (struct operand){desc->dst_addr, true};
		return 1;
	case DSA_OPCODE_COMPVAL:
	case DSA_OPCODE_CRCGEN:
		operand[0] = (struct operand){desc->src_addr, false};
		return 1;
	case DSA_OPCODE_COMPARE:
		operand[0] = (struct operand){desc->src_addr, false};
		operand[1] = (struct operand){desc->src2_addr, false};
		return 2;
	case DSA_OPCODE_DUALCAST:
		operand[2] = (struct operand){desc->dest2, true};
		__attribute__((fallthrough));
	default:
		operand[0] = (struct operand){desc->src_addr, false};
		operand[1] = (struct operand){desc->dst_addr, true};
		return desc->opcode == DSA_OPCODE_DUALCAST ? 3 : 2;
	}
}

static bool op_natural_stop(const struct dsa_model *model, const struct dsa_hw_desc *desc,
			    const struct operand *operand, unsigned int nr_operands,
			    struct stop *stop)
{
	bool fault_in = desc->flags & IDXD_OP_FLAG_BOF;
	bool found = false;
	uint64_t bad;

	for (unsigned int i = 0; i < nr_operands; i++) {
		bool ok = operand[i].write ? dsa_memory_writable(model, operand[i].addr,
								 desc->xfer_size, fault_in, &bad)
					   : dsa_memory_readable(model, operand[i].addr,
								 desc->xfer_size, fault_in, &bad);

		if (ok || (found && bad - operand[i].addr >= stop->offset))
			continue;
		*stop = (struct stop){bad - operand[i].addr, bad, operand[i].write, false, false};
		found = true;
	}
	return found;
}

/* At the start of a random page of a random operand. */
static bool op_injected_stop(struct dsa_model *model, const struct dsa_hw_desc *desc,
			     const struct operand *operand, unsigned int nr_operands,
			     struct model_prng *prng, struct stop *stop)
{
	bool backwards = desc->opcode == DSA_OPCODE_MEMMOVE &&
			 dsa_model_fault(model, prng, DSA_FAULT_REVERSE);
	const struct operand *hit;
	uint64_t first, last, page;

	if (!backwards && !dsa_model_fault(model, prng, DSA_FAULT_PAGE))
		return false;
	hit = &operand[model_below(prng, nr_operands)];
	first = hit->addr / PAGE_BYTES;
	last = (hit->addr + desc->xfer_size - 1) / PAGE_BYTES;
	page = (first + model_below(prng, last - first + 1)) * PAGE_BYTES;
	stop->addr = page;
	stop->write = hit->write;
	stop->injected = true;
	stop->backwards = backwards;
	if (backwards)
		stop->offset = hit->addr + desc->xfer_size -
			       MIN(page + PAGE_BYTES, hit->addr + desc->xfer_size);
	else
		stop->offset = page > hit->addr ? page - hit->addr : 0;
	return true;
}

static void op_move(uint64_t dst, uint64_t src, uint64_t len_bytes)
{
	uint8_t *to = (uint8_t *)(uintptr_t)dst;
	const uint8_t *from = (const uint8_t *)(uintptr_t)src;

	if (dst > src && dst < src + len_bytes) {
		while (len_bytes--)
			((volatile uint8_t *)to)[len_bytes] = from[len_bytes];
	} else {
		model_copy(to, from, len_bytes);
	}
}

static void op_fill(uint64_t dst, uint64_t pattern, uint64_t phase, uint64_t len_bytes)
{
	volatile uint8_t *to = (volatile uint8_t *)(uintptr_t)dst;

	for (uint64_t i = 0; i < len_bytes; i++)
		to[i] = (uint8_t)(pattern >> (8 * ((phase + i) & 7)));
}

static uint32_t op_crc32c(const struct dsa_model *model, uint32_t crc, uint64_t src,
			  uint64_t len_bytes)
{
	const uint8_t *p = (const uint8_t *)(uintptr_t)src;

	crc = ~crc;
	while (len_bytes--)
		crc = crc >> 8 ^ model->crc_table[(uint8_t)crc ^ *p++];
	return ~crc;
}

static uint32_t op_crc_seed(const struct dsa_hw_desc *desc)
{
	if (desc->flags & DSA_FLAG_CRC_SEED_MEM)
		return *(const uint32_t *)(uintptr_t)desc->seed_addr;
	return desc->crc_seed;
}

/* How many bytes are equal before the first difference; b 0 compares with the pattern. */
static uint64_t equal_bytes(uint64_t a, uint64_t b, uint64_t pattern, uint64_t len_bytes)
{
	const uint8_t *x = (const uint8_t *)(uintptr_t)a;
	const uint8_t *y = (const uint8_t *)(uintptr_t)b;

	for (uint64_t i = 0; i < len_bytes; i++)
		if (x[i] != (y ? y[i] : (uint8_t)(pattern >> (8 * (i & 7)))))
			return i;
	return len_bytes;
}

static void op_compare(const struct dsa_hw_desc *desc, uint64_t len_bytes,
		       struct dsa_completion_record *cr)
{
	uint64_t b = desc->opcode == DSA_OPCODE_COMPARE ? desc->src2_addr : 0;
	uint64_t same = equal_bytes(desc->src_addr, b, desc->comp_pattern, len_bytes);

	if (same < len_bytes) {
		cr->result = 1;
		cr->bytes_completed = (uint32_t)same;
	}
}

/* Executes the operation on `len_bytes` of its operands, from byte `from` on. */
static void op_apply(const struct dsa_model *model, const struct dsa_hw_desc *desc, uint64_t from,
		     uint64_t len_bytes, struct dsa_completion_record *cr)
{
	switch (desc->opcode) {
	case DSA_OPCODE_COPY_CRC:
	case DSA_OPCODE_CRCGEN:
		cr->crc_val = op_crc32c(model, op_crc_seed(desc), desc->src_addr, len_bytes);
		if (desc->opcode == DSA_OPCODE_CRCGEN)
			break;
		__attribute__((fallthrough));
	case DSA_OPCODE_MEMMOVE:
		op_move(desc->dst_addr + from, desc->src_addr + from, len_bytes);
		break;
	case DSA_OPCODE_DUALCAST:
		op_move(desc->dst_addr, desc->src_addr, len_bytes);
		op_move(desc->dest2, desc->src_addr, len_bytes);
		break;
	case DSA_OPCODE_MEMFILL:
		op_fill(desc->dst_addr, desc->pattern, 0, len_bytes);
		break;
	case DSA_OPCODE_COMPARE:
	case DSA_OPCODE_COMPVAL:
		op_compare(desc, len_bytes, cr);
		break;
	default:
		break;
	}
}

static bool op_overlaps_itself(const struct dsa_hw_desc *desc)
{
	return desc->opcode == DSA_OPCODE_MEMMOVE &&
	       desc->dst_addr < desc->src_addr + desc->xfer_size &&
	       desc->src_addr < desc->dst_addr + desc->xfer_size;
}

/* The content of bytes that are not reported as done is undefined: overwrite some of them. */
static void op_scribble(const struct dsa_hw_desc *desc, const struct operand *operand,
			unsigned int nr_operands, uint64_t from, uint64_t to,
			struct model_prng *prng)
{
	uint64_t a, b;

	if (from >= to || desc->opcode == DSA_OPCODE_CFLUSH || op_overlaps_itself(desc))
		return;
	a = from + model_below(prng, to - from);
	b = a + model_below(prng, to - a);
	for (unsigned int i = 0; i < nr_operands; i++)
		if (operand[i].write)
			model_fill((void *)(uintptr_t)(operand[i].addr + a),
				   (uint8_t)model_random(prng), b - a);
}

static bool op_copies_backwards(const struct dsa_hw_desc *desc)
{
	return op_overlaps_itself(desc) && desc->dst_addr > desc->src_addr;
}

static void op_report_stop(const struct dsa_hw_desc *desc, const struct stop *stop, bool backwards,
			   uint64_t done, struct dsa_completion_record *cr)
{
	if (desc->opcode != DSA_OPCODE_COMPARE && desc->opcode != DSA_OPCODE_COMPVAL)
		cr->result = backwards;
	if (!cr->result || backwards)
		cr->bytes_completed = (uint32_t)done;
	cr->status =
		desc->flags & IDXD_OP_FLAG_BOF ? DSA_COMP_PAGE_FAULT_IR : DSA_COMP_PAGE_FAULT_NOBOF;
	if (stop->write)
		cr->status |= DSA_COMP_STATUS_WRITE;
	cr->fault_addr = stop->addr & ~(PAGE_BYTES - 1);
}

/* Executes a random part of what comes before the stop; a real fault of a backward copy, nothing.
 */
static void op_stop_early(struct dsa_model *model, const struct dsa_hw_desc *desc,
			  const struct operand *operand, unsigned int nr_operands,
			  const struct stop *stop, struct model_prng *prng,
			  struct dsa_completion_record *cr)
{
	bool backwards = stop->backwards || op_copies_backwards(desc);
	uint64_t len = desc->xfer_size;
	uint64_t done = backwards && !stop->injected ? 0 : model_below(prng, stop->offset + 1);

	/* Published clients resume with the pattern as it is. */
	if (desc->opcode == DSA_OPCODE_MEMFILL || desc->opcode == DSA_OPCODE_COMPVAL)
		done = ALIGN_DOWN(done, sizeof(desc->pattern));
	op_apply(model, desc, backwards ? len - done : 0, done, cr);
	if (!done)
		cr->crc_val = model_random(prng);
	if (backwards)
		op_scribble(desc, operand, nr_operands, 0, stop->injected ? len - done : 0, prng);
	else
		op_scribble(desc, operand, nr_operands, done, stop->injected ? len : stop->offset,
			    prng);
	op_report_stop(desc, stop, backwards, done, cr);
}

static bool op_hardware_error(struct dsa_model *model, const struct dsa_hw_desc *desc,
			      const struct operand *operand, unsigned int nr_operands,
			      struct model_prng *prng, struct dsa_completion_record *cr)
{
	static const uint8_t codes[] = {DSA_COMP_HW_ERR1, DSA_COMP_HW_ERR_DRB,
					DSA_COMP_TRANSLATION_FAIL};

	if (!dsa_model_fault(model, prng, DSA_FAULT_ERROR))
		return false;
	op_scribble(desc, operand, nr_operands, 0, desc->xfer_size, prng);
	cr->status = codes[model_below(prng, ARRAY_SIZE(codes))];
	cr->bytes_completed = (uint32_t)model_random(prng);
	return true;
}

static void op_conclude(const struct dsa_hw_desc *desc, struct dsa_completion_record *cr)
{
	bool as_expected = cr->result == desc->expected_res;

	cr->status = DSA_COMP_SUCCESS;
	if ((desc->opcode == DSA_OPCODE_COMPARE || desc->opcode == DSA_OPCODE_COMPVAL) &&
	    (desc->flags & IDXD_OP_FLAG_CR) && !as_expected)
		cr->status = DSA_COMP_SUCCESS_PRED;
}

static void op_corrupt(struct dsa_model *model, const struct dsa_hw_desc *desc,
		       struct model_prng *prng)
{
	if (desc->opcode != DSA_OPCODE_MEMMOVE && desc->opcode != DSA_OPCODE_COPY_CRC)
		return;
	if (dsa_model_fault(model, prng, DSA_FAULT_CORRUPT))
		((uint8_t *)(uintptr_t)desc->dst_addr)[model_below(prng, desc->xfer_size)] ^=
			1 << model_below(prng, 8);
}

uint64_t dsa_execute(struct dsa_device *device, const struct dsa_hw_desc *desc, bool in_batch,
		     struct model_prng *prng, struct dsa_completion_record *cr)
{
	struct dsa_model *model = device->model;
	struct operand operand[3];
	unsigned int nr_operands;
	struct stop stop = {0};
	uint8_t status = dsa_check(model, desc, in_batch, prng, cr);

	dsa_model_add(model, DSA_COUNT_EXECUTED, 1);
	cr->status = status ? status : DSA_COMP_SUCCESS;
	if (status || desc->opcode == DSA_OPCODE_NOOP || desc->opcode == DSA_OPCODE_DRAIN ||
	    desc->opcode == DSA_OPCODE_BATCH)
		return 0;

	nr_operands = op_operands(desc, operand);
	if (op_natural_stop(model, desc, operand, nr_operands, &stop) ||
	    op_injected_stop(model, desc, operand, nr_operands, prng, &stop)) {
		op_stop_early(model, desc, operand, nr_operands, &stop, prng, cr);
		return cr->bytes_completed;
	}
	if (op_hardware_error(model, desc, operand, nr_operands, prng, cr))
		return 0;
	op_apply(model, desc, 0, desc->xfer_size, cr);
	op_corrupt(model, desc, prng);
	op_conclude(desc, cr);
	dsa_model_add(model, DSA_COUNT_BYTES, desc->xfer_size);
	return desc->xfer_size;
}
