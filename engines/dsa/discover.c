// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Discovery by sysfs, and the choice between it and libaccel-config. The library knows fixed paths
 * only, refuses devices over attributes of newer kernels and crashes on unreadable ones: it is
 * asked where it can cope, and its answer is taken if it found every queue that sysfs shows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engines/dsa/queue.h"
#include "engines/engine.h"

#define DEVICES "bus/dsa/devices"

static const char *root(const char *variable, const char *usual)
{
	const char *value = secure_getenv(variable);

	return value && *value ? value : usual;
}

const char *dsa_sysfs_root(void)
{
	return root("FERRY_SYSFS_ROOT", "/sys");
}

const char *dsa_dev_root(void)
{
	return root("FERRY_DEV_ROOT", "/dev");
}

int dsa_sysfs_read(const char *path, char *text, size_t text_bytes)
{
	char full[512];
	ssize_t len;
	int fd;

	snprintf(full, sizeof(full), "%s/%s", dsa_sysfs_root(), path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, text, text_bytes - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	if (len < 0)
		return (int)len;
	while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	text[len] = '\0';
	return (int)len;
}

static int read_attr(const char *dir, const char *attr, char *text, size_t text_bytes)
{
	char path[384];

	snprintf(path, sizeof(path), DEVICES "/%s/%s", dir, attr);
	return dsa_sysfs_read(path, text, text_bytes);
}

static bool attr_is(const char *dir, const char *attr, const char *value)
{
	char text[64];

	return read_attr(dir, attr, text, sizeof(text)) >= 0 && !strcmp(text, value);
}

static long long attr_number(const char *dir, const char *attr, long long missing)
{
	char text[64], *end;
	long long value;

	if (read_attr(dir, attr, text, sizeof(text)) <= 0)
		return missing;
	errno = 0;
	value = strtoll(text, &end, 0);
	return *end || errno ? missing : value;
}

static bool matches(const char *name, const char *wanted)
{
	size_t len = strlen(wanted);

	return !strncmp(name, wanted, len) && (name[len] == '\0' || name[len] == '-');
}

/* "wq0.1", or "wq0.1-NAME" as some udev rules have it. */
static void find_node(struct dsa_queue *queue)
{
	struct dirent *entry;
	char dir_path[96];
	DIR *dir;

	snprintf(dir_path, sizeof(dir_path), "%s/dsa", dsa_dev_root());
	dir = opendir(dir_path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!matches(entry->d_name, queue->name))
			continue;
		if ((size_t)snprintf(queue->path, sizeof(queue->path), "%s/%s", dir_path,
				     entry->d_name) >= sizeof(queue->path))
			queue->path[0] = '\0';
		break;
	}
	closedir(dir);
}

/* Reads and clamps: a number that sysfs cannot mean is as good as none. */
static uint64_t clamped(long long value, uint64_t most)
{
	return value < 0 ? 0 : MIN((uint64_t)value, most);
}

bool dsa_device_lacks_sva(uint32_t device_id)
{
	char device[16];

	snprintf(device, sizeof(device), "dsa%u", device_id);
	return attr_number(device, "pasid_enabled", 1) == 0;
}

static void read_queue(uint32_t device_id, uint32_t wq_id, struct dsa_queue *queue)
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
	queue->package = dsa_node_package(queue->node);
	queue->enabled = attr_is(dir, "state", "enabled");
	queue->user = attr_is(dir, "type", "user");
	queue->shared = attr_is(dir, "mode", "shared");
	queue->block_on_fault = attr_number(dir, "block_on_fault", 0) == 1;
	queue->size = (uint32_t)clamped(attr_number(dir, "size", 0), 4096);
	queue->threshold = (uint32_t)clamped(attr_number(dir, "threshold", 0), 4096);
	queue->priority = (uint32_t)clamped(attr_number(dir, "priority", 0), 15);
	queue->max_batch = (uint32_t)clamped(attr_number(dir, "max_batch_size", 0), 1024);
	queue->max_transfer_bytes = clamped(attr_number(dir, "max_transfer_size", 0), 1ULL << 31);
	find_node(queue);
}

static int by_device_and_number(const void *a, const void *b)
{
	const struct dsa_queue *x = a, *y = b;

	if (x->device_id != y->device_id)
		return x->device_id < y->device_id ? -1 : 1;
	return strverscmp(x->name, y->name);
}

static unsigned int read_device(uint32_t id, struct dsa_queue *queues, unsigned int max)
{
	struct dirent *entry;
	unsigned int nr = 0;
	char path[384];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" DEVICES "/dsa%u", dsa_sysfs_root(), id);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (nr < max && (entry = readdir(dir))) {
		unsigned int device_id, wq_id;
		char rest;

		if (sscanf(entry->d_name, "wq%u.%u%c", &device_id, &wq_id, &rest) == 2 &&
		    device_id == id)
			read_queue(id, wq_id, &queues[nr++]);
	}
	closedir(dir);
	return nr;
}

static int discover_sysfs(struct dsa_queue *queues, unsigned int max, char *why, size_t why_bytes)
{
	unsigned int nr = 0, nr_devices = 0;
	struct dirent *entry;
	char path[128];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" DEVICES, dsa_sysfs_root());
	dir = opendir(path);
	if (!dir) {
		snprintf(why, why_bytes,
			 "%s: the idxd driver is not loaded" ENGINE_REMEDY "modprobe idxd", path);
		return -ENOENT;
	}
	while ((entry = readdir(dir))) {
		unsigned int id;
		char rest;

		if (sscanf(entry->d_name, "dsa%u%c", &id, &rest) != 1)
			continue;
		nr_devices++;
		nr += read_device(id, &queues[nr], max - nr);
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
	qsort(queues, nr, sizeof(*queues), by_device_and_number);
	return (int)nr;
}

/* strcmp on what could not be read is how the library dies. */
static bool accfg_can_cope(const struct dsa_queue *queues, int nr)
{
	static const char *const needed[] = {"mode", "type", "state"};
	char dir[64], text[64];

	if (strcmp(dsa_sysfs_root(), "/sys") || strcmp(dsa_dev_root(), "/dev"))
		return false;
	for (int i = 0; i < nr; i++) {
		snprintf(dir, sizeof(dir), "dsa%u/%s", queues[i].device_id, queues[i].name);
		for (size_t n = 0; n < ARRAY_SIZE(needed); n++)
			if (read_attr(dir, needed[n], text, sizeof(text)) < 0)
				return false;
	}
	return true;
}

int dsa_discover(struct dsa_queue *queues, unsigned int max, const char **via, char *why,
		 size_t why_bytes)
{
	int nr = discover_sysfs(queues, max, why, why_bytes);
	struct dsa_queue *asked;
	int nr_asked;

	*via = "sysfs";
	if (nr <= 0 || !accfg_can_cope(queues, nr))
		return nr;
	asked = calloc(max, sizeof(*asked));
	if (!asked)
		return nr;
	nr_asked = dsa_discover_accfg(asked, max, why, why_bytes);
	if (nr_asked >= nr) {
		qsort(asked, (size_t)nr_asked, sizeof(*asked), by_device_and_number);
		memcpy(queues, asked, (size_t)nr_asked * sizeof(*asked));
		*via = "libaccel-config";
		nr = nr_asked;
	}
	free(asked);
	return nr;
}

int dsa_node_package(int node)
{
	char path[128], text[64];
	int cpu;

	if (node < 0)
		return -1;
	snprintf(path, sizeof(path), "devices/system/node/node%d/cpulist", node);
	if (dsa_sysfs_read(path, text, sizeof(text)) <= 0 || sscanf(text, "%d", &cpu) != 1)
		return -1;
	snprintf(path, sizeof(path), "devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
	if (dsa_sysfs_read(path, text, sizeof(text)) <= 0)
		return -1;
	return atoi(text);
}

static void set_trouble(struct dsa_trouble *t, const char *remedy, const char *fmt, ...)
	__printf(3, 4);

static void set_trouble(struct dsa_trouble *t, const char *remedy, const char *fmt, ...)
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
		set_trouble(t, command, "device dsa%u is disabled", id);
		return DSA_LINK_DEVICE;
	}
	if (queue->no_sva) {
		set_trouble(t, "boot with intel_iommu=on,sm_on on the kernel command line",
			    "device dsa%u has no shared virtual memory", id);
		return DSA_LINK_SVA;
	}
	if (!queue->enabled) {
		snprintf(command, sizeof(command), "accel-config enable-wq dsa%u/%s", id,
			 queue->name);
		set_trouble(t, command, "%s is disabled", queue->name);
		return DSA_LINK_QUEUE;
	}
	if (!queue->user) {
		snprintf(command, sizeof(command),
			 "accel-config disable-wq dsa%u/%s; accel-config config-wq dsa%u/%s "
			 "--type=user --name=ferry --driver-name=user",
			 id, queue->name, id, queue->name);
		set_trouble(t, command, "%s is not of type user", queue->name);
		return DSA_LINK_TYPE;
	}
	if (!queue->size || !queue->max_transfer_bytes) {
		snprintf(command, sizeof(command),
			 "accel-config config-wq dsa%u/%s --wq-size=16 --max-transfer-size=2097152",
			 id, queue->name);
		set_trouble(t, command, "%s has no entries or no transfer size", queue->name);
		return DSA_LINK_SIZE;
	}
	if (!queue->path[0]) {
		set_trouble(t, "udevadm trigger --subsystem-match=dsa", "%s has no node in %s/dsa",
			    queue->name, dsa_dev_root());
		return DSA_LINK_NODE;
	}
	return DSA_LINKS_HOLD;
}
