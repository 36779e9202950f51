/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way into a work queue. There are three on hardware, and the model offers the same three:
 *
 *	enqcmd     shared queue, portal mapped; the device answers "taken" or "try again"
 *	movdir64b  dedicated queue, portal mapped; the device answers nothing and drops what is
 *	           too much, so the number outstanding is counted here
 *	write      the character device; single descriptors only, unless the kernel deems the
 *	           hardware safe
 *
 * Opening tries them in this order, each with a NOOP, and keeps the reason for every refusal.
 */
#ifndef FERRY_DSA_PORTAL_H
#define FERRY_DSA_PORTAL_H

#include <stdatomic.h>

#include "engines/dsa/queue.h"
#include "hw/dsa/desc.h"

struct dsa_model;
struct dsa_portal;

struct dsa_portal_ops {
	const char *name;
	bool posted; /* nobody says that the queue is full */
	/* 0, or -errno and the reason. */
	int (*open)(struct dsa_portal *portal, char *why, size_t why_bytes);
	/* How many of the descriptors were taken, 0: full; -errno: it will not work any more. */
	int (*submit)(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr);
	void (*idle)(struct dsa_portal *portal); /* lets a stepped model work; may be NULL */
	void (*close)(struct dsa_portal *portal);
};

struct dsa_portal {
	const struct dsa_portal_ops *ops;
	struct dsa_queue queue;
	uint32_t max_batch; /* 1: no batches */
	int fd;
	void *map;
	struct dsa_model *model;
	uint32_t model_device;
	atomic_uint slot;      /* of the portal's page, for the next MOVDIR64B */
	atomic_uint in_flight; /* descriptors submitted and not yet retired */
	atomic_uint nr_ended;  /* submissions answered, of all channels; wraps */
	atomic_bool dead;      /* nothing more is submitted through it, drains excepted */
	atomic_int error;      /* -errno of the submission that made it so; 0: no answer did */
	void *probe_page;
	char refusals[512]; /* of the ways that were tried before, and of batches */
};

extern const struct dsa_portal_ops *const dsa_hardware_ways[]; /* NULL at the end */
extern const struct dsa_portal_ops *const dsa_model_ways[];

/*
 * Opens the queue through the first way that works. model: NULL for hardware, else the software
 * device that stands behind the queue. 0, or -errno with all refusals in portal->refusals.
 */
int __must_check dsa_portal_open(struct dsa_portal *portal, const struct dsa_queue *queue,
				 struct dsa_model *model, uint32_t model_device);
/* The command that mends what dsa_portal_open answered with err. */
void dsa_portal_remedy(const struct dsa_portal *portal, int err, char *text, size_t text_bytes);
/* Takes zeroed and half-opened ones. The device must have been drained. */
void dsa_portal_close(struct dsa_portal *portal);

/* How many were taken; 0: full. An error makes the portal dead and is answered with 0 as well. */
uint32_t dsa_portal_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr);
/* A drain, for which one entry of a dedicated queue is kept free. */
bool dsa_portal_submit_drain(struct dsa_portal *portal, const struct dsa_hw_desc *desc);

/* The descriptors have completed. */
static inline void dsa_portal_retire(struct dsa_portal *portal, uint32_t nr)
{
	atomic_fetch_sub_explicit(&portal->in_flight, nr, memory_order_relaxed);
}

/* The device has answered a submission in time: it works. */
static inline void dsa_portal_answered(struct dsa_portal *portal)
{
	dsa_portal_retire(portal, 1);
	atomic_fetch_add_explicit(&portal->nr_ended, 1, memory_order_relaxed);
}

static inline bool dsa_portal_is_dead(struct dsa_portal *portal)
{
	return atomic_load_explicit(&portal->dead, memory_order_relaxed);
}

/* What this processor can do. */
bool dsa_cpu_has_enqcmd(void);
bool dsa_cpu_has_movdir64b(void);
bool dsa_cpu_has_waitpkg(void);

/* The instructions; only where the processor has them. enqcmd answers true if it was taken. */
bool dsa_enqcmd(void *portal, const void *desc);
void dsa_movdir64b(void *portal, const void *desc);
/* Sleeps lightly until the line changes or about max_cycles have passed. */
void dsa_umwait(const void *line, uint64_t max_cycles);

#endif
