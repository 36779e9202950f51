/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A software model of DSA. It takes binary descriptors by ENQCMD, MOVDIR64B and write(), executes
 * them in this process's memory in random order after random delays, and fails in every way that
 * the specification allows. It answers a broken rule as hardware would and records the breach under
 * the rule's name; tests fail on any breach.
 *
 * The seed determines the faults and delays of the nth descriptor that a device accepts. With
 * `stepped` there are no threads, and a whole run repeats exactly.
 *
 * Not modelled: delta records, DIF, DIX, inter-domain and 3.0 operations (refused with 0x10, as by
 * a queue whose op_config lacks them), interrupts, CRC options other than a seed in memory.
 */
#ifndef FERRY_DSA_MODEL_H
#define FERRY_DSA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/model.h"

/* gen_cap of Sapphire Rapids in sysfs: 2 GiB transfers, batches of 1024, no batch of one. */
#define DSA_MODEL_GEN_CAP 0x40915f0107ULL

#define DSA_MODEL_PORTAL_BYTES 4096

enum dsa_model_fault {
	DSA_FAULT_PAGE,    /* 0x03 or 0x83 after any number of bytes */
	DSA_FAULT_REVERSE, /* the same of a copy from the end: result 1 */
	DSA_FAULT_LIST,    /* 0x06 after any number of a batch's descriptors */
	DSA_FAULT_ERROR,   /* 0x20, 0x21 or 0x22 */
	DSA_FAULT_RETRY,   /* reports a full queue although it is not full */
	DSA_FAULT_LATE,    /* completes late_ns late */
	DSA_FAULT_LOST,    /* executed, but the completion record is never written */
	DSA_FAULT_HANG,    /* does nothing for hang_ns or forever, then executes after all */
	DSA_FAULT_HALT,    /* the device stops and keeps all that it has accepted */
	DSA_FAULT_CORRUPT, /* success with a wrong byte, which the specification does not allow */
	NR_DSA_FAULTS
};

/* The rules for submitters, numbered as in docs/engines.md. */
enum dsa_rule {
	DSA_RULE_P1,  /* shared queue by ENQCMD, dedicated queue by MOVDIR64B */
	DSA_RULE_P2,  /* 64 bytes to a 64-byte aligned portal address */
	DSA_RULE_P4,  /* never more outstanding than a dedicated queue holds */
	DSA_RULE_P5,  /* ENQCMD: first word zero */
	DSA_RULE_P7,  /* completion records stay in place until written */
	DSA_RULE_D1,  /* an opcode that the queue supports */
	DSA_RULE_D2,  /* only flags that the operation allows */
	DSA_RULE_D3,  /* reserved bytes zero */
	DSA_RULE_D4,  /* without a completion address, no completion flags either */
	DSA_RULE_D5,  /* operations with a result request a record */
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
	DSA_RULE_D16, /* operand addresses aligned as the operation requires */
	DSA_RULE_B1,  /* descriptor list 64-byte aligned */
	DSA_RULE_B2,  /* two descriptors up to the queue's limit */
	DSA_RULE_B3,  /* no batch or drain in a batch */
	DSA_RULE_B10, /* descriptor list in place until the batch has completed */
	DSA_RULE_E5,  /* source unchanged until the copy has completed */
	NR_DSA_RULES
};

enum dsa_model_counter {
	DSA_COUNT_ACCEPTED, /* descriptors accepted into a queue */
	DSA_COUNT_EXECUTED, /* operations, including those in batches */
	DSA_COUNT_BATCHES,
	DSA_COUNT_BYTES,
	DSA_COUNT_RETRIES,   /* ENQCMD or write() answered by "retry" */
	DSA_COUNT_DROPS,     /* stores to a portal that were dropped */
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
	bool watch;        /* detect sources and lists that change before completion */
	bool in_order;     /* execute the oldest first, for measurements */
	bool stepped;      /* no threads: dsa_model_step does the work */
	bool null;         /* report success forevery descriptor at once, execute nothing */
	uint64_t seed;
	struct model_speed speed;
	uint32_t faults_ppm[NR_DSA_FAULTS];
	uint64_t late_ns;
	uint64_t hang_ns; /* 0: forever */
};

struct dsa_model;

extern const char *const dsa_fault_names[NR_DSA_FAULTS];
extern const uint32_t dsa_fault_default_ppm[NR_DSA_FAULTS];

/* One device, four engines, a shared queue of 64 with batches of 32; no faults, no delays. */
void dsa_model_defaults(struct dsa_model_config *config);

/* 0; -EINVAL for a configuration that hardware cannot have, -ENOMEM, -EAGAIN without threads. */
int __must_check dsa_model_open(const struct dsa_model_config *config, struct dsa_model **out);
/* Executes what is still queued, as the kernel does on close, and drops what hangs. */
void dsa_model_close(struct dsa_model *model);

/* What a process does to reach a device. offset: in the page of the portal. */
int dsa_model_mmap(const struct dsa_model *model); /* 0 or -EPERM */
bool dsa_model_enqcmd(struct dsa_model *model, uint32_t device, uint32_t offset, const void *desc);
void dsa_model_movdir64b(struct dsa_model *model, uint32_t device, uint32_t offset,
			 const void *data, size_t len_bytes);
long dsa_model_write(struct dsa_model *model, uint32_t device, const void *buf, size_t len_bytes);

/*
 * Stepped models: executes or completes one descriptor of any device. False if none was ready, and
 * always for a model with threads.
 */
bool dsa_model_step(struct dsa_model *model);

/* Halts a device as a hardware error would: it completes nothing and accepts nothing. */
void dsa_model_halt(struct dsa_model *model, uint32_t device);

/* Changes speed.bytes_per_us of what the model executes from now on. */
void dsa_model_set_rate(struct dsa_model *model, uint64_t bytes_per_us);

const char *dsa_rule_name(enum dsa_rule rule);
uint64_t dsa_model_breaches(const struct dsa_model *model, enum dsa_rule rule);
uint64_t dsa_model_all_breaches(const struct dsa_model *model);
uint64_t dsa_model_count(const struct dsa_model *model, enum dsa_model_counter counter);
const char *dsa_model_counter_name(enum dsa_model_counter counter);
uint64_t dsa_model_faults(const struct dsa_model *model, enum dsa_model_fault fault);
uint8_t dsa_model_sw_error(const struct dsa_model *model, uint32_t device);
/* Descriptors accepted and not completed. */
uint32_t dsa_model_outstanding(struct dsa_model *model, uint32_t device);

#endif
