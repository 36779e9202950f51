/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DSA descriptors and completion records: the layout of <linux/idxd.h>, names that older versions
 * of that header lack, and builders that leave every reserved byte zero.
 */
#ifndef FERRY_HW_DSA_DESC_H
#define FERRY_HW_DSA_DESC_H

#include <assert.h>
#include <linux/idxd.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

#define DSA_DESC_BYTES 64
#define DSA_CR_BYTES   32

/* Opcodes, flags and statuses that the header of Debian 12 lacks. */
#define DSA_OP_TRANSL_FETCH     0x0a
#define DSA_OP_DIX_GEN          0x17
#define DSA_OP_UPDATE_WIN       0x21
#define DSA_FLAG_BATCH_ERROR    0x010000
#define DSA_FLAG_DRAIN_READBACK 0x030000 /* two addresses */
#define DSA_FLAG_CRC_SEED_MEM   0x010000
#define DSA_FLAG_RESERVED       0x008040 /* bits 6 and 15, in every operation */
#define DSA_SWERR_DWQ_OVERFLOW  0x53     /* never in a completion record */

/* GENCAP, sysfs gen_cap. */
#define DSA_GENCAP_BLOCK_ON_FAULT (1ULL << 0)
#define DSA_GENCAP_OVERLAP        (1ULL << 1)
#define DSA_GENCAP_CACHE_CONTROL  (1ULL << 2)
#define DSA_GENCAP_DRAIN_READBACK (1ULL << 9)
#define DSA_GENCAP_BATCH_OF_ONE   (1ULL << 52)

#define DSA_FLAGS_REPORT (IDXD_OP_FLAG_CRAV | IDXD_OP_FLAG_RCR)

static_assert(sizeof(struct dsa_hw_desc) == DSA_DESC_BYTES, "descriptor");
static_assert(offsetof(struct dsa_hw_desc, completion_addr) == 8, "completion address");
static_assert(offsetof(struct dsa_hw_desc, src_addr) == 16, "source");
static_assert(offsetof(struct dsa_hw_desc, desc_list_addr) == 16, "descriptor list");
static_assert(offsetof(struct dsa_hw_desc, pattern) == 16, "fill pattern");
static_assert(offsetof(struct dsa_hw_desc, dst_addr) == 24, "destination");
static_assert(offsetof(struct dsa_hw_desc, src2_addr) == 24, "second source");
static_assert(offsetof(struct dsa_hw_desc, xfer_size) == 32, "transfer size");
static_assert(offsetof(struct dsa_hw_desc, desc_count) == 32, "descriptor count");
static_assert(offsetof(struct dsa_hw_desc, int_handle) == 36, "interrupt handle");
static_assert(offsetof(struct dsa_hw_desc, rsvd1) == 38, "reserved");
static_assert(offsetof(struct dsa_hw_desc, op_specific) == 40, "operation specific");
static_assert(offsetof(struct dsa_hw_desc, expected_res) == 40, "expected result");
static_assert(offsetof(struct dsa_hw_desc, dest2) == 40, "second destination");
static_assert(offsetof(struct dsa_hw_desc, crc_seed) == 40, "CRC seed");
static_assert(offsetof(struct dsa_hw_desc, seed_addr) == 48, "CRC seed address");
static_assert(sizeof(struct dsa_completion_record) == DSA_CR_BYTES, "completion record");
static_assert(offsetof(struct dsa_completion_record, status) == 0, "status");
static_assert(offsetof(struct dsa_completion_record, result) == 1, "result");
static_assert(offsetof(struct dsa_completion_record, bytes_completed) == 4, "bytes completed");
static_assert(offsetof(struct dsa_completion_record, fault_addr) == 8, "fault address");
static_assert(offsetof(struct dsa_completion_record, delta_rec_size) == 16, "delta record size");
static_assert(offsetof(struct dsa_completion_record, crc_val) == 16, "CRC value");

/*
 * Writes the eight words of a descriptor. The upper half of the first holds flags and opcode; the
 * processor or the kernel fills in the lower half, PASID and privilege.
 */
static inline void dsa_desc_put(struct dsa_hw_desc *desc, uint8_t opcode, uint32_t flags,
				const struct dsa_completion_record *cr, uint64_t addr1,
				uint64_t addr2, uint32_t size)
{
	struct dsa_raw_desc *raw = (void *)desc;

	if (cr)
		flags |= DSA_FLAGS_REPORT;
	raw->field[0] = (uint64_t)((uint32_t)opcode << 24 | flags) << 32;
	raw->field[1] = (uintptr_t)cr;
	raw->field[2] = addr1;
	raw->field[3] = addr2;
	raw->field[4] = size;
	raw->field[5] = 0;
	raw->field[6] = 0;
	raw->field[7] = 0;
}

/*
 * All builders: cr is the completion record, NULL for none; the builder adds address-valid and
 * request-completion if there is one. flags are further IDXD_OP_FLAG_ bits of the operation.
 */
static inline void dsa_desc_noop(struct dsa_hw_desc *desc, uint32_t flags,
				 const struct dsa_completion_record *cr)
{
	dsa_desc_put(desc, DSA_OPCODE_NOOP, flags, cr, 0, 0, 0);
}

/* list: nr_descs descriptors, 64-byte aligned; it must not change until the batch completes. */
static inline void dsa_desc_batch(struct dsa_hw_desc *desc, uint32_t flags,
				  const struct dsa_completion_record *cr,
				  const struct dsa_hw_desc *list, uint32_t nr_descs)
{
	dsa_desc_put(desc, DSA_OPCODE_BATCH, flags, cr, (uintptr_t)list, 0, nr_descs);
}

/* cr is required: the device refuses a drain that does not report. */
static inline void dsa_desc_drain(struct dsa_hw_desc *desc, uint32_t flags,
				  const struct dsa_completion_record *cr)
{
	dsa_desc_put(desc, DSA_OPCODE_DRAIN, flags, cr, 0, 0, 0);
}

static inline void dsa_desc_memmove(struct dsa_hw_desc *desc, uint32_t flags,
				    const struct dsa_completion_record *cr, void *dst,
				    const void *src, uint32_t len_bytes)
{
	dsa_desc_put(desc, DSA_OPCODE_MEMMOVE, flags, cr, (uintptr_t)src, (uintptr_t)dst,
		     len_bytes);
}

static inline void dsa_desc_memfill(struct dsa_hw_desc *desc, uint32_t flags,
				    const struct dsa_completion_record *cr, void *dst,
				    uint64_t pattern, uint32_t len_bytes)
{
	dsa_desc_put(desc, DSA_OPCODE_MEMFILL, flags, cr, pattern, (uintptr_t)dst, len_bytes);
}

static inline void dsa_desc_compare(struct dsa_hw_desc *desc, uint32_t flags,
				    const struct dsa_completion_record *cr, const void *a,
				    const void *b, uint32_t len_bytes)
{
	dsa_desc_put(desc, DSA_OPCODE_COMPARE, flags, cr, (uintptr_t)a, (uintptr_t)b, len_bytes);
}

/* seed: 0 starts a CRC-32C; the CRC of the bytes before these continues one. */
static inline void dsa_desc_crcgen(struct dsa_hw_desc *desc, uint32_t flags,
				   const struct dsa_completion_record *cr, const void *src,
				   uint32_t len_bytes, uint32_t seed)
{
	dsa_desc_put(desc, DSA_OPCODE_CRCGEN, flags, cr, (uintptr_t)src, 0, len_bytes);
	desc->crc_seed = seed;
}

static inline void dsa_desc_copy_crc(struct dsa_hw_desc *desc, uint32_t flags,
				     const struct dsa_completion_record *cr, void *dst,
				     const void *src, uint32_t len_bytes, uint32_t seed)
{
	dsa_desc_put(desc, DSA_OPCODE_COPY_CRC, flags, cr, (uintptr_t)src, (uintptr_t)dst,
		     len_bytes);
	desc->crc_seed = seed;
}

static inline void dsa_cr_clear(struct dsa_completion_record *cr)
{
	struct dsa_raw_completion_record *raw = (void *)cr;

	raw->field[0] = 0;
	raw->field[1] = 0;
	raw->field[2] = 0;
	raw->field[3] = 0;
}

/* 0 until the device has written the record; any other value makes the whole record valid. */
static inline uint8_t dsa_cr_status(const struct dsa_completion_record *cr)
{
	return __atomic_load_n(&cr->status, __ATOMIC_ACQUIRE);
}

/* The status without bit 7, which distinguishes a write fault from a read fault. */
static inline uint8_t dsa_status_code(uint8_t status)
{
	return status & 0x3f;
}

/* The operation stopped at a page fault; bytes_completed says how much of it was done. */
static inline bool dsa_status_is_partial(uint8_t status)
{
	uint8_t code = dsa_status_code(status);

	return code == DSA_COMP_PAGE_FAULT_NOBOF || code == DSA_COMP_PAGE_FAULT_IR;
}

/* "memmove", "batch" …; "unknown" */
const char *dsa_opcode_name(uint8_t opcode);

#endif
