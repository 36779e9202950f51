/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to the DSA model. */
#ifndef FERRY_DSA_MODEL_INTERNAL_H
#define FERRY_DSA_MODEL_INTERNAL_H

#include <stdatomic.h>

#include "base/futex.h"
#include "base/thread.h"
#include "hw/dsa/desc.h"
#include "models/dsa/dsa_model.h"

#define DSA_MAX_BATCH 1024

/* A descriptor between acceptance and completion. */
struct dsa_entry {
	struct dsa_hw_desc desc;
	struct dsa_completion_record result;
	uint64_t seq;
	uint64_t fate;        /* seed of all faults and delays of this descriptor */
	uint64_t source_hash; /* of the sources and the list, when it was accepted */
	uint64_t list_hash;
	uint64_t due_ns;
	bool live;
	bool cr_was_good; /* the completion record was writable when it was accepted */
	bool cr_wanted;   /* result is to be written */
	bool woken;       /* has hung once and meets no further fault */
};

/* A set of entries by index. */
struct dsa_set {
	uint32_t *index;
	uint32_t nr;
};

struct dsa_device {
	struct futex_lock lock;
	atomic_uint bell; /* futex: bumped for new work */
	atomic_uint nr_asleep;
	struct dsa_model *model;
	struct dsa_entry *entries;
	uint32_t nr_entries;
	struct dsa_set free, queued, executed, hung;
	uint64_t next_seq;
	uint64_t busy_until_ns;
	bool halted;
	_Atomic uint8_t sw_error;
	struct model_prng prng; /* for choices not tied to a descriptor; under the lock */
};

struct dsa_engine_thread {
	struct thread thread;
	struct dsa_device *device;
};

struct dsa_model {
	struct dsa_model_config config;
	struct dsa_device *devices;
	struct dsa_engine_thread *threads;
	size_t map_bytes; /* of this structure and all arrays behind it */
	long owner_pid;
	atomic_bool stop;
	_Atomic uint64_t bytes_per_us; /* as speed.bytes_per_us, and changed while it runs */
	uint64_t step_ns;              /* a stepped model's clock */
	uint32_t crc_table[256];
	_Atomic uint64_t breaches[NR_DSA_RULES];
	_Atomic uint64_t counters[NR_DSA_COUNTERS];
	_Atomic uint64_t faults[NR_DSA_FAULTS];
};

static inline void dsa_model_add(struct dsa_model *model, enum dsa_model_counter counter,
				 uint64_t n)
{
	atomic_fetch_add_explicit(&model->counters[counter], n, memory_order_relaxed);
}

static inline void dsa_model_breach(struct dsa_model *model, enum dsa_rule rule)
{
	atomic_fetch_add_explicit(&model->breaches[rule], 1, memory_order_relaxed);
}

/* Draws whether the fault happens, and counts it if so. */
static inline bool dsa_model_fault(struct dsa_model *model, struct model_prng *prng,
				   enum dsa_model_fault fault)
{
	if (!model_chance(prng, model->config.faults_ppm[fault]))
		return false;
	atomic_fetch_add_explicit(&model->faults[fault], 1, memory_order_relaxed);
	return true;
}

/* memory.c: true if the whole range is accessible; else *bad is the first address that is not. */
bool dsa_memory_readable(const struct dsa_model *model, uint64_t addr, uint64_t len_bytes,
			 bool fault_in, uint64_t *bad);
bool dsa_memory_writable(const struct dsa_model *model, uint64_t addr, uint64_t len_bytes,
			 bool fault_in, uint64_t *bad);
uint64_t dsa_memory_hash(uint64_t seed, uint64_t addr, uint64_t len_bytes);

/* rules.c: records every rule broken. Returns 0, or the status of one of them. */
uint8_t dsa_check(struct dsa_model *model, const struct dsa_hw_desc *desc, bool in_batch,
		  struct model_prng *prng, struct dsa_completion_record *cr);
/* True if the completion record is writable; else records the breach and the SWERROR code. */
bool dsa_check_cr(struct dsa_device *device, const struct dsa_hw_desc *desc);

/*
 * The sources of a batch as they were executed, each hashed before its own record was written: from
 * then on the submitter may change them.
 */
struct dsa_watch {
	uint64_t source_hash;
	bool partial; /* some were not read */
};

/*
 * execute.c: checks one descriptor and executes it, except for the list of a batch. Returns the
 * bytes moved; cr is the record that the device would write.
 */
uint64_t dsa_execute(struct dsa_device *device, const struct dsa_hw_desc *desc, bool in_batch,
		     struct model_prng *prng, struct dsa_completion_record *cr);
/* batch.c: executes the list of a batch whose own descriptor passed. */
uint64_t dsa_execute_batch(struct dsa_device *device, const struct dsa_hw_desc *desc,
			   struct model_prng *prng, struct dsa_completion_record *cr,
			   struct dsa_watch *watch);
/* Hashes of what the descriptor will read: its sources; the list of a batch. */
uint64_t dsa_watch_sources(const struct dsa_model *model, const struct dsa_hw_desc *desc);
uint64_t dsa_watch_list(const struct dsa_model *model, const struct dsa_hw_desc *desc);

/* True if the descriptor requests a record for this status. Errors without one go to SWERROR. */
bool dsa_wants_cr(struct dsa_device *device, const struct dsa_hw_desc *desc, uint8_t status);
void dsa_write_cr(uint64_t addr, const struct dsa_completion_record *cr);

/*
 * device.c: executes or completes one descriptor. False if none was ready; *next_ns is the time of
 * the next one.
 */
bool dsa_device_work(struct dsa_device *device, uint64_t now_ns, uint64_t *next_ns);

#endif
