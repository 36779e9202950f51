// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/base.h"
#include "cli/machine/machine.h"
#include "cli/machine/sysfs.h"

const struct machine_setting machine_settings[] = {
	{"thp", SYSFS_THP "/enabled", true,
	 "always or madvise: folios of 2 MiB are huge pages; never: 4 KiB pages stand in for them"},
	{"thp_defrag", SYSFS_THP "/defrag", true,
	 "how much time a page fault spends to find a free huge page"},
	{"numa_balancing", "/proc/sys/kernel/numa_balancing", false,
	 "not 0: the kernel also migrates pages by itself, and makes page faults to find which"},
	{"unprivileged_userfaultfd", "/proc/sys/vm/unprivileged_userfaultfd", false,
	 "0: the exchange mover needs CAP_SYS_PTRACE or access to /dev/userfaultfd"},
	{"demotion", "/sys/kernel/mm/numa/demotion_enabled", false,
	 "true: reclaim moves cold pages to slower nodes while others are measured"},
	{"zone_reclaim_mode", "/proc/sys/vm/zone_reclaim_mode", false,
	 "not 0: a node reclaims its own pages before it allocates on another one"},
	{"compaction_proactiveness", "/proc/sys/vm/compaction_proactiveness", false,
	 "0 to 100: how much the kernel migrates in the background to free huge pages"},
	{"ksm", "/sys/kernel/mm/ksm/run", false,
	 "1: pages with the same content are merged; merged pages go by the kernel's call"},
	{"zswap", "/sys/module/zswap/parameters/enabled", false,
	 "Y: pages are compressed before they are swapped out, by the CPUs that copy"},
	{"lru_gen", "/sys/kernel/mm/lru_gen/enabled", false,
	 "not 0x0000: reclaim by the multi-generational LRU"},
	{"max_map_count", "/proc/sys/vm/max_map_count", false,
	 "mappings per process; the exchange mover splits mappings while it moves them"},
	{"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", false,
	 "other than performance: CPUs change their frequency between rounds"},
	{"smt", "/sys/devices/system/cpu/smt/active", false,
	 "1: two CPUs can be threads of one core, which copies no faster with both"},
};

const unsigned int nr_machine_settings = ARRAY_SIZE(machine_settings);
