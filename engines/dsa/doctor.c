// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engines/device/instructions.h"
#include "engines/device/sysfs.h"
#include "engines/dsa/doctor.h"
#include "engines/dsa/portal.h"
#include "engines/engine.h"

struct doctor {
	dsa_doctor_line_fn line;
	void *arg;
	struct dsa_queue *queues;
	int nr_queues;
};

/* The doctor may take its time: a wrong refusal would mislead its reader. */
#define DOCTOR_TIMEOUT_NS (3 * NS_PER_SEC)

#define SETCAP "setcap cap_sys_rawio+ep PROGRAM, or run it as root"

static const char *const link_names[] = {
	[DSA_LINK_DEVICE] = "device enabled",    [DSA_LINK_SVA] = "shared virtual memory",
	[DSA_LINK_QUEUE] = "work queue enabled", [DSA_LINK_TYPE] = "work queue of type user",
	[DSA_LINK_SIZE] = "work queue size",     [DSA_LINK_NODE] = "device node",
};

static int report_link(const struct doctor *d, const char *step, bool ok, const char *detail,
		       const char *remedy)
{
	d->line(d->arg, step, ok, detail, ok ? NULL : remedy);
	return ok ? 0 : -ENODEV;
}

/* Not a link: without these instructions write() still works. */
static void report_cpu(const struct doctor *d)
{
	char detail[128];

	snprintf(detail, sizeof(detail), "ENQCMD %s, MOVDIR64B %s, UMWAIT %s",
		 device_cpu_has_enqcmd() ? "yes" : "no", device_cpu_has_movdir64b() ? "yes" : "no",
		 device_cpu_has_waitpkg() ? "yes" : "no");
	report_link(d, "CPU instructions", true, detail, NULL);
}

static int check_module(const struct doctor *d)
{
	char path[256];
	bool loaded;

	snprintf(path, sizeof(path), "%s/bus/dsa/drivers/idxd", device_sysfs_root());
	loaded = access(path, F_OK) == 0;
#ifdef __x86_64__
	return report_link(d, "driver idxd", loaded, loaded ? "loaded" : "not loaded",
			   "modprobe idxd");
#else
	return report_link(d, "driver idxd", loaded, loaded ? "loaded" : "only on x86-64", NULL);
#endif
}

static int check_devices(struct doctor *d)
{
	char why[512] = "", detail[64];
	const char *via, *remedy;

	d->nr_queues = dsa_discover(d->queues, DSA_MAX_QUEUES, &via, why, sizeof(why));
	if (d->nr_queues <= 0) {
		remedy = engine_cut_remedy(why);
		return report_link(d, "DSA devices", false, why, remedy);
	}
	snprintf(detail, sizeof(detail), "%d work queues, found by %s", d->nr_queues, via);
	return report_link(d, "DSA devices", true, detail, NULL);
}

/* Reports on the queue with the most links intact. */
static int check_links(const struct doctor *d)
{
	enum dsa_link best = DSA_LINK_DEVICE;
	struct dsa_trouble trouble = {0}, best_trouble = {0};
	int err = 0;

	for (int i = 0; i < d->nr_queues; i++) {
		enum dsa_link link = dsa_queue_check(&d->queues[i], &trouble);

		if (link < best || (best_trouble.what[0] && link == best))
			continue;
		best = link;
		best_trouble = trouble;
	}
	for (enum dsa_link link = DSA_LINK_DEVICE; link < DSA_LINKS_HOLD && !err; link++)
		err = link == best ? report_link(d, link_names[link], false, best_trouble.what,
						 best_trouble.remedy)
				   : report_link(d, link_names[link], true, "yes", NULL);
	return err;
}

/* Only a mapped portal accepts batches, by the instruction for its kind of queue. */
void dsa_batches_remedy(const struct dsa_queue *queue, bool has_enqcmd, bool has_movdir64b,
			char *text, size_t text_bytes)
{
	if (!has_enqcmd && !has_movdir64b)
		snprintf(text, text_bytes,
			 "none: without ENQCMD and MOVDIR64B this CPU has only write(), which "
			 "accepts single descriptors");
	else if (queue->shared ? has_enqcmd : has_movdir64b)
		snprintf(text, text_bytes, SETCAP);
	else
		snprintf(text, text_bytes,
			 "accel-config config-wq dsa%u/%s --mode=%s, because this CPU lacks %s; "
			 "then " SETCAP,
			 queue->device_id, queue->name, queue->shared ? "dedicated" : "shared",
			 queue->shared ? "ENQCMD" : "MOVDIR64B");
}

static int report_batches(const struct doctor *d, const struct dsa_portal *portal)
{
	char detail[64], remedy[192] = "accel-config config-wq … --max-batch-size=32";

	if (portal->max_batch > 1) {
		snprintf(detail, sizeof(detail), "up to %u descriptors", portal->max_batch);
		return report_link(d, "batches", true, detail, NULL);
	}
	if (!strcmp(portal->ops->name, "write"))
		dsa_batches_remedy(&portal->queue, device_cpu_has_enqcmd(),
				   device_cpu_has_movdir64b(), remedy, sizeof(remedy));
	report_link(d, "batches", false, portal->refusals, remedy);
	return 1;
}

static int report_refusal(const struct doctor *d, const struct dsa_portal *portal, int err)
{
	char remedy[192];

	dsa_portal_remedy(portal, err, remedy, sizeof(remedy));
	return report_link(d,
			   err == -EACCES ? "permission of the node" : "a NOOP through the queue",
			   false, portal->refusals, remedy);
}

/* The first usable queue that answers; if none does, the refusal of the last one. */
static int check_portal(const struct doctor *d)
{
	struct dsa_portal *portal = calloc(1, sizeof(*portal));
	struct dsa_trouble trouble;
	char detail[256];
	int err = -ENOMEM;

	for (int i = 0; i < d->nr_queues && portal && err; i++)
		if (dsa_queue_check(&d->queues[i], &trouble) == DSA_LINKS_HOLD)
			err = dsa_portal_open(portal, &d->queues[i], NULL, 0, DOCTOR_TIMEOUT_NS);
	if (portal && err) {
		err = report_refusal(d, portal, err);
	} else if (portal) {
		snprintf(detail, sizeof(detail), "%s (%s, %u entries) by %s", portal->queue.name,
			 portal->queue.shared ? "shared" : "dedicated", portal->queue.size,
			 portal->ops->name);
		report_link(d, "a NOOP through the queue", true, detail, NULL);
		err = report_batches(d, portal);
		dsa_portal_close(portal);
	}
	free(portal);
	return err;
}

int dsa_doctor(dsa_doctor_line_fn line, void *arg)
{
	struct doctor d = {.line = line, .arg = arg};
	int err;

	d.queues = calloc(DSA_MAX_QUEUES, sizeof(*d.queues));
	if (!d.queues)
		return -ENOMEM;
	report_cpu(&d);
	err = check_module(&d);
	if (!err)
		err = check_devices(&d);
	if (!err)
		err = check_links(&d);
	if (!err)
		err = check_portal(&d);
	free(d.queues);
	return err;
}
