// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <numaif.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/measure/measure.h"
#include "cli/move/migration.h"
#include "cli/move/options.h"

static unsigned int lanes_flag(void)
{
	if (!move_options.lanes || !strcmp(move_options.lanes, "auto"))
		return 0;
	return strcmp(move_options.lanes, "apart") ? FERRY_MOVE_TOGETHER : FERRY_MOVE_APART;
}

/* The time is that of submitting and waiting. */
static int job_run(struct ferry *ferry, enum variant variant, const struct ferry_request *request,
		   struct outcome *out)
{
	struct ferry_job *job;
	uint64_t start_ns = now_ns();
	int err = ferry_submit(ferry, request, &job);

	if (err) {
		cli_error("mover %s: the job was rejected: %s", variant_name(variant),
			  strerror(-err));
		return err;
	}
	ferry_job_wait(job, UINT64_MAX);
	out->ns = now_ns() - start_ns;
	out->result = (struct ferry_result)FERRY_RESULT_INIT;
	err = ferry_job_result(job, &out->result);
	out->has_result = true;
	ferry_job_close(job);
	if (!err)
		err = out->result.error;
	if (err)
		cli_error("mover %s: the job failed: %s", variant_name(variant), strerror(-err));
	return err;
}

static int migration_run_job(struct subject *subject, struct ferry *ferry,
			     const struct migration *migration, struct outcome *out)
{
	static const enum ferry_mover movers[] = {
		[VARIANT_KERNEL] = FERRY_MOVER_KERNEL,
		[VARIANT_EXCHANGE] = FERRY_MOVER_EXCHANGE,
		[VARIANT_AUTO] = FERRY_MOVER_AUTO,
	};
	const struct ferry_range range = {
		.addr = subject->pages[migration->first],
		.len_bytes = migration->nr * subject->step_bytes,
		.node = subject->node[migration->end],
	};
	struct ferry_request request = FERRY_REQUEST_INIT;

	if (move_options.scattered) {
		request.pages = subject->pages + migration->first;
		request.nodes = subject->nodes[migration->end] + migration->first;
		request.nr_pages = migration->nr;
	} else {
		request.ranges = &range;
		request.nr_ranges = 1;
	}
	request.pid = subject->holder.pid;
	request.status = subject->status;
	request.flags = (subject->fresh ? FERRY_MOVE_ALWAYS : 0) | lanes_flag();
	request.mover = movers[migration->variant];
	request.nr_workers = migration->nr_workers;
	request.chunk_bytes = move_options.chunk_bytes;
	return job_run(ferry, migration->variant, &request, out);
}

static int migration_run_call(struct subject *subject, struct ferry *ferry,
			      const struct migration *migration, struct outcome *out)
{
	void **pages = subject->pages + migration->first;
	const int *nodes = subject->nodes[migration->end] + migration->first;
	unsigned long nr = migration->nr;
	uint64_t start_ns = now_ns();
	long left;

	if (migration->variant == VARIANT_CALL)
		left = ferry_move_pages(ferry, subject->holder.pid, nr, pages, nodes,
					subject->status, MPOL_MF_MOVE);
	else
		left = syscall(SYS_move_pages, subject->holder.pid, nr, pages, nodes,
			       subject->status, MPOL_MF_MOVE);
	out->ns = now_ns() - start_ns;
	if (left < 0) {
		int err = -errno;

		cli_error("mover %s: %s", variant_name(migration->variant), strerror(-err));
		return err;
	}
	return 0;
}

/* Statuses per address: a job over a range has one per 4 KiB. */
static uint32_t status_step(const struct subject *subject, enum variant variant)
{
	if (!variant_is_job(variant) || move_options.scattered)
		return 1;
	return (uint32_t)(subject->step_bytes / PAGE_BYTES);
}

/* A page may be busy and stay, or have an error; a third node in a status is wrong. */
static int outcome_count_left(const struct subject *subject, const struct migration *migration,
			      struct outcome *out)
{
	uint32_t nr_status = migration->nr * status_step(subject, migration->variant), nr_left = 0;
	int from = subject->node[!migration->end], to = subject->node[migration->end];

	for (uint32_t i = 0; i < nr_status; i++) {
		int status = subject->status[i];

		if (status == to)
			continue;
		if (status >= 0 && status != from) {
			cli_error("mover %s: entry %u of %u: status %d, expected node %d",
				  variant_name(migration->variant), i, nr_status, status, to);
			return -EIO;
		}
		nr_left++;
	}
	out->left_part = (double)nr_left / nr_status;
	return 0;
}

int migration_run(struct subject *subject, struct ferry *ferry, const struct migration *migration,
		  struct outcome *out)
{
	struct usage before, after;
	int err;

	memset(out, 0, sizeof(*out));
	memset(subject->status, 0xff, migration->nr * sizeof(int));
	before = usage_now();
	if (variant_is_job(migration->variant))
		err = migration_run_job(subject, ferry, migration, out);
	else
		err = migration_run_call(subject, ferry, migration, out);
	after = usage_now();
	if (err)
		return err;
	out->cpu_s = after.cpu_s - before.cpu_s;
	out->nr_faults = after.nr_faults - before.nr_faults;
	return outcome_count_left(subject, migration, out);
}

int migration_check_content(const struct subject *subject, const char *what)
{
	struct mismatch bad;
	int right;

	if (move_options.no_check)
		return 0;
	right = subject_check_content(subject, &bad);
	if (right > 0)
		return 0;
	if (right < 0) {
		cli_error("--other-process: the process that has the memory has ended");
		return right;
	}
	mismatch_report(what, &bad);
	return -EIO;
}

/* The kernel must find each page on the node that its status names. */
static int check_nodes(struct subject *subject, enum variant variant)
{
	uint32_t step = status_step(subject, variant);

	if (syscall(SYS_move_pages, subject->holder.pid, (unsigned long)subject->nr_pages,
		    subject->pages, NULL, subject->node_of, 0)) {
		cli_error("mover %s: cannot look up the pages' nodes: %s", variant_name(variant),
			  strerror(errno));
		return -EIO;
	}
	for (uint32_t i = 0; i < subject->nr_pages; i++) {
		int status = subject->status[(size_t)i * step];

		if (status < 0 || subject->node_of[i] == status)
			continue;
		cli_error("mover %s: %p is on node %d (if negative: -errno), but its status is %d",
			  variant_name(variant), subject->pages[i], subject->node_of[i], status);
		return -EIO;
	}
	return 0;
}

int migration_check(struct subject *subject, enum variant variant)
{
	if (!move_options.no_check && check_nodes(subject, variant))
		return -EIO;
	return migration_check_content(subject, variant_name(variant));
}
