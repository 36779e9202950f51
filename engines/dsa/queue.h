/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work queues of DSA devices as the system describes them, and whether a process may use them. */
#ifndef FERRY_DSA_QUEUE_H
#define FERRY_DSA_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

#define DSA_MAX_QUEUES 128

struct dsa_queue {
	char name[24];  /* "wq0.1" */
	char path[128]; /* device node; empty if there is none */
	uint32_t device_id;
	bool device_enabled;
	bool no_sva; /* the device says that it has no shared virtual memory */
	bool enabled;
	bool user; /* type "user": offered to processes through a device node */
	bool shared;
	bool block_on_fault;
	uint32_t size;
	uint32_t threshold;
	uint32_t priority;
	uint32_t max_batch; /* 0 or 1: no batches */
	uint64_t max_transfer_bytes;
	uint64_t gen_cap;
	int node;    /* of the device, -1 unknown */
	int package; /* -1 unknown */
};

/*
 * Finds the queues of all DSA devices, in use or not: up to max, ordered by device and number.
 * Returns their number; -ENOENT, with the reason in why, without a driver or device. *via names the
 * source ("libaccel-config" or "sysfs").
 */
int dsa_discover(struct dsa_queue *queues, unsigned int max, const char **via, char *why,
		 size_t why_bytes);

/* What must hold before a process can use a queue, in the order in which to fix it. */
enum dsa_link {
	DSA_LINK_DEVICE, /* enabled */
	DSA_LINK_SVA,    /* devices may use the addresses of processes */
	DSA_LINK_QUEUE,  /* enabled */
	DSA_LINK_TYPE,   /* of type user */
	DSA_LINK_SIZE,   /* has entries and may transfer something */
	DSA_LINK_NODE,   /* has a device node */
	DSA_LINKS_HOLD,
};

struct dsa_trouble {
	char what[160];
	char remedy[160]; /* a command, or what to do */
};

/* Returns the first link that is broken, and the trouble with its remedy; else DSA_LINKS_HOLD. */
enum dsa_link dsa_queue_check(const struct dsa_queue *queue, struct dsa_trouble *trouble);

#endif
