/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cgroup's CPU bandwidth limit (cpu.max, cpu.cfs_quota_us) as a number of CPUs. */
#ifndef FERRY_QUOTA_H
#define FERRY_QUOTA_H

/*
 * The tightest limit of this process's cgroup and its ancestors, in CPUs, rounded up; 0: no limit.
 * root is prepended to /proc and /sys: "" for the real ones, a directory in tests.
 */
unsigned int cgroup_quota_cpus(const char *root);

#endif
