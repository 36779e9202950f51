/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Submission to a work queue. Hardware and the model have the same three modes:
 *
 *	enqcmd     shared queue, mapped portal; the device answers "accepted" or "retry"
 *	movdir64b  dedicated queue, mapped portal; the device does not answer and drops what
 *	           exceeds the queue, so the portal counts what is outstanding
 *	write      the character device; single descriptors only, unless the kernel considers
 *	           the hardware safe
 *
 * dsa_portal_open() tries them in this order, each with a NOOP, and keeps the reason of every
 * refusal.
 */
#ifndef FERRY_DSA_PORTAL_H
#define FERRY_DSA_PORTAL_H

#include <stdatomic.h>

#include "base/own_fd.h"
#include "engines/dsa/queue.h"
#include "hw/dsa/desc.h"

struct dsa_model;
struct dsa_portal;

struct dsa_portal_ops {
	const char *name;
	bool posted; /* no answer: a full queue drops the descriptor */
	/* 0, or -errno with the reason. */
	int (*open)(struct dsa_portal *portal, char *why, size_t why_bytes);
	/* Returns how many descriptors were accepted, 0: full; -errno: the portal is unusable. */
	int (*submit)(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr);
	void (*idle)(struct dsa_portal *portal); /* lets a stepped model work; may be NULL */
	void (*close)(struct dsa_portal *portal);
};

struct dsa_portal {
	const struct dsa_portal_ops *ops;
	struct dsa_queue queue;
	uint32_t max_batch; /* 1: no batches */
	struct own_fd file;
	void *map;
	struct dsa_model *model;
	uint32_t model_device;
	atomic_uint slot;      /* of the portal's page, for the next MOVDIR64B */
	atomic_uint in_flight; /* descriptors submitted and not retired */
	atomic_uint nr_ended;  /* submissions that completed, of all channels; wraps */
	atomic_bool dead;      /* takes nothing but drains */
	atomic_int error;      /* -errno of the submission that failed; 0: died by a timeout */
	void *probe_page;
	char refusals[512]; /* of modes that were tried before, and of batches */
};

extern const struct dsa_portal_ops *const dsa_hardware_modes[]; /* NULL at the end */
extern const struct dsa_portal_ops *const dsa_model_modes[];

/*
 * Opens the queue in the first mode that works. model: the software device behind the queue, NULL
 * for hardware. timeout_ns: how long a device that works may take for a NOOP, if that is longer
 * than half a second. 0, or -errno with all refusals in portal->refusals.
 */
int __must_check dsa_portal_open(struct dsa_portal *portal, const struct dsa_queue *queue,
				 struct dsa_model *model, uint32_t model_device,
				 uint64_t timeout_ns);
/* Writes the command that fixes an error of dsa_portal_open(). */
void dsa_portal_remedy(const struct dsa_portal *portal, int err, char *text, size_t text_bytes);
/* Accepts zeroed and half-opened portals. The device must have been drained. */
void dsa_portal_close(struct dsa_portal *portal);

/* Returns how many were accepted; 0: full, or an error, which makes the portal dead. */
uint32_t dsa_portal_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr);
/* A dedicated queue keeps one entry free for a drain. */
bool dsa_portal_submit_drain(struct dsa_portal *portal, const struct dsa_hw_desc *desc);

/* The descriptors have completed. */
static inline void dsa_portal_retire(struct dsa_portal *portal, uint32_t nr)
{
	atomic_fetch_sub_explicit(&portal->in_flight, nr, memory_order_relaxed);
}

/* The device has completed a submission in time. */
static inline void dsa_portal_answered(struct dsa_portal *portal)
{
	dsa_portal_retire(portal, 1);
	atomic_fetch_add_explicit(&portal->nr_ended, 1, memory_order_relaxed);
}

static inline bool dsa_portal_is_dead(struct dsa_portal *portal)
{
	return atomic_load_explicit(&portal->dead, memory_order_relaxed);
}

#endif
