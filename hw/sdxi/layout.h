/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SDXI 1.0: the structures that a producer shares with an SDXI function, and builders for the
 * descriptors that a user-space context may use.
 *
 * All fields are little endian. Names are those of the specification. Builders fill a descriptor in
 * private memory and leave its valid bit clear: the producer sets it when it publishes the
 * descriptor in a ring.
 */
#ifndef FERRY_HW_SDXI_LAYOUT_H
#define FERRY_HW_SDXI_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "SDXI structures are little endian");

/* Opcode dword, the same in every descriptor. */
#define SDXI_DSC_VL            (1U << 0) /* valid */
#define SDXI_DSC_SE            (1U << 1) /* sequential */
#define SDXI_DSC_FE            (1U << 2) /* fence: wait for everything before */
#define SDXI_DSC_CH            (1U << 3) /* chain */
#define SDXI_DSC_CSR           (1U << 4)
#define SDXI_DSC_RB            (1U << 5)
#define SDXI_DSC_SUBTYPE_SHIFT 8
#define SDXI_DSC_TYPE_SHIFT    16
#define SDXI_DSC_TYPE_MASK     0x7ffU
#define SDXI_DSC_RESERVED      0xf80000c0U /* bits 7:6 and 31:27 */

#define SDXI_OPCODE(type, subtype) \
	((uint32_t)(type) << SDXI_DSC_TYPE_SHIFT | (uint32_t)(subtype) << SDXI_DSC_SUBTYPE_SHIFT)
#define SDXI_OPCODE_MASK \
	(SDXI_DSC_TYPE_MASK << SDXI_DSC_TYPE_SHIFT | 0xffU << SDXI_DSC_SUBTYPE_SHIFT)

#define SDXI_TYPE_DMAB   0x001
#define SDXI_TYPE_ADMIN  0x002
#define SDXI_TYPE_ATOMIC 0x003
#define SDXI_TYPE_INTR   0x004

#define SDXI_OP_NOP          SDXI_OPCODE(SDXI_TYPE_DMAB, 0x01)
#define SDXI_OP_WRT_IMM      SDXI_OPCODE(SDXI_TYPE_DMAB, 0x02)
#define SDXI_OP_COPY         SDXI_OPCODE(SDXI_TYPE_DMAB, 0x03)
#define SDXI_OP_REP_COPY     SDXI_OPCODE(SDXI_TYPE_DMAB, 0x04)
#define SDXI_OP_CXT_START_NM SDXI_OPCODE(SDXI_TYPE_ADMIN, 0x03)
#define SDXI_OP_CXT_STOP     SDXI_OPCODE(SDXI_TYPE_ADMIN, 0x04)
#define SDXI_OP_SYNC         SDXI_OPCODE(SDXI_TYPE_ADMIN, 0x06)
#define SDXI_OP_INTR         SDXI_OPCODE(SDXI_TYPE_INTR, 0x00)

/* csb_ptr qword */
#define SDXI_CSB_NP       1ULL    /* no completion status block */
#define SDXI_CSB_RESERVED 0x1eULL /* bits 4:1 */
#define SDXI_CSB_PTR      (~0x1fULL)

/* Sizes are encoded as bytes - 1: 1 byte … 4 GiB. */
#define SDXI_MAX_COPY_BYTES    (1ULL << 32)
#define SDXI_MAX_WRT_IMM_BYTES 32

struct sdxi_dsc_generic {
	uint32_t opcode;
	uint8_t body[52];
	uint64_t csb_ptr;
};

struct sdxi_dsc_copy {
	uint32_t opcode;
	uint32_t size; /* bytes - 1 */
	uint8_t attr;  /* source 3:0, destination 7:4 */
	uint8_t rsvd_0[3];
	uint16_t akey0; /* source */
	uint16_t akey1; /* destination */
	uint64_t addr0; /* source */
	uint64_t addr1; /* destination */
	uint8_t rsvd_1[24];
	uint64_t csb_ptr;
};

struct sdxi_dsc_wrt_imm {
	uint32_t opcode;
	uint32_t size; /* bytes - 1 */
	uint8_t attr;
	uint8_t rsvd_0[3];
	uint16_t akey0; /* destination */
	uint16_t rsvd_1;
	uint64_t addr0; /* destination */
	uint8_t data[SDXI_MAX_WRT_IMM_BYTES];
	uint64_t csb_ptr;
};

struct sdxi_dsc_intr {
	uint32_t opcode;
	uint8_t rsvd_0[8];
	uint16_t akey;
	uint8_t rsvd_1[42];
	uint64_t csb_ptr;
};

/* CXT_START_NM and CXT_STOP; in CXT_STOP db_value is reserved. */
struct sdxi_dsc_cxt {
	uint32_t opcode;
	uint8_t rsvd_0;
	uint8_t vflags; /* CXT_STOP: hard stop in bit 6 */
	uint16_t vf_num;
	uint16_t cxt_start;
	uint16_t cxt_end;
	uint8_t rsvd_1[4];
	uint64_t db_value;
	uint8_t rsvd_2[32];
	uint64_t csb_ptr;
};

struct sdxi_dsc_sync {
	uint32_t opcode;
	uint8_t cflags; /* filter 2:0 */
	uint8_t rsvd_0[3];
	uint16_t cxt_start;
	uint16_t cxt_end;
	uint16_t key_start;
	uint16_t key_end;
	uint8_t rsvd_1[40];
	uint64_t csb_ptr;
};

struct sdxi_desc {
	union {
		uint64_t qw[8];
		struct sdxi_dsc_generic generic;
		struct sdxi_dsc_copy copy;
		struct sdxi_dsc_wrt_imm wrt_imm;
		struct sdxi_dsc_intr intr;
		struct sdxi_dsc_cxt cxt;
		struct sdxi_dsc_sync sync;
	};
} __attribute__((aligned(64)));

/* Completion status block: the function counts signal down; 0 is done. */
struct sdxi_cst_blk {
	uint64_t signal;
	uint32_t flags;
	uint8_t rsvd_0[20];
} __attribute__((aligned(32)));

#define SDXI_CST_BLK_ER (1U << 31)

/* Context control: the addresses of the parts of one context. */
struct sdxi_cxt_ctl {
	uint64_t ds_ring_ptr; /* vl 0, qos 3:2, se 4, csa 5, address 63:6 */
	uint32_t ds_ring_sz;  /* descriptors */
	uint8_t rsvd_0[4];
	uint64_t cxt_sts_ptr;     /* address 63:4 */
	uint64_t write_index_ptr; /* address 63:3 */
	uint8_t rsvd_1[32];
} __attribute__((aligned(64)));

#define SDXI_CXT_CTL_VL       1ULL
#define SDXI_CXT_CTL_RESERVED 2ULL
#define SDXI_CXT_CTL_RING_PTR (~0x3fULL)
#define SDXI_MIN_RING_ENTRIES 1024

/* Context status, written by the function. */
struct sdxi_cxt_sts {
	uint8_t state; /* 3:0 */
	uint8_t misc0;
	uint8_t rsvd_0[6];
	uint64_t read_index;
} __attribute__((aligned(16)));

enum sdxi_cxt_state {
	SDXI_CXT_STOP_SW = 0x0,
	SDXI_CXT_RUN = 0x1,
	SDXI_CXT_STOPG_SW = 0x2,
	SDXI_CXT_STOP_FN = 0x4,
	SDXI_CXT_STOPG_FN = 0x6,
	SDXI_CXT_ERR_FN = 0xf,
};
#define SDXI_CXT_STATE_MASK 0xf

/* Level 1 context table entry. */
struct sdxi_cxt_l1_ent {
	uint64_t cxt_ctl_ptr; /* vl 0, ka 1, pv 2, address 63:6 */
	uint64_t akey_ptr;    /* akey_sz 3:0, address 63:12 */
	uint32_t misc0;       /* pasid 19:0, max_buffer 23:20 */
	uint32_t opb_000_enb;
	uint8_t rsvd_0[8];
} __attribute__((aligned(32)));

#define SDXI_L1_VL                   1ULL
#define SDXI_L1_PV                   4ULL
#define SDXI_L1_CTL_RESERVED         0x38ULL
#define SDXI_L1_CTL_PTR              (~0x3fULL)
#define SDXI_L1_AKEY_SZ_MASK         0xfULL
#define SDXI_L1_AKEY_RESERVED        0xff0ULL
#define SDXI_L1_AKEY_PTR             (~0xfffULL)
#define SDXI_L1_NR_AKEYS(sz)         (1U << ((sz) + 8))
#define SDXI_L1_PASID_MASK           0xfffffU
#define SDXI_L1_MAX_BUFFER_SHIFT     20
#define SDXI_L1_MAX_BUFFER_BYTES(n)  (1ULL << ((n) + 21))
#define SDXI_L1_MAX_BUFFER_OF(misc0) ((misc0) >> SDXI_L1_MAX_BUFFER_SHIFT & 0xf)
#define SDXI_L1_MISC0_RESERVED       0xff000000U

/* Address key: the address space and the interrupt that a descriptor may name. */
struct sdxi_akey_ent {
	uint16_t intr_num; /* vl 0, iv 1, pv 2, number 14:4 */
	uint16_t tgt_sfunc;
	uint32_t pasid; /* 19:0, pr 29 */
	uint16_t stag;
	uint8_t rsvd_0[2];
	uint16_t rkey;
	uint8_t rsvd_1[2];
} __attribute__((aligned(16)));

#define SDXI_AKEY_VL            0x1U
#define SDXI_AKEY_IV            0x2U
#define SDXI_AKEY_PV            0x4U
#define SDXI_AKEY_INTR_SHIFT    4
#define SDXI_AKEY_INTR_MASK     0x7ffU
#define SDXI_AKEY_INTR_RESERVED 0x8008U

_Static_assert(sizeof(struct sdxi_desc) == 64, "descriptor");
_Static_assert(sizeof(struct sdxi_dsc_generic) == 64, "generic descriptor");
_Static_assert(sizeof(struct sdxi_dsc_copy) == 64, "COPY");
_Static_assert(sizeof(struct sdxi_dsc_wrt_imm) == 64, "WRT_IMM");
_Static_assert(sizeof(struct sdxi_dsc_intr) == 64, "INTR");
_Static_assert(sizeof(struct sdxi_dsc_cxt) == 64, "CXT_START_NM, CXT_STOP");
_Static_assert(sizeof(struct sdxi_dsc_sync) == 64, "SYNC");
_Static_assert(offsetof(struct sdxi_dsc_copy, size) == 0x04, "COPY size");
_Static_assert(offsetof(struct sdxi_dsc_copy, attr) == 0x08, "COPY attr");
_Static_assert(offsetof(struct sdxi_dsc_copy, akey0) == 0x0c, "COPY akey0");
_Static_assert(offsetof(struct sdxi_dsc_copy, akey1) == 0x0e, "COPY akey1");
_Static_assert(offsetof(struct sdxi_dsc_copy, addr0) == 0x10, "COPY addr0");
_Static_assert(offsetof(struct sdxi_dsc_copy, addr1) == 0x18, "COPY addr1");
_Static_assert(offsetof(struct sdxi_dsc_copy, csb_ptr) == 0x38, "COPY csb_ptr");
_Static_assert(offsetof(struct sdxi_dsc_wrt_imm, addr0) == 0x10, "WRT_IMM addr0");
_Static_assert(offsetof(struct sdxi_dsc_wrt_imm, data) == 0x18, "WRT_IMM data");
_Static_assert(offsetof(struct sdxi_dsc_intr, akey) == 0x0c, "INTR akey");
_Static_assert(offsetof(struct sdxi_dsc_cxt, vflags) == 0x05, "CXT vflags");
_Static_assert(offsetof(struct sdxi_dsc_cxt, vf_num) == 0x06, "CXT vf_num");
_Static_assert(offsetof(struct sdxi_dsc_cxt, cxt_start) == 0x08, "CXT start");
_Static_assert(offsetof(struct sdxi_dsc_cxt, db_value) == 0x10, "CXT db_value");
_Static_assert(offsetof(struct sdxi_dsc_sync, key_end) == 0x0e, "SYNC key_end");
_Static_assert(sizeof(struct sdxi_cst_blk) == 32, "CST_BLK");
_Static_assert(offsetof(struct sdxi_cst_blk, flags) == 8, "CST_BLK flags");
_Static_assert(sizeof(struct sdxi_cxt_ctl) == 64, "CXT_CTL");
_Static_assert(offsetof(struct sdxi_cxt_ctl, ds_ring_sz) == 8, "CXT_CTL ds_ring_sz");
_Static_assert(offsetof(struct sdxi_cxt_ctl, cxt_sts_ptr) == 16, "CXT_CTL cxt_sts_ptr");
_Static_assert(offsetof(struct sdxi_cxt_ctl, write_index_ptr) == 24, "CXT_CTL write_index_ptr");
_Static_assert(sizeof(struct sdxi_cxt_sts) == 16, "CXT_STS");
_Static_assert(offsetof(struct sdxi_cxt_sts, read_index) == 8, "CXT_STS read_index");
_Static_assert(sizeof(struct sdxi_cxt_l1_ent) == 32, "CXT_L1_ENT");
_Static_assert(offsetof(struct sdxi_cxt_l1_ent, misc0) == 16, "CXT_L1_ENT misc0");
_Static_assert(sizeof(struct sdxi_akey_ent) == 16, "AKEY");
_Static_assert(offsetof(struct sdxi_akey_ent, pasid) == 4, "AKEY pasid");
_Static_assert(offsetof(struct sdxi_akey_ent, rkey) == 12, "AKEY rkey");

static inline uint64_t sdxi_csb_qword(const struct sdxi_cst_blk *csb)
{
	return csb ? (uint64_t)(uintptr_t)csb : SDXI_CSB_NP;
}

/* csb NULL: no completion status. len_bytes: 1 … 4 GiB. The akeys index the akey table. */
static inline void sdxi_build_copy(struct sdxi_desc *desc, uint64_t dst, uint16_t dst_akey,
				   uint64_t src, uint16_t src_akey, uint64_t len_bytes,
				   const struct sdxi_cst_blk *csb)
{
	*desc = (struct sdxi_desc){
		.copy =
			{
				.opcode = SDXI_OP_COPY,
				.size = (uint32_t)(len_bytes - 1),
				.akey0 = src_akey,
				.akey1 = dst_akey,
				.addr0 = src,
				.addr1 = dst,
				.csb_ptr = sdxi_csb_qword(csb),
			},
	};
}

/* len_bytes 1 … 32 */
static inline void sdxi_build_wrt_imm(struct sdxi_desc *desc, uint64_t dst, uint16_t dst_akey,
				      const void *data, uint32_t len_bytes,
				      const struct sdxi_cst_blk *csb)
{
	*desc = (struct sdxi_desc){
		.wrt_imm =
			{
				.opcode = SDXI_OP_WRT_IMM,
				.size = len_bytes - 1,
				.akey0 = dst_akey,
				.addr0 = dst,
				.csb_ptr = sdxi_csb_qword(csb),
			},
	};
	memcpy(desc->wrt_imm.data, data, len_bytes);
}

static inline void sdxi_build_nop(struct sdxi_desc *desc, const struct sdxi_cst_blk *csb)
{
	*desc = (struct sdxi_desc){
		.generic = {.opcode = SDXI_OP_NOP, .csb_ptr = sdxi_csb_qword(csb)},
	};
}

/* Raises the interrupt that the akey names. */
static inline void sdxi_build_intr(struct sdxi_desc *desc, uint16_t akey,
				   const struct sdxi_cst_blk *csb)
{
	*desc = (struct sdxi_desc){
		.intr =
			{
				.opcode = SDXI_OP_INTR,
				.akey = akey,
				.csb_ptr = sdxi_csb_qword(csb),
			},
	};
}

/* The descriptor starts only after all descriptors before it in the ring have ended. */
static inline void sdxi_set_fence(struct sdxi_desc *desc)
{
	desc->generic.opcode |= SDXI_DSC_FE;
}

#endif
