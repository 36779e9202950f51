// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Batches. The list is read at execution; its descriptors run in random order between fences; the
 * record of the batch is written after those of its descriptors.
 */
#include "models/dsa/internal.h"

bool dsa_wants_cr(struct dsa_device *device, const struct dsa_hw_desc *desc, uint8_t status)
{
	if (desc->flags & IDXD_OP_FLAG_CRAV)
		return status != DSA_COMP_SUCCESS || (desc->flags & IDXD_OP_FLAG_RCR);
	if (status != DSA_COMP_SUCCESS) {
		device->sw_error = status;
		dsa_model_add(device->model, DSA_COUNT_SW_ERRORS, 1);
	}
	return false;
}

void dsa_write_cr(uint64_t addr, const struct dsa_completion_record *cr)
{
	const struct dsa_raw_completion_record *from = (const void *)cr;
	uint64_t *to = (uint64_t *)(uintptr_t)addr;

	to[1] = from->field[1];
	to[2] = from->field[2];
	to[3] = from->field[3];
	__atomic_store_n(&to[0], from->field[0], __ATOMIC_RELEASE);
}

static const struct dsa_hw_desc *batch_list(const struct dsa_hw_desc *desc)
{
	return (const struct dsa_hw_desc *)(uintptr_t)desc->desc_list_addr;
}

static uint64_t desc_hash_source(const struct dsa_model *model, const struct dsa_hw_desc *desc)
{
	uint64_t bad;

	if (desc->opcode != DSA_OPCODE_MEMMOVE && desc->opcode != DSA_OPCODE_COPY_CRC)
		return 0;
	if (desc->src_addr + desc->xfer_size > desc->dst_addr &&
	    desc->dst_addr + desc->xfer_size > desc->src_addr)
		return 0;
	if (!dsa_memory_readable(model, desc->src_addr, desc->xfer_size, false, &bad))
		return 0;
	return dsa_memory_hash(1, desc->src_addr, desc->xfer_size);
}

/* True if the descriptor ended in plain success. */
static bool batch_run_one(struct dsa_device *device, const struct dsa_hw_desc *listed,
			  uint64_t fate, uint32_t index, uint64_t *bytes, struct dsa_watch *watch)
{
	struct model_prng prng = model_prng_for(fate, index + 1);
	struct dsa_completion_record cr = {0};
	struct dsa_hw_desc desc = *listed;

	if (!dsa_check_cr(device, &desc))
		return false;
	*bytes += dsa_execute(device, &desc, true, &prng, &cr);
	if (device->model->config.watch)
		watch->source_hash += desc_hash_source(device->model, &desc);
	if (dsa_wants_cr(device, &desc, cr.status))
		dsa_write_cr(desc.completion_addr, &cr);
	return cr.status == DSA_COMP_SUCCESS;
}

/* Executes list[from, to) in random order. Returns how many failed. */
static uint32_t batch_run_stretch(struct dsa_device *device, const struct dsa_hw_desc *list,
				  uint32_t from, uint32_t to, uint64_t fate,
				  struct model_prng *prng, uint64_t *bytes, struct dsa_watch *watch)
{
	bool in_order = device->model->config.in_order;
	uint16_t order[DSA_MAX_BATCH];
	uint32_t nr_failed = 0;

	for (uint32_t i = from; i < to; i++)
		order[i - from] = (uint16_t)i;
	for (uint32_t nr = to - from, i = 0; i < nr; i++) {
		/* Fisher-Yates: any of the rest comes next. */
		uint32_t at = i + (in_order ? 0 : (uint32_t)model_below(prng, nr - i));
		uint16_t index = order[at];

		order[at] = order[i];
		nr_failed += !batch_run_one(device, &list[index], fate, index, bytes, watch);
	}
	return nr_failed;
}

static uint32_t batch_next_fence(const struct dsa_hw_desc *list, uint32_t from, uint32_t nr)
{
	for (uint32_t i = from + 1; i < nr; i++)
		if (list[i].flags & IDXD_OP_FLAG_FENCE)
			return i;
	return nr;
}

/* How many descriptors can be read before a page fault on the list. */
static uint32_t batch_readable_part(struct dsa_device *device, const struct dsa_hw_desc *desc,
				    struct model_prng *prng, uint64_t *fault_addr)
{
	uint64_t addr = desc->desc_list_addr;
	uint32_t nr = desc->desc_count;

	if (!dsa_memory_readable(device->model, addr, (uint64_t)nr * DSA_DESC_BYTES, true,
				 fault_addr))
		return (uint32_t)((*fault_addr - addr) / DSA_DESC_BYTES);
	if (dsa_model_fault(device->model, prng, DSA_FAULT_LIST)) {
		nr = (uint32_t)model_below(prng, nr);
		*fault_addr = addr + (uint64_t)nr * DSA_DESC_BYTES;
	}
	return nr;
}

uint64_t dsa_execute_batch(struct dsa_device *device, const struct dsa_hw_desc *desc,
			   struct model_prng *prng, struct dsa_completion_record *cr,
			   struct dsa_watch *watch)
{
	const struct dsa_hw_desc *list = batch_list(desc);
	uint64_t fate = model_random(prng);
	uint64_t fault_addr = 0, bytes = 0;
	uint32_t nr_readable = batch_readable_part(device, desc, prng, &fault_addr);
	uint32_t done = 0, nr_failed = 0;

	dsa_model_add(device->model, DSA_COUNT_BATCHES, 1);
	while (done < nr_readable) {
		uint32_t end = batch_next_fence(list, done, nr_readable);

		/* A fence after a failure ends the batch; the rest is never read. */
		if (done && nr_failed)
			break;
		nr_failed += batch_run_stretch(device, list, done, end, fate, prng, &bytes, watch);
		done = end;
	}
	cr->bytes_completed = done;
	watch->partial = done < desc->desc_count;
	cr->status = nr_failed ? DSA_COMP_BATCH_FAIL : DSA_COMP_SUCCESS;
	if (done == nr_readable && nr_readable < desc->desc_count) {
		cr->status = DSA_COMP_BATCH_PAGE_FAULT;
		cr->fault_addr = fault_addr;
	}
	return bytes;
}

uint64_t dsa_watch_sources(const struct dsa_model *model, const struct dsa_hw_desc *desc)
{
	const struct dsa_hw_desc *list = batch_list(desc);
	uint64_t bad, hash = 0;

	if (desc->opcode != DSA_OPCODE_BATCH)
		return desc_hash_source(model, desc);
	if (desc->desc_count > DSA_MAX_BATCH || (desc->desc_list_addr & (DSA_DESC_BYTES - 1)) ||
	    !dsa_memory_readable(model, desc->desc_list_addr,
				 (uint64_t)desc->desc_count * DSA_DESC_BYTES, false, &bad))
		return hash;
	for (uint32_t i = 0; i < desc->desc_count; i++)
		hash += desc_hash_source(model, &list[i]);
	return hash;
}

uint64_t dsa_watch_list(const struct dsa_model *model, const struct dsa_hw_desc *desc)
{
	uint64_t bad, len = (uint64_t)desc->desc_count * DSA_DESC_BYTES;

	if (desc->opcode != DSA_OPCODE_BATCH || desc->desc_count > DSA_MAX_BATCH ||
	    !dsa_memory_readable(model, desc->desc_list_addr, len, false, &bad))
		return 0;
	return dsa_memory_hash(2, desc->desc_list_addr, len);
}
