// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/device/sysfs.h"
#include "engines/dsa/discover.h"
#include "engines/engine.h"

static bool attr_is(const char *dir, const char *attr, const char *value)
{
	char path[384];

	snprintf(path, sizeof(path), DSA_SYSFS_DEVICES "/%s/%s", dir, attr);
	return device_attr_is(path, value);
}

static long long attr_number(const char *dir, const char *attr, long long missing)
{
	char path[384];

	snprintf(path, sizeof(path), DSA_SYSFS_DEVICES "/%s/%s", dir, attr);
	return device_attr_number(path, missing);
}

/* "wq0.1", or "wq0.1-NAME" as some udev rules name it. */
static bool node_is_of(const char *name, const char *wanted)
{
	size_t len = strlen(wanted);

	return !strncmp(name, wanted, len) && (name[len] == '\0' || name[len] == '-');
}

static void queue_find_node(struct dsa_queue *queue)
{
	struct dirent *entry;
	char dir_path[96];
	DIR *dir;

	snprintf(dir_path, sizeof(dir_path), "%s/dsa", device_dev_root());
	dir = opendir(dir_path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!node_is_of(entry->d_name, queue->name))
			continue;
		if ((size_t)snprintf(queue->path, sizeof(queue->path), "%s/%s", dir_path,
				     entry->d_name) >= sizeof(queue->path))
			queue->path[0] = '\0';
		break;
	}
	closedir(dir);
}

/* A negative attribute counts as 0. */
static uint64_t attr_clamp(long long value, uint64_t most)
{
	return value < 0 ? 0 : MIN((uint64_t)value, most);
}

bool dsa_device_lacks_sva(uint32_t device_id)
{
	char device[16];

	snprintf(device, sizeof(device), "dsa%u", device_id);
	return attr_number(device, "pasid_enabled", 1) == 0;
}

static void queue_read(uint32_t device_id, uint32_t wq_id, struct dsa_queue *queue)
{
	char device[16], dir[48];

	*queue = (struct dsa_queue){.device_id = device_id};
	snprintf(queue->name, sizeof(queue->name), "wq%u.%u", device_id, wq_id);
	snprintf(device, sizeof(device), "dsa%u", device_id);
	snprintf(dir, sizeof(dir), "%s/%s", device, queue->name);
	queue->device_enabled = attr_is(device, "state", "enabled");
	queue->no_sva = dsa_device_lacks_sva(device_id);
	queue->gen_cap = (uint64_t)attr_number(device, "gen_cap", 0);
	queue->node = (int)attr_number(device, "numa_node", -1);
	queue->package = device_node_package(queue->node);
	queue->enabled = attr_is(dir, "state", "enabled");
	queue->user = attr_is(dir, "type", "user");
	queue->shared = attr_is(dir, "mode", "shared");
	queue->block_on_fault = attr_number(dir, "block_on_fault", 0) == 1;
	queue->size = (uint32_t)attr_clamp(attr_number(dir, "size", 0), 4096);
	queue->threshold = (uint32_t)attr_clamp(attr_number(dir, "threshold", 0), 4096);
	queue->priority = (uint32_t)attr_clamp(attr_number(dir, "priority", 0), 15);
	queue->max_batch = (uint32_t)attr_clamp(attr_number(dir, "max_batch_size", 0), 1024);
	queue->max_transfer_bytes =
		attr_clamp(attr_number(dir, "max_transfer_size", 0), 1ULL << 31);
	queue_find_node(queue);
}

static unsigned int device_read_queues(uint32_t id, struct dsa_queue *queues, unsigned int max)
{
	struct dirent *entry;
	unsigned int nr = 0;
	char path[384];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" DSA_SYSFS_DEVICES "/dsa%u", device_sysfs_root(), id);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (nr < max && (entry = readdir(dir))) {
		unsigned int device_id, wq_id;
		char rest;

		if (sscanf(entry->d_name, "wq%u.%u%c", &device_id, &wq_id, &rest) == 2 &&
		    device_id == id)
			queue_read(id, wq_id, &queues[nr++]);
	}
	closedir(dir);
	return nr;
}

/* The device is part of x86 processors. */
#ifdef __x86_64__
#define DSA_DRIVER_MISSING "the idxd driver is not loaded" ENGINE_REMEDY "modprobe idxd"
#else
#define DSA_DRIVER_MISSING "only x86-64 has this device" ENGINE_REMEDY "use dsa:model"
#endif

int dsa_discover_sysfs(struct dsa_queue *queues, unsigned int max, char *why, size_t why_bytes)
{
	unsigned int nr = 0, nr_devices = 0;
	struct dirent *entry;
	char path[128];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" DSA_SYSFS_DEVICES, device_sysfs_root());
	dir = opendir(path);
	if (!dir) {
		snprintf(why, why_bytes, "%s: " DSA_DRIVER_MISSING, path);
		return -ENOENT;
	}
	while ((entry = readdir(dir))) {
		unsigned int id;
		char rest;

		if (sscanf(entry->d_name, "dsa%u%c", &id, &rest) != 1)
			continue;
		nr_devices++;
		nr += device_read_queues(id, &queues[nr], max - nr);
	}
	closedir(dir);
	if (!nr) {
		snprintf(
			why, why_bytes, "%s: %s", path,
			nr_devices
				? "devices without work queues" ENGINE_REMEDY
				  "accel-config list -i shows what they have"
				: "no DSA device on this machine (lspci -d 8086:0b25)" ENGINE_REMEDY
				  "enable DSA in the firmware, then "
				  "accel-config list -i shows it");
		return -ENOENT;
	}
	return (int)nr;
}
