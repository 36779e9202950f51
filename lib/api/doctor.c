// SPDX-License-Identifier: LGPL-2.1-or-later
/* What can be used here, and if not, the first thing that is missing and how to mend it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/sys.h"
#include "crew/placement.h"
#include "engines/engine.h"
#include "include/pageferry.h"
#include "lib/nodes/memory_blocks.h"
#include "lib/core/slice.h"
#include "lib/nodes/mappings.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/nodes.h"
#include "lib/nodes/pagemap.h"
#include "base/uapi.h"
#include "lib/uffd/uffd.h"

struct report {
	void (*fn)(void *arg, const struct ferry_finding *finding);
	void *arg;
};

static void say(const struct report *report, const char *subject, bool usable, const char *detail,
		const char *remedy)
{
	struct ferry_finding finding = {
		.subject = subject,
		.usable = usable,
		.detail = detail,
		.remedy = usable ? NULL : remedy,
	};

	report->fn(report->arg, &finding);
}

static void check_nodes(const struct report *report, const struct nodes *nodes)
{
	char detail[128];

	snprintf(detail, sizeof(detail), "%u node%s with memory", nodes->nr_memory,
		 nodes->nr_memory == 1 ? "" : "s");
	say(report, "machine/nodes", nodes->nr_memory > 1, detail,
	    "nothing can change node on this machine; `tools/numa-vm` starts a guest with several");
}

static void check_kernel_mover(const struct report *report)
{
	long ret = sys_move_pages(0, 0, NULL, NULL, NULL, FERRY_MPOL_MF_MOVE);
	const char *remedy = "run a kernel with CONFIG_NUMA and CONFIG_MIGRATION";

	if (ret == -EPERM)
		remedy = "a seccomp filter forbids move_pages(2): in a container, --cap-add "
			 "SYS_NICE";
	say(report, "mover/kernel", !ret, ret ? strerror((int)-ret) : "move_pages(2) answers",
	    remedy);
}

static const char *lack_text(const struct uffd_caps *caps, char *text, size_t text_bytes)
{
	switch (caps->lack) {
	case UFFD_LACK_NONE:
		snprintf(text, text_bytes, "userfaultfd with MOVE, kernel %d.%d.%d%s",
			 caps->kernel[0], caps->kernel[1], caps->kernel[2],
			 caps->batched_flush ? "" : "; one lane: it flushes TLBs page by page");
		break;
	case UFFD_LACK_SYSCALL:
		snprintf(text, text_bytes, "this kernel has no userfaultfd");
		break;
	case UFFD_LACK_PRIVILEGE:
		snprintf(text, text_bytes,
			 "no full userfaultfd (%s): faults of system calls would not be handled",
			 strerror(caps->error));
		break;
	case UFFD_LACK_KERNEL:
		snprintf(text, text_bytes,
			 "kernel %d.%d.%d: UFFDIO_MOVE is missing or known to lose pages",
			 caps->kernel[0], caps->kernel[1], caps->kernel[2]);
		break;
	case UFFD_LACK_FEATURE:
		snprintf(text, text_bytes, "the kernel refused UFFDIO_MOVE and its events (%s)",
			 strerror(caps->error));
		break;
	case UFFD_LACK_PROBE:
		snprintf(text, text_bytes, "UFFDIO_MOVE on two private pages failed (%s)",
			 strerror(caps->error));
		break;
	}
	return text;
}

static const char *lack_remedy(enum uffd_lack lack)
{
	switch (lack) {
	case UFFD_LACK_PRIVILEGE:
		return "setcap cap_sys_ptrace+ep PROGRAM, or chmod 666 /dev/userfaultfd, "
		       "or sysctl vm.unprivileged_userfaultfd=1";
	case UFFD_LACK_KERNEL:
		return "boot 6.12.43 or later of 6.12, or 6.16 and later; best 6.18 "
		       "(apt install -t bookworm-backports linux-image-amd64)";
	case UFFD_LACK_SYSCALL:
	case UFFD_LACK_FEATURE:
		return "boot a kernel with CONFIG_USERFAULTFD";
	default:
		return "please report this with your kernel version";
	}
}

/* PAGEMAP_SCAN and PROCMAP_QUERY, on our own stack. */
static int try_proc(void)
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

static void check_exchange(const struct report *report)
{
	struct uffd_caps caps;
	char text[256];
	int fd = -1, err = uffd_open(&fd, &caps);

	if (!err)
		sys(SYS_close, fd);
	say(report, "kernel/uffdio-move", !err, lack_text(&caps, text, sizeof(text)),
	    lack_remedy(caps.lack));
	say(report, "kernel/uffd-fork-events", !err && caps.events_fork,
	    !err && caps.events_fork
		    ? "children made without libc's fork() are served too"
		    : "a child made by a bare clone(2) while pages are out would miss them",
	    "grant CAP_SYS_PTRACE");
	if (!err)
		err = try_proc();
	say(report, "mover/exchange", !err,
	    err ? strerror(-err) : "own private anonymous memory, on every node",
	    "see kernel/uffdio-move above; until then the kernel mover serves everything");
}

static void check_mthp(const struct report *report)
{
	bool enabled = mthp_enabled();

	say(report, "kernel/mthp", !enabled || mthp_can_identify(),
	    !enabled              ? "no folios between 4 KiB and 2 MiB here"
	    : mthp_can_identify() ? "folios between 4 KiB and 2 MiB go to the kernel mover whole"
				  : "folios between 4 KiB and 2 MiB can't be told from small pages",
	    "grant CAP_SYS_ADMIN (for /proc/kpageflags); until then all but huge pages go to the "
	    "kernel mover");
}

static void check_workers(const struct report *report)
{
	struct placement *placement;
	char text[128];
	int err = placement_open(NULL, &placement);

	if (err) {
		say(report, "machine/workers", false, strerror(-err), "check hwloc: lstopo");
		return;
	}
	snprintf(text, sizeof(text), "%u places on %u cores in %u L3 domains%s",
		 placement->nr_places, placement->nr_cores, placement->nr_l3,
		 placement->quota_cpus ? ", limited by cpu.max" : "");
	placement_close(placement);
	say(report, "machine/workers", true, text, NULL);
}

/* Asked by doing it for a moment. Back is always allowed. */
static void check_priority(const struct report *report)
{
	int nice = 20 - (int)sys(SYS_getpriority, PRIO_PROCESS, 0);
	bool usable = !sys(SYS_setpriority, PRIO_PROCESS, 0, nice - 10);

	if (usable)
		sys(SYS_setpriority, PRIO_PROCESS, 0, nice);
	say(report, "machine/priority", usable,
	    usable ? "workers run ahead of other threads while they exchange"
		   : "where CPUs are short, pages may be out until other threads' time is up",
	    "grant CAP_SYS_NICE, or a nice limit: prlimit --nice=30 PROGRAM");
}

/* How it is found out which node pages are on. */
static void check_frames(const struct report *report, const struct nodes *nodes)
{
	static const char *const slow =
		"where pages are is asked of the kernel, which takes longer";
	struct memory_blocks blocks;
	int err;

	if (nodes->nr_memory == 1) {
		say(report, "kernel/page-frames", true, "one node: nobody asks where pages are",
		    NULL);
		return;
	}
	memory_blocks_read(&blocks, nodes, BLOCKS_ROOT);
	if (!blocks.nr_runs) {
		say(report, "kernel/page-frames", false, slow,
		    "boot a kernel with CONFIG_MEMORY_HOTPLUG, which lists memory blocks in sysfs");
		return;
	}
	err = pagemap_open();
	if (!err)
		err = memory_blocks_find_zero(&blocks);
	say(report, "kernel/page-frames", !err,
	    err ? slow : "page frame numbers tell which node pages are on",
	    err == -EPERM ? "grant CAP_SYS_ADMIN, which shows frame numbers in /proc/self/pagemap"
			  : "boot 6.7 or later, which has PAGEMAP_SCAN");
}

static void check_engines(const struct report *report)
{
	for (unsigned int i = 0; engine_table[i]; i++) {
		const struct engine_ops *ops = engine_table[i];
		char subject[64], why[1024] = "";
		int err = ops->probe(NULL, why, sizeof(why));
		const char *remedy = engine_cut_remedy(why);

		snprintf(subject, sizeof(subject), "engine/%s", ops->name);
		say(report, subject, !err, err && why[0] ? why : ops->summary, remedy);
	}
}

int ferry_doctor(void (*fn)(void *arg, const struct ferry_finding *finding), void *arg)
{
	struct report report = {fn, arg};
	struct nodes nodes;

	nodes_read(&nodes);
	check_nodes(&report, &nodes);
	check_workers(&report);
	check_priority(&report);
	check_kernel_mover(&report);
	check_exchange(&report);
	check_mthp(&report);
	check_frames(&report, &nodes);
	check_engines(&report);
	return 0;
}
