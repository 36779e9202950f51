// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Discovery by the real libaccel-config, whose paths /sys/bus/dsa and /dev/dsa are fixed: a mount
 * namespace of this process provides both. The library has to find what the sysfs reader finds;
 * where it would crash or skips devices, the answer of the sysfs reader counts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/dsa/queue.h"
#include "tests/testlib/tap.h"

#define NR_TESTS 4

static void put_attr(const char *value, const char *dir, const char *attr)
{
	char path[256], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/dsa/%s/%s", dir, attr);
	for (slash = path + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0755);
	}
	f = fopen(path, "w");
	if (!f || fprintf(f, "%s\n", value) < 0 || fclose(f))
		abort();
}

struct attr {
	const char *name, *value;
};

static void put_all(const char *dir, const struct attr *attrs, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		put_attr(attrs[i].value, dir, attrs[i].name);
}

static void make_device(const char *device, const char *number)
{
	static const struct attr of_device[] = {
		{"cmd_status", "0x0"},
		{"max_groups", "4"},
		{"max_work_queues", "8"},
		{"max_engines", "4"},
		{"max_work_queues_size", "128"},
		{"numa_node", "0"},
		{"ims_size", "2048"},
		{"max_batch_size", "1024"},
		{"max_transfer_size", "2147483648"},
		{"gen_cap", "0x40915f0107"},
		{"configurable", "1"},
		{"pasid_enabled", "1"},
		{"max_read_buffers", "96"},
		{"max_tokens", "96"},
		{"read_buffer_limit", "0"},
		{"token_limit", "0"},
		{"cdev_major", "238"},
		{"version", "0x100"},
		{"state", "enabled"},
		{"clients", "0"},
		{"op_cap", "0x1003f03ff 0x0 0x0 0x0"},
		{"errors", "0x0 0x0 0x0 0x0"},
	};
	static const struct attr of_queue[] = {
		{"group_id", "0"},
		{"size", "16"},
		{"priority", "10"},
		{"block_on_fault", "0"},
		{"mode", "shared"},
		{"state", "enabled"},
		{"cdev_minor", "0"},
		{"type", "user"},
		{"name", "ferry"},
		{"driver_name", "user"},
		{"threshold", "15"},
		{"max_batch_size", "32"},
		{"max_transfer_size", "2097152"},
		{"ats_disable", "0"},
		{"prs_disable", "0"},
		{"occupancy", "0"},
		{"clients", "0"},
		{"op_config", "0x1003f03ff 0x0 0x0 0x0"},
	};
	static const struct attr of_group[] = {
		{"engines", ""},
		{"work_queues", ""},
		{"read_buffers_reserved", "0"},
		{"read_buffers_allowed", "8"},
		{"use_read_buffer_limit", "0"},
		{"tokens_reserved", "0"},
		{"tokens_allowed", "8"},
		{"use_token_limit", "0"},
		{"traffic_class_a", "0"},
		{"traffic_class_b", "1"},
	};
	char dir[128];
	FILE *f;

	snprintf(dir, sizeof(dir), "devices/%s", device);
	put_all(dir, of_device, ARRAY_SIZE(of_device));
	snprintf(dir, sizeof(dir), "devices/%s/wq%s.0", device, number);
	put_all(dir, of_queue, ARRAY_SIZE(of_queue));
	snprintf(dir, sizeof(dir), "devices/%s/group%s.0", device, number);
	put_all(dir, of_group, ARRAY_SIZE(of_group));
	snprintf(dir, sizeof(dir), "devices/%s/engine%s.0", device, number);
	put_attr("0", dir, "group_id");
	mkdir("/dev/dsa", 0755);
	snprintf(dir, sizeof(dir), "/dev/dsa/wq%s.0", number);
	f = fopen(dir, "w");
	if (!f || fclose(f))
		abort();
}

static bool enter_namespace(void)
{
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("ferry", "/sys/bus", "tmpfs", 0, NULL) &&
	       !mount("ferry", "/dev", "tmpfs", 0, NULL);
}

static bool queues_equal(const struct dsa_queue *a, const struct dsa_queue *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->path, b->path) &&
	       a->device_id == b->device_id && a->device_enabled == b->device_enabled &&
	       a->no_sva == b->no_sva && a->enabled == b->enabled && a->user == b->user &&
	       a->shared == b->shared && a->block_on_fault == b->block_on_fault &&
	       a->size == b->size && a->threshold == b->threshold && a->priority == b->priority &&
	       a->max_batch == b->max_batch && a->max_transfer_bytes == b->max_transfer_bytes &&
	       a->gen_cap == b->gen_cap && a->node == b->node && a->package == b->package;
}

static struct dsa_queue queues[DSA_MAX_QUEUES], again[DSA_MAX_QUEUES];
static char why[256];

static int run_discover(struct dsa_queue *out, const char **via)
{
	return dsa_discover(out, DSA_MAX_QUEUES, via, why, sizeof(why));
}

/* With another root, even an equivalent one, the library is not used. */
static int discover_by_sysfs(struct dsa_queue *out, const char **via)
{
	int nr;

	setenv("FERRY_SYSFS_ROOT", "/sys/.", 1);
	nr = run_discover(out, via);
	unsetenv("FERRY_SYSFS_ROOT");
	return nr;
}

/* A device that the library skips is skipped only there. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libaccel-config\nleak:scandir\n";
}

int main(void)
{
	const char *skip = NULL, *via, *via_again;
	int nr;

	tap_plan(NR_TESTS);
	if (!dlopen("libaccel-config.so.1", RTLD_NOW))
		skip = "libaccel-config is not installed";
	else if (!enter_namespace())
		skip = "no mount namespace for this user";
	for (int i = 0; skip && i < NR_TESTS; i++)
		tap_skip(skip, "discovery by libaccel-config");
	if (skip)
		return tap_done();

	put_attr("", "drivers/idxd", "bind");
	make_device("dsa0", "0");
	make_device("dsa2", "2");
	nr = run_discover(queues, &via);
	tap_note("%d queues by %s", nr, via);
	tap_ok(nr == 2 && !strcmp(via, "libaccel-config"), "the library is asked");
	nr = discover_by_sysfs(again, &via_again);
	tap_ok(nr == 2 && !strcmp(via_again, "sysfs") && queues_equal(&queues[0], &again[0]) &&
		       queues_equal(&queues[1], &again[1]),
	       "both readers say the same");

	put_attr("0x00000000,0x00000001,0x003f03ff,0x00000000,0,0,0,0", "devices/dsa2", "op_cap");
	unlink("/sys/bus/dsa/devices/dsa2/cmd_status");
	nr = run_discover(queues, &via);
	tap_note("%d queues by %s", nr, via);
	tap_ok(nr == 2, "a device that the library refuses is not lost");

	unlink("/sys/bus/dsa/devices/dsa0/wq0.0/mode");
	nr = run_discover(queues, &via);
	tap_ok(nr == 2 && !strcmp(via, "sysfs"), "an attribute that would crash it");
	return tap_done();
}
