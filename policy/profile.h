/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The profile of a machine: what moving and copying cost there. It is a struct of plain numbers,
 * filled by measurements or by the defaults below, and read by the cost model (choose.h).
 *
 * A profile only predicts costs. Nothing that keeps pages safe depends on it. profile_check() holds
 * each number to bounds, so a damaged file can make a choice slow, but never absurd.
 */
#ifndef FERRY_PROFILE_H
#define FERRY_PROFILE_H

#include "base/base.h"

/* What is done with bytes. */
enum profile_work {
	PROFILE_KERNEL, /* a system call moves pages */
	PROFILE_CPU,    /* one worker copies */
	PROFILE_DSA,    /* one device copies */
	PROFILE_SDXI,
	PROFILE_NR_WORKS
};

/* How far source and destination are apart. */
enum profile_reach {
	PROFILE_SAME,   /* frames of one node */
	PROFILE_NEAR,   /* nodes of one socket */
	PROFILE_REMOTE, /* another socket */
	PROFILE_FAR,    /* a node without CPUs: CXL memory, memory of a device */
	PROFILE_NR_REACHES
};

/* The size of the folios. */
enum profile_size { PROFILE_4K, PROFILE_64K, PROFILE_2M, PROFILE_NR_SIZES };

/* Kinds of devices. */
enum profile_device_kind { PROFILE_DEVICE_DSA, PROFILE_DEVICE_SDXI, PROFILE_NR_DEVICES };

/* Numbers of other CPUs that run the process, for which the cost of a TLB flush is stored. */
#define PROFILE_FLUSH_STEPS 9 /* 0, 1, 2, 4 … 128 */

/* Every member, at any depth, is a double. Rates are bytes per ns, which is GB/s. */
struct profile_cost {
	double fixed_ns;    /* per system call; of copies: per folio */
	double ns_per_byte; /* by one worker or device, alone */
	double confidence;  /* 0: a default; 1: measured without spread */
};

struct profile_device {
	double nr;         /* devices; 0: none of this kind */
	double depth;      /* descriptors that one device holds */
	double latency_ns; /* from the submission to the completion of an empty descriptor */
	double submit_ns;  /* CPU time per descriptor: prepared, submitted and reaped */
};

struct profile {
	struct profile_cost cost[PROFILE_NR_WORKS][PROFILE_NR_REACHES][PROFILE_NR_SIZES];
	struct profile_device device[PROFILE_NR_DEVICES];
	/* How copying scales with workers. */
	double limit[PROFILE_NR_REACHES]; /* rate of all workers and devices together */
	double cluster_limit;             /* rate of all workers that share an L3 */
	double nr_clusters;               /* L3 caches */
	double cluster_cores;             /* cores per L3 */
	double fill;                      /* 1: workers fill a cluster before the next one; 0: one
					   * worker per cluster first */
	/* The userfaultfd. */
	double move_call_ns;                    /* one UFFDIO_MOVE */
	double move_folio_ns[PROFILE_NR_SIZES]; /* each folio of it */
	double move_serial; /* part of it during which other lanes wait, 0 to 1 */
	double plan_ns;     /* a plan with one run: sorted, registered */
	/* The kernel's call. */
	double kernel_serial; /* part of it during which other lanes wait, 0 to 1 */
	double batch_bytes;   /* that the kernel unmaps before it flushes TLBs once */
	/* CPUs. */
	double flush_ns[PROFILE_FLUSH_STEPS]; /* a TLB flush */
	double interrupted_ns;                /* that each interrupted CPU loses by it */
	double wake_ns;                       /* waking a sleeping worker */
	double slice_ns; /* for which a preempted worker waits, per competitor */
};

#define PROFILE_NR_FIELDS  (sizeof(struct profile) / sizeof(double))
#define PROFILE_NAME_BYTES 40

/* A number of the profile. */
struct profile_field {
	char name[PROFILE_NAME_BYTES]; /* "kernel.remote.2m.fixed_ns" */
	double min, max;
};

/* Describes the number at this place, which is below PROFILE_NR_FIELDS. */
void profile_field(unsigned int at, struct profile_field *out);
double profile_get(const struct profile *profile, unsigned int at);
void profile_set(struct profile *profile, unsigned int at, double value);
/* The place of the number with this name; PROFILE_NR_FIELDS: there is none. */
unsigned int profile_find(const char *name, size_t len);

/*
 * The defaults: costs of a server that nobody has measured, with workers placed over nr_clusters L3
 * caches of cluster_cores cores each. Devices: none. Every confidence is 0.
 */
void profile_defaults(struct profile *out, unsigned int nr_clusters, unsigned int cluster_cores);

/* 0, or -ERANGE if a number is outside its bounds; then why names the number and the bounds. */
int __must_check profile_check(const struct profile *profile, char *why, size_t why_bytes);

/* True if some of its costs were measured: their confidence is not 0. */
bool profile_is_measured(const struct profile *profile);

/* By the distance that the firmware tells (10: the same node), and whether both nodes have CPUs. */
enum profile_reach profile_reach_of(unsigned int distance, bool both_have_cpus);
enum profile_size profile_size_of(uint64_t folio_bytes);
uint64_t profile_size_bytes(enum profile_size size);

const char *profile_reach_name(enum profile_reach reach);

/* The cost of a TLB flush while nr_cpus other CPUs run the process. */
double profile_flush_ns(const struct profile *profile, double nr_cpus);

#endif
