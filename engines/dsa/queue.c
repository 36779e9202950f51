// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdio.h>

#include "engines/device/sysfs.h"
#include "engines/dsa/queue.h"

static void trouble_set(struct dsa_trouble *t, const char *remedy, const char *fmt, ...)
	__printf(3, 4);

static void trouble_set(struct dsa_trouble *t, const char *remedy, const char *fmt, ...)
{
	va_list ap;

	snprintf(t->remedy, sizeof(t->remedy), "%s", remedy);
	va_start(ap, fmt);
	vsnprintf(t->what, sizeof(t->what), fmt, ap);
	va_end(ap);
}

enum dsa_link dsa_queue_check(const struct dsa_queue *queue, struct dsa_trouble *t)
{
	char command[160];
	uint32_t id = queue->device_id;

	if (!queue->device_enabled) {
		snprintf(command, sizeof(command), "accel-config enable-device dsa%u", id);
		trouble_set(t, command, "device dsa%u is disabled", id);
		return DSA_LINK_DEVICE;
	}
	if (queue->no_sva) {
		trouble_set(t, "boot with intel_iommu=on,sm_on on the kernel command line",
			    "device dsa%u has no shared virtual memory", id);
		return DSA_LINK_SVA;
	}
	if (!queue->enabled) {
		snprintf(command, sizeof(command), "accel-config enable-wq dsa%u/%s", id,
			 queue->name);
		trouble_set(t, command, "%s is disabled", queue->name);
		return DSA_LINK_QUEUE;
	}
	if (!queue->user) {
		snprintf(command, sizeof(command),
			 "accel-config disable-wq dsa%u/%s; accel-config config-wq dsa%u/%s "
			 "--type=user --name=ferry --driver-name=user",
			 id, queue->name, id, queue->name);
		trouble_set(t, command, "%s is not of type user", queue->name);
		return DSA_LINK_TYPE;
	}
	if (!queue->size || !queue->max_transfer_bytes) {
		snprintf(command, sizeof(command),
			 "accel-config config-wq dsa%u/%s --wq-size=16 --max-transfer-size=2097152",
			 id, queue->name);
		trouble_set(t, command, "%s has no entries or no transfer size", queue->name);
		return DSA_LINK_SIZE;
	}
	if (!queue->path[0]) {
		trouble_set(t, "udevadm trigger --subsystem-match=dsa", "%s has no node in %s/dsa",
			    queue->name, device_dev_root());
		return DSA_LINK_NODE;
	}
	return DSA_LINKS_HOLD;
}
