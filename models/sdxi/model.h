/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An SDXI function in software: it executes binary descriptors from ring memory, in any order that
 * the specification allows, and holds their producer to the rules.
 *
 *	sdxi_model_open ─ sdxi_model_start (one per context) ─ sdxi_model_doorbell …
 *	                                                     ─ sdxi_model_stop → CXT_STS.state
 *	                  sdxi_model_release ─ sdxi_model_close
 *
 * A producer that breaks a rule is not tolerated: the breach is counted under the rule's name, the
 * descriptor ends with its error bit set, and the context goes to ERR_FN.
 *
 * What befalls descriptor i of the nth started context follows from the seed alone; the order of
 * completion also depends on when the producer comes.
 *
 * Engine threads block all signals and touch only vault memory and what descriptors name.
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

/* Rules for the producer, and one for start. Names: sdxi_rule_name(). */
enum sdxi_rule {
	SDXI_RULE_NONE,
	SDXI_RULE_CONTEXT,       /* CXT_CTL, L1 entry: valid, aligned, reserved zero, ≥ 1024 */
	SDXI_RULE_OPCODE,        /* a type and subtype that this context may use */
	SDXI_RULE_RESERVED,      /* reserved bits and bytes of descriptors are zero */
	SDXI_RULE_SIZE,          /* within the context's max_buffer; WRT_IMM ≤ 32 */
	SDXI_RULE_OVERLAP,       /* source, destination and status block are apart */
	SDXI_RULE_CSB_POINTER,   /* aligned to 32; given exactly if np is 0 */
	SDXI_RULE_CSB_RESERVED,  /* reserved parts of the status block are zero */
	SDXI_RULE_CSB_SIGNAL,    /* signal armed: never counted below 0 */
	SDXI_RULE_AKEY,          /* inside the table, valid, fit for the use, reserved zero */
	SDXI_RULE_CHANGED,       /* a valid descriptor is left alone until it was read */
	SDXI_RULE_WRITE_INDEX,   /* never falls, never more than the ring ahead of Read_Index */
	SDXI_RULE_DOORBELL,      /* never beyond Write_Index */
	SDXI_RULE_DOORBELL_LOST, /* every valid descriptor was rung for before a stop */
	SDXI_RULE_STOPPED,       /* no doorbell after asking for a stop */
	SDXI_NR_RULES,
};

/* Faults of the device itself; per descriptor, at a rate. */
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
/* Ends and joins the engines: nothing is written any more. Takes NULL. */
void sdxi_model_close(struct sdxi_model *model);

/*
 * Runs the context that the level 1 entry describes; Read_Index is set to 0.
 * -ENOSPC: all contexts in use. -EINVAL: breaks SDXI_RULE_CONTEXT, which is counted.
 */
int __must_check sdxi_model_start(struct sdxi_model *model, const struct sdxi_cxt_l1_ent *l1,
				  struct sdxi_model_context **out);
void sdxi_model_doorbell(struct sdxi_model_context *cxt, uint64_t write_index);
/* Returns at once; CXT_STS.state becomes STOP_SW when nothing of the context runs any more. */
void sdxi_model_stop(struct sdxi_model_context *cxt);
/* Runs a context again that has reached STOP_SW, from index 0. */
void sdxi_model_restart(struct sdxi_model_context *cxt);
/* Frees the context; it must have reached STOP_SW. Takes NULL. */
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
