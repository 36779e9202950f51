/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A software model of an SDXI function: it executes binary descriptors from a ring in memory, in
 *any order that the specification allows, and checks the rules for producers.
 *
 *	sdxi_model_open ─ sdxi_model_start (one per context) ─ sdxi_model_doorbell …
 *	                                                     ─ sdxi_model_stop → CXT_STS.state
 *	                  sdxi_model_release ─ sdxi_model_close
 *
 * It counts a breach under the rule's name, ends the descriptor with its error bit set, and puts
 *the context into ERR_FN.
 *
 * The seed determines the faults of descriptor i of the nth started context; the order of
 *completion also depends on timing.
 *
 * Engine threads block all signals and touch only vault memory and the buffers of descriptors.
 */
#ifndef FERRY_SDXI_MODEL_H
#define FERRY_SDXI_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "hw/sdxi/layout.h"
#include "models/model.h"

#define SDXI_MODEL_MAX_CONTEXTS 64
#define SDXI_MODEL_MAX_ENGINES  16

/* Rules for producers; SDXI_RULE_CONTEXT is checked at start. Names: sdxi_rule_name(). */
enum sdxi_rule {
	SDXI_RULE_NONE,
	SDXI_RULE_CONTEXT,      /* CXT_CTL, L1 entry: valid, aligned, reserved zero, ≥ 1024 */
	SDXI_RULE_OPCODE,       /* a type and subtype that this context may use */
	SDXI_RULE_RESERVED,     /* reserved bits and bytes of descriptors are zero */
	SDXI_RULE_SIZE,         /* within the context's max_buffer; WRT_IMM ≤ 32 */
	SDXI_RULE_OVERLAP,      /* source, destination and status block do not overlap */
	SDXI_RULE_CSB_POINTER,  /* aligned to 32; present exactly if np is 0 */
	SDXI_RULE_CSB_RESERVED, /* reserved parts of the status block are zero */
	SDXI_RULE_CSB_SIGNAL,   /* signal not 0 before execution: never counted below 0 */
	SDXI_RULE_AKEY,         /* inside the table, valid, fit for the use, reserved zero */
	SDXI_RULE_CHANGED,      /* a valid descriptor does not change until it has been read */
	SDXI_RULE_WRITE_INDEX, /* never decreases, never exceeds Read_Index by more than the ring */
	SDXI_RULE_DOORBELL,    /* never beyond Write_Index */
	SDXI_RULE_DOORBELL_LOST, /* at a stop, no valid descriptor beyond the doorbell */
	SDXI_RULE_STOPPED,       /* no doorbell after a stop request */
	SDXI_NR_RULES,
};

/* Faults of the device; each has a rate per descriptor. */
enum sdxi_fault {
	SDXI_FAULT_ERROR, /* any part is copied, the error bit set; the context goes on */
	SDXI_FAULT_STOP,  /* the same, and the function stops the context */
	SDXI_FAULT_LOST,  /* copied, but the status block is never written */
	SDXI_FAULT_HANG,  /* never ends; a stop ends it */
	SDXI_FAULT_STRAY, /* never ends; a stop is not confirmed for stray_ns, then it copies */
	SDXI_FAULT_DELAY, /* ends up to delay_ns late */
	SDXI_NR_FAULTS,
};

extern const char *const sdxi_fault_names[SDXI_NR_FAULTS];
extern const uint32_t sdxi_fault_default_ppm[SDXI_NR_FAULTS];

struct sdxi_model_config {
	uint64_t seed;
	unsigned int nr_engines;  /* threads; 0: execute inside the doorbell ("inline") */
	struct model_speed speed; /* of the whole function, shared by its engines */
	uint32_t fault_ppm[SDXI_NR_FAULTS];
	uint64_t stray_ns; /* 0: 20 ms */
	uint64_t delay_ns; /* 0: 200 µs */
};

struct sdxi_model;
struct sdxi_model_context;

/* 0, -EINVAL (too many engines; stray faults without an engine), -ENOMEM, -EAGAIN. */
int __must_check sdxi_model_open(const struct sdxi_model_config *config, struct sdxi_model **out);
/* Stops the engines: on return the model writes nothing any more. Takes NULL. */
void sdxi_model_close(struct sdxi_model *model);

/*
 * Runs the context that the level 1 entry describes, from Read_Index 0.
 * -ENOSPC: all contexts in use. -EINVAL: breaks SDXI_RULE_CONTEXT, which is counted.
 */
int __must_check sdxi_model_start(struct sdxi_model *model, const struct sdxi_cxt_l1_ent *l1,
				  struct sdxi_model_context **out);
void sdxi_model_doorbell(struct sdxi_model_context *cxt, uint64_t write_index);
/* Returns at once; CXT_STS.state becomes STOP_SW when nothing of the context runs any more. */
void sdxi_model_stop(struct sdxi_model_context *cxt);
/* Runs a context in state STOP_SW again, from index 0. */
void sdxi_model_restart(struct sdxi_model_context *cxt);
/* Frees a context in state STOP_SW. Takes NULL. */
void sdxi_model_release(struct sdxi_model_context *cxt);

const char *sdxi_rule_name(enum sdxi_rule rule);

struct sdxi_model_stats {
	uint64_t descriptors;
	uint64_t late_doorbells; /* below an earlier one: allowed */
	uint64_t interrupts;
	uint64_t faults[SDXI_NR_FAULTS];
	uint64_t breaches[SDXI_NR_RULES];
	uint64_t nr_breaches;
};
void sdxi_model_stats(struct sdxi_model *model, struct sdxi_model_stats *out);

#endif
