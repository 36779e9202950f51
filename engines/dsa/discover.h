/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to discovery: the two sources that dsa_discover() (queue.h) chooses from. */
#ifndef FERRY_DSA_DISCOVER_H
#define FERRY_DSA_DISCOVER_H

#include "engines/dsa/queue.h"

#define DSA_SYSFS_DEVICES "bus/dsa/devices" /* below the sysfs root */

/* Up to max queues, unordered. Their number; -ENOENT, with the reason, without driver or device. */
int dsa_discover_sysfs(struct dsa_queue *queues, unsigned int max, char *why, size_t why_bytes);
/* The same by libaccel-config. -ENOENT if it is not installed, -EIO if it fails. */
int dsa_discover_accfg(struct dsa_queue *queues, unsigned int max, char *why, size_t why_bytes);

/* True if sysfs denies shared virtual memory; libaccel-config always affirms it. */
bool dsa_device_lacks_sva(uint32_t device_id);

#endif
