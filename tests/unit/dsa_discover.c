// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Discovery and doctor on artificial /sys and /dev trees: each link is broken in turn, and doctor
 * has to name it with the command that fixes it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/dsa/doctor.h"
#include "engines/dsa/queue.h"
#include "engines/engine.h"

static char sys_root[64], dev_root[64];

static void put_file(const char *value, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes a file below the sysfs root and creates its folders; text NULL removes it. */
static void put_file(const char *value, const char *fmt, ...)
{
	char path[256], *slash;
	va_list ap;
	FILE *f;
	int at = snprintf(path, sizeof(path), "%s/", sys_root);

	va_start(ap, fmt);
	vsnprintf(path + at, sizeof(path) - (size_t)at, fmt, ap);
	va_end(ap);
	if (!value) {
		cr_assert_eq(unlink(path), 0);
		return;
	}
	for (slash = path + at; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0755);
	}
	f = fopen(path, "w");
	cr_assert(f);
	fprintf(f, "%s\n", value);
	fclose(f);
}

#define Q(attr)    "bus/dsa/devices/dsa%u/wq%u.%u/" attr, dev, dev, wq
#define ATTR(attr) "bus/dsa/devices/dsa%u/" attr, dev

static void make_queue(unsigned int dev, unsigned int wq, const char *mode)
{
	put_file("enabled", Q("state"));
	put_file("user", Q("type"));
	put_file(mode, Q("mode"));
	put_file("16", Q("size"));
	put_file("12", Q("threshold"));
	put_file("10", Q("priority"));
	put_file("32", Q("max_batch_size"));
	put_file("2097152", Q("max_transfer_size"));
	put_file("0", Q("block_on_fault"));
}

static void make_device(unsigned int dev, const char *node)
{
	put_file("enabled", ATTR("state"));
	put_file(node, ATTR("numa_node"));
	put_file("0x40915f0107", ATTR("gen_cap"));
	put_file("1", ATTR("pasid_enabled"));
}

static void make_node(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/dsa", dev_root);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/dsa/%s", dev_root, name);
	f = fopen(path, "w");
	cr_assert(f);
	fclose(f);
}

static void setup(void)
{
	strcpy(sys_root, "/tmp/dsa-sys-XXXXXX");
	strcpy(dev_root, "/tmp/dsa-dev-XXXXXX");
	cr_assert(mkdtemp(sys_root) && mkdtemp(dev_root));
	chmod(sys_root, 0755);
	chmod(dev_root, 0755);
	setenv("FERRY_SYSFS_ROOT", sys_root, 1);
	setenv("FERRY_DEV_ROOT", dev_root, 1);
	put_file("", "bus/dsa/drivers/idxd/bind");
	make_device(0, "1");
	make_queue(0, 0, "shared");
	make_node("wq0.0");
	put_file("4-7", "devices/system/node/node1/cpulist");
	put_file("1", "devices/system/cpu/cpu4/topology/physical_package_id");
}

static void teardown(void)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s %s", sys_root, dev_root);
	cr_expect_eq(system(command), 0);
}

TestSuite(dsa_discover, .init = setup, .fini = teardown);

static struct dsa_queue queues[DSA_MAX_QUEUES];
static char why[512];

static int run_discover(void)
{
	const char *via;
	int nr = dsa_discover(queues, DSA_MAX_QUEUES, &via, why, sizeof(why));

	cr_expect(nr < 0 || !strcmp(via, "sysfs"), "the library knows nothing of this tree");
	return nr;
}

Test(dsa_discover, reads_everything)
{
	cr_assert_eq(run_discover(), 1);
	cr_expect_str_eq(queues[0].name, "wq0.0");
	cr_expect(queues[0].device_enabled && queues[0].enabled && queues[0].user);
	cr_expect(queues[0].shared && !queues[0].block_on_fault && !queues[0].no_sva);
	cr_expect_eq(queues[0].size, 16);
	cr_expect_eq(queues[0].threshold, 12);
	cr_expect_eq(queues[0].priority, 10);
	cr_expect_eq(queues[0].max_batch, 32);
	cr_expect_eq(queues[0].max_transfer_bytes, 2097152);
	cr_expect_eq(queues[0].gen_cap, 0x40915f0107);
	cr_expect_eq(queues[0].node, 1);
	cr_expect_eq(queues[0].package, 1);
	cr_expect(strstr(queues[0].path, "/dsa/wq0.0"));
}

Test(dsa_discover, orders_devices_and_queues)
{
	make_device(10, "0");
	make_queue(10, 0, "dedicated");
	make_device(2, "0");
	make_queue(2, 11, "shared");
	make_queue(2, 3, "shared");
	cr_assert_eq(run_discover(), 4);
	cr_expect_str_eq(queues[0].name, "wq0.0");
	cr_expect_str_eq(queues[1].name, "wq2.3");
	cr_expect_str_eq(queues[2].name, "wq2.11");
	cr_expect_str_eq(queues[3].name, "wq10.0");
	cr_expect_not(queues[3].shared);
}

Test(dsa_discover, finds_renamed_nodes)
{
	unsigned int dev = 0, wq = 1;

	make_queue(dev, wq, "shared");
	make_node("wq0.1-ferry");
	make_node("wq0.10");
	cr_assert_eq(run_discover(), 2);
	cr_expect(strstr(queues[1].path, "/wq0.1-ferry"));
}

/* Attributes that are unreadable or invalid count as absent; they never crash discovery. */
Test(dsa_discover, survives_bad_attributes)
{
	unsigned int dev = 0, wq = 0;

	put_file(NULL, Q("mode"));
	put_file(NULL, Q("type"));
	put_file("-2", Q("max_batch_size"));
	put_file("99999999999999999999999", Q("max_transfer_size"));
	put_file("many", Q("size"));
	put_file("nonsense", ATTR("numa_node"));
	cr_assert_eq(run_discover(), 1);
	cr_expect(!queues[0].shared && !queues[0].user);
	cr_expect_eq(queues[0].max_batch, 0);
	cr_expect_eq(queues[0].max_transfer_bytes, 0);
	cr_expect_eq(queues[0].size, 0);
	cr_expect_eq(queues[0].node, -1);
	cr_expect_eq(queues[0].package, -1);
}

Test(dsa_discover, ignores_analytics_devices)
{
	put_file("enabled", "bus/dsa/devices/iax1/state");
	put_file("user", "bus/dsa/devices/iax1/wq1.0/type");
	cr_assert_eq(run_discover(), 1);
}

/* --- the doctor --- */

static char last_step[64], last_detail[512], last_remedy[256];
static bool last_ok;
static int nr_lines, nr_broken;

static void doctor_hear(void *arg __maybe_unused, const char *step, bool ok, const char *detail,
			const char *remedy)
{
	cr_expect_eq(remedy != NULL, !ok, "%s: a remedy is for what is broken", step);
	snprintf(last_step, sizeof(last_step), "%s", step);
	snprintf(last_detail, sizeof(last_detail), "%s", detail);
	snprintf(last_remedy, sizeof(last_remedy), "%s", remedy ? remedy : "");
	last_ok = ok;
	nr_lines++;
	nr_broken += !ok;
}

static void expect_broken_link(const char *step, const char *detail, const char *remedy)
{
	cr_expect_eq(dsa_doctor(doctor_hear, NULL), -ENODEV);
	cr_expect_eq(nr_broken, 1, "%d broken links were reported", nr_broken);
	cr_expect_not(last_ok);
	cr_expect_str_eq(last_step, step);
	cr_expect(strstr(last_detail, detail), "%s", last_detail);
	cr_expect(strstr(last_remedy, remedy), "%s", last_remedy);
}

Test(dsa_discover, doctor_no_driver)
{
	put_file(NULL, "bus/dsa/drivers/idxd/bind");
	cr_assert_eq(rmdir(strcat(strcpy(why, sys_root), "/bus/dsa/drivers/idxd")), 0);
	expect_broken_link("driver idxd", "not loaded", "modprobe idxd");
}

Test(dsa_discover, doctor_no_device)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s/bus/dsa/devices/dsa0", sys_root);
	cr_assert_eq(system(command), 0);
	expect_broken_link("DSA devices", "no DSA device", "firmware");
}

Test(dsa_discover, doctor_device_disabled)
{
	unsigned int dev = 0;

	put_file("disabled", ATTR("state"));
	expect_broken_link("device enabled", "dsa0 is disabled", "accel-config enable-device dsa0");
}

Test(dsa_discover, doctor_no_sva)
{
	unsigned int dev = 0;

	put_file("0", ATTR("pasid_enabled"));
	expect_broken_link("shared virtual memory", "dsa0", "intel_iommu=on,sm_on");
}

Test(dsa_discover, doctor_queue_disabled)
{
	unsigned int dev = 0, wq = 0;

	put_file("disabled", Q("state"));
	expect_broken_link("work queue enabled", "wq0.0 is disabled",
			   "accel-config enable-wq dsa0/wq0.0");
}

Test(dsa_discover, doctor_kernel_queue)
{
	unsigned int dev = 0, wq = 0;

	put_file("kernel", Q("type"));
	expect_broken_link("work queue of type user", "wq0.0", "--type=user");
}

/* Of two queues, doctor reports on the one with more links intact. */
Test(dsa_discover, doctor_picks_the_better_queue)
{
	unsigned int dev = 0, wq = 0;

	put_file("disabled", Q("state"));
	wq = 1;
	make_queue(dev, wq, "shared");
	put_file("kernel", Q("type"));
	expect_broken_link("work queue of type user", "wq0.1", "dsa0/wq0.1");
}

Test(dsa_discover, doctor_queue_without_entries)
{
	unsigned int dev = 0, wq = 0;

	put_file("0", Q("size"));
	expect_broken_link("work queue size", "wq0.0", "--wq-size");
}

Test(dsa_discover, doctor_no_node)
{
	unlink(strcat(strcpy(why, dev_root), "/dsa/wq0.0"));
	expect_broken_link("device node", "wq0.0 has no node", "udevadm trigger");
}

Test(dsa_discover, doctor_no_permission)
{
	bool root = geteuid() == 0;

	chmod(strcat(strcpy(why, dev_root), "/dsa/wq0.0"), 0);
	cr_assert(!root || seteuid(65534) == 0);
	expect_broken_link("permission of the node", "wq0.0: Permission denied", "setfacl");
	cr_assert(!root || seteuid(0) == 0);
}

/* A plain file accepts every write and never answers. */
Test(dsa_discover, doctor_no_answer)
{
	expect_broken_link("a NOOP through the queue", "write: not completed (status 0x00)",
			   "dmesg");
}

static void batches_remedy(bool shared, bool enqcmd, bool movdir64b, const char *with,
			   const char *without)
{
	struct dsa_queue queue = {.name = "wq3.1", .device_id = 3, .shared = shared};

	dsa_batches_remedy(&queue, enqcmd, movdir64b, why, sizeof(why));
	cr_expect(strstr(why, with), "%s", why);
	cr_expect_not(strstr(why, without), "%s", why);
}

/* The capability helps only on a CPU with the instruction for this kind of queue. */
Test(dsa_discover, doctor_remedy_for_batches)
{
	batches_remedy(true, true, true, "setcap", "config-wq");
	batches_remedy(false, false, true, "setcap", "config-wq");
	batches_remedy(true, false, true, "config-wq dsa3/wq3.1 --mode=dedicated", "none:");
	batches_remedy(false, true, false, "config-wq dsa3/wq3.1 --mode=shared", "none:");
	batches_remedy(true, false, false, "only write(), which accepts single descriptors",
		       "setcap");
	batches_remedy(false, false, false, "only write(), which accepts single descriptors",
		       "setcap");
}

/* --- the engine's own words --- */

static void expect_refused(const char *spec, int err, const char *words)
{
	struct engine_env env = {0};
	struct engine *engine;

	cr_expect_eq(engine_open(spec, &env, &engine, why, sizeof(why)), err, "%s", spec);
	cr_expect(strstr(why, words), "%s: %s", spec, why);
}

Test(dsa_discover, engine_says_what_is_missing)
{
	unsigned int dev = 0, wq = 0;

	expect_refused("dsa:wq7.7", -ENODEV, "wq7.7: no such queue");
	put_file("disabled", Q("state"));
	expect_refused("dsa", -ENODEV, "accel-config enable-wq dsa0/wq0.0");
	expect_refused("dsa:wq0.0", -ENODEV, "accel-config enable-wq dsa0/wq0.0");
	setenv("FERRY_SYSFS_ROOT", "/nonexistent", 1);
	expect_refused("dsa", -ENOENT, "modprobe idxd");
}

Test(dsa_discover, its_words_come_with_a_remedy)
{
	unsigned int dev = 0, wq = 0;
	const char *remedy;

	put_file("disabled", Q("state"));
	expect_refused("dsa", -ENODEV, ENGINE_REMEDY);
	remedy = engine_cut_remedy(why);
	cr_expect_str_eq(why, "dsa: wq0.0 is disabled");
	cr_expect_str_eq(remedy, "accel-config enable-wq dsa0/wq0.0");
	cr_expect_null(engine_cut_remedy(why), "a sentence without one");
	put_file("enabled", Q("state"));
	expect_refused("dsa", -ENODEV, "write: not completed");
	cr_expect(strstr(engine_cut_remedy(why), "dmesg"));
}

Test(dsa_discover, bad_parameters_are_named)
{
	expect_refused("dsa:model,colour=red", -EINVAL, "colour");
	expect_refused("dsa:model,devices=0", -EINVAL, "devices");
	expect_refused("dsa:model,devices=65", -EINVAL, "devices");
	expect_refused("dsa:model,gbps=fast", -EINVAL, "gbps");
	expect_refused("dsa:model,faults=page+fire", -EINVAL, "faults");
	expect_refused("dsa:model,faults=page:2000000", -EINVAL, "faults");
	expect_refused("dsa:model,mode=open", -EINVAL, "mode");
	expect_refused("dsa:model,null,verify=crc", -EINVAL, "null");
	expect_refused("dsa:verify=md5", -EINVAL, "verify");
	expect_refused("dsa:cpu_fraction=91", -EINVAL, "cpu_fraction");
	expect_refused("dsa:devices=2", -EINVAL, "dsa:model");
	expect_refused("dsa:model,wq_size", -EINVAL, "wq_size");
	expect_refused("dsa:wq0.0,wq0.1", -EINVAL, "wq0.0+wq1.0");
}
