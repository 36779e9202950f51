// SPDX-License-Identifier: LGPL-2.1-or-later
/* ferry_doctor: says what can be used on this machine; if not, what is missing first, and a remedy.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "crew/placement.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/api/machine_profile.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/memory_blocks.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/nodes.h"
#include "lib/nodes/pagemap.h"
#include "lib/uffd/uffd.h"

struct doctor {
	void (*fn)(void *arg, const struct ferry_finding *finding);
	void *arg;
};

static void finding_add(const struct doctor *doctor, const char *subject, bool usable,
			const char *detail, const char *remedy)
{
	struct ferry_finding finding = {
		.subject = subject,
		.usable = usable,
		.detail = detail,
		.remedy = usable ? NULL : remedy,
	};

	doctor->fn(doctor->arg, &finding);
}

static void doctor_check_nodes(const struct doctor *doctor, const struct nodes *nodes)
{
	char detail[128];

	snprintf(detail, sizeof(detail), "%u node%s with memory", nodes->nr_memory,
		 nodes->nr_memory == 1 ? "" : "s");
	finding_add(doctor, "machine/nodes", nodes->nr_memory > 1, detail,
		    "pages need a second node to move to; `tools/numa-vm` starts a guest that has "
		    "several");
}

static void doctor_check_kernel_mover(const struct doctor *doctor)
{
	long ret = sys_move_pages(0, 0, NULL, NULL, NULL, FERRY_MPOL_MF_MOVE);
	const char *remedy = "run a kernel with CONFIG_NUMA and CONFIG_MIGRATION";

	if (ret == -EPERM)
		remedy = "a seccomp filter forbids move_pages(2): start the container with "
			 "--cap-add SYS_NICE";
	finding_add(doctor, "mover/kernel", !ret, ret ? strerror((int)-ret) : "move_pages(2) works",
		    remedy);
}

static const char *uffd_lack_text(const struct uffd_caps *caps, char *text, size_t text_bytes)
{
	switch (caps->lack) {
	case UFFD_LACK_NONE:
		snprintf(text, text_bytes, "userfaultfd with MOVE, kernel %d.%d.%d%s",
			 caps->kernel[0], caps->kernel[1], caps->kernel[2],
			 caps->batched_flush ? "" : "; one lane: it flushes TLBs for each page");
		break;
	case UFFD_LACK_SYSCALL:
		snprintf(text, text_bytes, "this kernel has no userfaultfd");
		break;
	case UFFD_LACK_PRIVILEGE:
		snprintf(text, text_bytes,
			 "no full userfaultfd (%s): system calls would fail on pages in flight",
			 strerror(caps->error));
		break;
	case UFFD_LACK_KERNEL:
		snprintf(text, text_bytes,
			 "kernel %d.%d.%d: UFFDIO_MOVE is missing, or has bugs that lose pages",
			 caps->kernel[0], caps->kernel[1], caps->kernel[2]);
		break;
	case UFFD_LACK_FEATURE:
		snprintf(text, text_bytes,
			 "the kernel does not offer UFFDIO_MOVE and its events (%s)",
			 strerror(caps->error));
		break;
	case UFFD_LACK_PROBE:
		snprintf(text, text_bytes, "a test of UFFDIO_MOVE on private pages failed (%s)",
			 strerror(caps->error));
		break;
	}
	return text;
}

static const char *uffd_lack_remedy(enum uffd_lack lack)
{
	switch (lack) {
	case UFFD_LACK_PRIVILEGE:
		/* setcap would make the program AT_SECURE, which disables LD_PRELOAD. */
		return "setpriv --inh-caps +sys_ptrace --ambient-caps +sys_ptrace PROGRAM "
		       "(systemd: "
		       "AmbientCapabilities=CAP_SYS_PTRACE), or give its group access to "
		       "/dev/userfaultfd by a udev rule, or sysctl vm.unprivileged_userfaultfd=1";
	case UFFD_LACK_KERNEL:
		return "boot 6.12.43 or a later 6.12, or 6.16 or later; best is 6.18 or later "
		       "(apt install -t bookworm-backports linux-image-amd64)";
	case UFFD_LACK_SYSCALL:
	case UFFD_LACK_FEATURE:
		return "boot a kernel with CONFIG_USERFAULTFD";
	default:
		return "please report this with your kernel version";
	}
}

/* Tries PAGEMAP_SCAN and PROCMAP_QUERY on the stack. */
static int doctor_try_proc(void)
{
	struct page_kinds kinds;
	struct mapping mapping;
	int err = pagemap_open();

	if (!err)
		err = mappings_open();
	if (!err)
		err = pagemap_kinds(ALIGN_DOWN((uintptr_t)&kinds, PAGE_BYTES), 1, &kinds);
	if (!err)
		err = mapping_find((uintptr_t)&mapping, &mapping);
	return err;
}

static void doctor_check_exchange(const struct doctor *doctor)
{
	struct uffd_caps caps;
	char text[256];
	int fd = -1, err = uffd_open(&fd, &caps);

	if (!err)
		sys(SYS_close, fd);
	finding_add(doctor, "kernel/uffdio-move", !err, uffd_lack_text(&caps, text, sizeof(text)),
		    uffd_lack_remedy(caps.lack));
	finding_add(doctor, "kernel/uffd-fork-events", !err && caps.events_fork,
		    !err && caps.events_fork
			    ? "a child of a bare clone(2) gets the pages that are in flight, too"
			    : "a child of a bare clone(2) lacks the pages that are in flight",
		    "grant CAP_SYS_PTRACE");
	if (!err)
		err = doctor_try_proc();
	finding_add(doctor, "mover/exchange", !err,
		    err ? strerror(-err)
			: "private anonymous memory of the own process, on every node",
		    "see kernel/uffdio-move above; until then the kernel mover moves all pages");
}

static void doctor_check_mthp(const struct doctor *doctor)
{
	bool enabled = mthp_enabled();
	bool usable = !enabled || mthp_can_identify();
	const char *detail = "the kernel mover moves folios between 4 KiB and 2 MiB whole";

	if (!enabled)
		detail = "this machine has no folios between 4 KiB and 2 MiB";
	else if (!usable)
		detail = "folios between 4 KiB and 2 MiB look like small pages to this process";
	finding_add(doctor, "kernel/mthp", usable, detail,
		    "grant CAP_SYS_ADMIN (for /proc/kpageflags); until then the kernel mover moves "
		    "everything but huge pages");
}

static void doctor_check_workers(const struct doctor *doctor)
{
	struct placement *placement;
	char text[128];
	int err = placement_open(NULL, &placement);

	if (err) {
		finding_add(doctor, "machine/workers", false, strerror(-err),
			    "run lstopo to see what hwloc finds");
		return;
	}
	snprintf(text, sizeof(text), "%u places for workers on %u cores in %u L3 domains%s",
		 placement->nr_places, placement->nr_cores, placement->nr_l3,
		 placement->quota_cpus ? ", limited by cpu.max" : "");
	placement_close(placement);
	finding_add(doctor, "machine/workers", true, text, NULL);
}

static void doctor_check_profile(const struct doctor *doctor)
{
	struct profile_found found;
	bool measured;

	machine_profile_find(&found);
	measured = found.found && profile_is_measured(&found.profile);
	finding_add(doctor, "machine/profile", measured,
		    found.found && !measured ? "the profile that was found holds only defaults"
					     : found.note,
		    "run `migbench calibrate` while the machine is idle");
}

/* Tries a lower nice value, then restores the former one, which is always allowed. */
static void doctor_check_priority(const struct doctor *doctor)
{
	int nice = 20 - (int)sys(SYS_getpriority, PRIO_PROCESS, 0);
	bool usable = !sys(SYS_setpriority, PRIO_PROCESS, 0, nice - 10);

	if (usable)
		sys(SYS_setpriority, PRIO_PROCESS, 0, nice);
	finding_add(doctor, "machine/priority", usable,
		    usable ? "workers run at a higher priority while they exchange pages"
			   : "on a busy machine pages stay in flight while other threads run",
		    "grant CAP_SYS_NICE, or raise the nice limit: prlimit --nice=30 PROGRAM");
}

/* Which of its two ways page_nodes.h uses here. */
static void doctor_check_frames(const struct doctor *doctor, const struct nodes *nodes)
{
	static const char *const slow =
		"the kernel is asked for the node of each page, which takes longer";
	struct memory_blocks blocks;
	int err;

	if (nodes->nr_memory == 1) {
		finding_add(doctor, "kernel/page-frames", true,
			    "not needed: all pages are on the one node", NULL);
		return;
	}
	memory_blocks_read(&blocks, nodes, BLOCKS_ROOT);
	if (!blocks.nr_runs) {
		finding_add(doctor, "kernel/page-frames", false, slow,
			    "boot a kernel with CONFIG_MEMORY_HOTPLUG, which lists memory "
			    "blocks in sysfs");
		return;
	}
	err = pagemap_open();
	if (!err)
		err = memory_blocks_find_zero(&blocks);
	finding_add(doctor, "kernel/page-frames", !err,
		    err ? slow : "page frame numbers show which node each page is on",
		    err == -EPERM
			    ? "grant CAP_SYS_ADMIN, which shows frame numbers in /proc/self/pagemap"
			    : "boot 6.7 or later, which has PAGEMAP_SCAN");
}

static void doctor_check_engines(const struct doctor *doctor)
{
	for (unsigned int i = 0; engine_table[i]; i++) {
		const struct engine_ops *ops = engine_table[i];
		char subject[64], why[1024] = "";
		int err = ops->probe(NULL, why, sizeof(why));
		const char *remedy = engine_cut_remedy(why);

		snprintf(subject, sizeof(subject), "engine/%s", ops->name);
		finding_add(doctor, subject, !err, err && why[0] ? why : ops->summary, remedy);
	}
}

/* Which engines a context uses if none is named. */
static void doctor_check_auto(const struct doctor *doctor)
{
	char what[256] = "auto opens ";
	size_t len = strlen(what), start = len;

	for (unsigned int i = 0; engine_table[i]; i++) {
		char why[1024];

		if (engine_table[i]->priority < 0 || engine_table[i]->probe(NULL, why, sizeof(why)))
			continue;
		len += (size_t)snprintf(what + len, sizeof(what) - len, "%s%s",
					len > start ? "+" : "", engine_table[i]->name);
	}
	finding_add(doctor, "engine/auto", len > start, what, NULL);
}

int ferry_doctor(void (*fn)(void *arg, const struct ferry_finding *finding), void *arg)
{
	struct doctor doctor = {fn, arg};
	struct nodes nodes;

	nodes_read(&nodes);
	doctor_check_nodes(&doctor, &nodes);
	doctor_check_workers(&doctor);
	doctor_check_profile(&doctor);
	doctor_check_priority(&doctor);
	doctor_check_kernel_mover(&doctor);
	doctor_check_exchange(&doctor);
	doctor_check_mthp(&doctor);
	doctor_check_frames(&doctor, &nodes);
	doctor_check_engines(&doctor);
	doctor_check_auto(&doctor);
	return 0;
}
