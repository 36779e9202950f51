/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many CPUs the cgroup's bandwidth limit (cpu.max, cpu.cfs_quota_us) pays for. */
#ifndef FERRY_QUOTA_H
#define FERRY_QUOTA_H

/*
 * The tightest limit from this process's group up to the root of the tree, in CPUs, rounded up;
 * 0: no limit. root stands before /proc and /sys ("" for the real ones; tests have their own).
 */
unsigned int cgroup_quota_cpus(const char *root);

#endif
