/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work queues as the system describes them, before anybody has tried to use one. */
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

/* Roots of /sys and /dev; FERRY_SYSFS_ROOT and FERRY_DEV_ROOT stand in for them in tests. */
const char *dsa_sysfs_root(void);
const char *dsa_dev_root(void);

/*
 * All queues of all DSA devices, in use or not: up to max of them, by device and number. Returns
 * how many; -ENOENT without a driver or device, -EIO if what is there cannot be read: why says
 * what. *via names where the answer came from ("libaccel-config" or "sysfs").
 */
int dsa_discover(struct dsa_queue *queues, unsigned int max, const char **via, char *why,
		 size_t why_bytes);

/* The same by libaccel-config. -ENOENT if it is not installed, -EIO if it cannot cope. */
int dsa_discover_accfg(struct dsa_queue *queues, unsigned int max, char *why, size_t why_bytes);

/* What has to hold before a process can use a queue, in the order in which it has to be mended. */
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

/* The first link that is broken, with the trouble and its remedy; DSA_LINKS_HOLD. */
enum dsa_link dsa_queue_check(const struct dsa_queue *queue, struct dsa_trouble *trouble);

/* The package that node's CPUs sit in; -1 unknown, as for memory without CPUs. */
int dsa_node_package(int node);

/* The device says so itself; libaccel-config's answer is always yes. */
bool dsa_device_lacks_sva(uint32_t device_id);

/* One attribute below the sysfs root, without its newline. Length or -errno. */
int dsa_sysfs_read(const char *path, char *text, size_t text_bytes);

#endif
