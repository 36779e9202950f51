/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A DSA in software. It takes binary descriptors the three ways hardware and kernel take them,
 * executes them in this process's memory in random order after random delays, and fails in every
 * way the specification allows. What the submitter does wrong is answered as hardware would answer
 * and recorded under the rule's name: a test asks for breaches and fails on any.
 *
 * Everything follows from the seed: the fate of the nth descriptor a device accepts is the same in
 * every run. With `stepped` there are no threads either, and a whole run repeats exactly.
 *
 * Not modelled: delta records, DIF, DIX, the inter-domain and 3.0 operations (refused with 0x10, as
 * by a queue whose op_config lacks them), interrupts, CRC options beyond a seed in memory.
 */
#ifndef FERRY_DSA_MODEL_H
#define FERRY_DSA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/model.h"

/* Sapphire Rapids, as its sysfs shows it: 2 GiB transfers, batches of 1024, no batch of one. */
#define DSA_MODEL_GEN_CAP 0x40915f0107ULL

#define DSA_MODEL_PORTAL_BYTES 4096

enum dsa_model_fault {
	DSA_FAULT_PAGE,    /* 0x03 or 0x83 after any number of bytes */
	DSA_FAULT_REVERSE, /* the same, copying from the end: result 1 */
	DSA_FAULT_LIST,    /* 0x06 after any number of a batch's descriptors */
	DSA_FAULT_ERROR,   /* 0x20, 0x21 or 0x22 */
	DSA_FAULT_RETRY,   /* queue full although it is not */
	DSA_FAULT_LATE,    /* completes, but late_ns later than it could */
	DSA_FAULT_LOST,    /* executed, but the completion record is never written */
	DSA_FAULT_HANG,    /* nothing for hang_ns, or for ever; then it writes after all */
	DSA_FAULT_HALT,    /* the device stops, with all that it has accepted */
	DSA_FAULT_CORRUPT, /* reports success with a byte wrong: no specification allows it */
	NR_DSA_FAULTS
};

/* The rules a submitter can break, as numbered in docs/engines.md. */
enum dsa_rule {
	DSA_RULE_P1,  /* shared queue by ENQCMD, dedicated queue by MOVDIR64B */
	DSA_RULE_P2,  /* 64 bytes to a 64-byte aligned portal address */
	DSA_RULE_P4,  /* never more outstanding than a dedicated queue holds */
	DSA_RULE_P5,  /* ENQCMD: first word zero */
	DSA_RULE_P7,  /* completion records stay in place until written */
	DSA_RULE_D1,  /* an opcode the queue offers */
	DSA_RULE_D2,  /* only flags the operation allows */
	DSA_RULE_D3,  /* reserved bytes zero */
	DSA_RULE_D4,  /* no completion address: none of its companions */
	DSA_RULE_D5,  /* operations with a result report it */
	DSA_RULE_D6,  /* completion record 32-byte aligned */
	DSA_RULE_D7,  /* completion record in writable memory */
	DSA_RULE_D8,  /* completion record cleared before submission */
	DSA_RULE_D9,  /* transfer size within limits */
	DSA_RULE_D10, /* no overlap */
	DSA_RULE_D11, /* dualcast destinations equal in their low 12 bits */
	DSA_RULE_D12, /* no interrupts for users */
	DSA_RULE_D13, /* fence only in a batch */
	DSA_RULE_D14, /* block on fault only where queue and operation allow it */
	DSA_RULE_D15, /* drain reports */
	DSA_RULE_D16, /* operand addresses aligned as the operation asks */
	DSA_RULE_B1,  /* descriptor list 64-byte aligned */
	DSA_RULE_B2,  /* two descriptors up to the queue's limit */
	DSA_RULE_B3,  /* no batch or drain in a batch */
	DSA_RULE_B10, /* descriptor list in place until the batch has completed */
	DSA_RULE_E5,  /* source unchanged until the copy has completed */
	NR_DSA_RULES
};

enum dsa_model_counter {
	DSA_COUNT_ACCEPTED, /* descriptors taken into a queue */
	DSA_COUNT_EXECUTED, /* operations run, those in batches too */
	DSA_COUNT_BATCHES,
	DSA_COUNT_BYTES,
	DSA_COUNT_RETRIES,   /* ENQCMD or write() told to try again */
	DSA_COUNT_DROPS,     /* stores to a portal that vanished */
	DSA_COUNT_SW_ERRORS, /* what hardware reports in SWERROR only */
	NR_DSA_COUNTERS
};

struct dsa_model_config {
	uint32_t nr_devices;
	uint32_t nr_engines; /* threads per device */
	bool dedicated;
	uint32_t wq_size;      /* entries */
	uint32_t wq_threshold; /* shared: full from here on, through the limited portal */
	uint32_t max_batch;
	uint32_t max_transfer_bytes;
	bool block_on_fault;
	uint64_t gen_cap;
	bool rawio;           /* the process may map portals (CAP_SYS_RAWIO) */
	bool submission_safe; /* write() takes batches */
	bool check_memory; /* ask the kernel whether addresses are mapped, present and writable */
	bool watch;        /* notice sources and lists that change under way */
	bool in_order;     /* oldest first, for measuring */
	bool stepped;      /* no threads: dsa_model_step does the work */
	bool null;         /* every descriptor succeeds at once and nothing is executed */
	uint64_t seed;
	struct model_speed speed;
	uint32_t faults_ppm[NR_DSA_FAULTS];
	uint64_t late_ns;
	uint64_t hang_ns; /* 0: for ever */
};

struct dsa_model;

extern const char *const dsa_fault_names[NR_DSA_FAULTS];
extern const uint32_t dsa_fault_default_ppm[NR_DSA_FAULTS];

/* One device, four engines, a shared queue of 64 with batches of 32, no faults, full speed. */
void dsa_model_defaults(struct dsa_model_config *config);

/* 0, -EINVAL for a configuration no hardware could have, -ENOMEM, -EAGAIN without threads. */
int __must_check dsa_model_open(const struct dsa_model_config *config, struct dsa_model **out);
/* Executes what is still queued, as the kernel does on close; what hangs is forgotten. */
void dsa_model_close(struct dsa_model *model);

/* The four ways to reach a device; offset is into the portal's page. */
int dsa_model_mmap(const struct dsa_model *model); /* 0 or -EPERM */
bool dsa_model_enqcmd(struct dsa_model *model, uint32_t device, uint32_t offset, const void *desc);
void dsa_model_movdir64b(struct dsa_model *model, uint32_t device, uint32_t offset,
			 const void *data, size_t len_bytes);
long dsa_model_write(struct dsa_model *model, uint32_t device, const void *buf, size_t len_bytes);

/*
 * Stepped models: one execution or one completion somewhere. False if there is nothing to do, and
 * for models that have threads of their own.
 */
bool dsa_model_step(struct dsa_model *model);

/* Stops a device as a hardware error would: nothing completes, nothing is accepted. */
void dsa_model_halt(struct dsa_model *model, uint32_t device);

const char *dsa_rule_name(enum dsa_rule rule);
uint64_t dsa_model_breaches(const struct dsa_model *model, enum dsa_rule rule);
uint64_t dsa_model_all_breaches(const struct dsa_model *model);
uint64_t dsa_model_count(const struct dsa_model *model, enum dsa_model_counter counter);
const char *dsa_model_counter_name(enum dsa_model_counter counter);
uint64_t dsa_model_faults(const struct dsa_model *model, enum dsa_model_fault fault);
uint8_t dsa_model_sw_error(const struct dsa_model *model, uint32_t device);
/* Accepted and not completed. */
uint32_t dsa_model_outstanding(struct dsa_model *model, uint32_t device);

#endif
