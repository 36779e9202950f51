// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages go to and fro between two mappings of this process: no frame is copied. */
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/sys.h"
#include "cli/area/area.h"
#include "cli/calibrate/spinners.h"
#include "cli/calibrate/tables.h"
#include "lib/uffd/uffd.h"

#define LEN_BYTES HUGE_BYTES
/* Calls for one page each, in a sample. */
#define SINGLE_MOVES 256U
#define HUGE_MOVES   16U

struct tables {
	int fd;
	struct area area;
	char *hole; /* LEN_BYTES in the middle of its mapping */
	void *mapping;
	bool registered;
};

static int hole_open(struct tables *tables)
{
	void *mapping = mmap(NULL, LEN_BYTES + HUGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mapping == MAP_FAILED)
		return -errno;
	tables->mapping = mapping;
	tables->hole = (char *)ALIGN_UP((uintptr_t)mapping, HUGE_BYTES);
	return 0;
}

static int tables_open(struct tables *tables, int fd, enum profile_size size)
{
	int err = 0;

	*tables = (struct tables){.fd = fd};
	err = area_open(&tables->area, LEN_BYTES, profile_size_bytes(size), -1);
	if (!err)
		err = hole_open(tables);
	if (!err)
		err = uffd_register(fd, (uintptr_t)tables->area.base, LEN_BYTES);
	if (err)
		return err;
	tables->registered = true;
	return uffd_register(fd, (uintptr_t)tables->hole, LEN_BYTES);
}

/* Unregisters first: unmapping would otherwise wait for an event that nobody reads. */
static void tables_close(struct tables *tables)
{
	if (tables->registered) {
		uffd_unregister(tables->fd, (uintptr_t)tables->area.base, LEN_BYTES);
		uffd_unregister(tables->fd, (uintptr_t)tables->hole, LEN_BYTES);
	}
	if (tables->mapping)
		munmap(tables->mapping, LEN_BYTES + HUGE_BYTES);
	area_close(&tables->area);
}

static int move_all(int fd, const char *to, const char *from, size_t len_bytes)
{
	size_t moved;
	int err;

	do
		err = uffd_move(fd, (uintptr_t)to, (uintptr_t)from, len_bytes, false, &moved);
	while (err == -EAGAIN && !moved);
	return err;
}

/* The time of nr calls of step_bytes each, there and back, per call; negative: an error. */
static double tables_move(const struct tables *tables, unsigned int nr, size_t step_bytes)
{
	uint64_t begin_ns = now_ns();
	int err = 0;

	for (unsigned int back = 0; back < 2; back++) {
		const char *from = back ? tables->hole : tables->area.base;
		const char *to = back ? tables->area.base : tables->hole;

		for (unsigned int i = 0; i < nr && !err; i++)
			err = move_all(tables->fd, to + i * step_bytes, from + i * step_bytes,
				       step_bytes);
	}
	return err ? err : (double)(now_ns() - begin_ns) / (2.0 * nr);
}

/* The fastest of several tries. */
static double tables_best(const struct tables *tables, unsigned int nr, size_t step_bytes)
{
	double best_ns = tables_move(tables, nr, step_bytes);

	for (unsigned int i = 1; i < CALIBRATION_TRIES; i++) {
		double ns = tables_move(tables, nr, step_bytes);

		best_ns = MIN(best_ns, ns);
	}
	return best_ns;
}

/* ---- samples ---- */

/* A call for one page and a call for many tell the cost of a call from that of pages. */
static int sample_calls(struct calibration *calibration, const struct tables *tables)
{
	struct profile *profile = &calibration->profile;
	double one_ns = tables_best(tables, SINGLE_MOVES, PAGE_BYTES);
	double all_ns = tables_best(tables, 1, LEN_BYTES), page_ns;
	const unsigned int nr_more_pages = PAGES_PER_HUGE - 1;

	if (one_ns < 0 || all_ns < 0)
		return (int)MIN(one_ns, all_ns);
	page_ns = (all_ns - one_ns) / (double)nr_more_pages;
	calibration_note(calibration, &profile->move_folio_ns[PROFILE_4K], MAX(page_ns, 1.0));
	calibration_note(calibration, &profile->move_call_ns, MAX(one_ns - page_ns, 1.0));
	/* The flush of the CPU that makes the call is part of it. */
	calibration_note(calibration, &profile->flush_ns[0], 0);
	return 0;
}

/*
 * What the calls take while the threads compute, and what the first of these loses by each call.
 * The median of the tries: a thread that others keep from its CPU needs no flush.
 */
static double flush_beside(const struct tables *tables, struct spinners *spinners, double *lost_ns)
{
	struct samples calls = {.nr = 0}, losses = {.nr = 0};
	double ns;

	for (unsigned int i = 0; i < CALIBRATION_TRIES; i++) {
		spinners_mark(spinners);
		samples_add(&calls, tables_move(tables, SINGLE_MOVES, PAGE_BYTES));
		samples_add(&losses, spinners_lost_ns(spinners) / (2.0 * SINGLE_MOVES));
	}
	ns = samples_median(&calls);
	*lost_ns = samples_median(&losses);
	samples_free(&calls);
	samples_free(&losses);
	return ns;
}

/* By how much a call gets slower while threads of this process run on other CPUs. */
static int sample_flush(struct calibration *calibration, const struct tables *tables,
			unsigned int step)
{
	struct profile *profile = &calibration->profile;
	double alone_ns, beside_ns, lost_ns;
	struct spinners *spinners;
	int err = spinners_start(calibration->placement, 1U << (step - 1), &spinners);

	if (err)
		return err;
	beside_ns = flush_beside(tables, spinners, &lost_ns);
	spinners_pause(spinners);
	alone_ns = tables_best(tables, SINGLE_MOVES, PAGE_BYTES);
	spinners_stop(spinners);
	if (alone_ns < 0 || beside_ns < 0)
		return (int)MIN(alone_ns, beside_ns);
	calibration_note(calibration, &profile->flush_ns[step], MAX(beside_ns - alone_ns, 0.0));
	calibration_note(calibration, &profile->interrupted_ns, MAX(lost_ns, 0.0));
	return 0;
}

static int tables_sample(struct calibration *calibration, const struct tables *tables)
{
	unsigned int nr_others = calibration->placement->nr_places - 1;
	int err = sample_calls(calibration, tables);

	for (unsigned int step = 1; step < PROFILE_FLUSH_STEPS && 1U << (step - 1) <= nr_others;
	     step++)
		if (!err)
			err = sample_flush(calibration, tables, step);
	return err;
}

static int huge_sample(struct calibration *calibration, const struct tables *tables)
{
	double ns = DBL_MAX;

	for (unsigned int i = 0; i < HUGE_MOVES && ns >= 0; i++) {
		double one_ns = tables_move(tables, 1, HUGE_BYTES);

		ns = MIN(ns, one_ns);
	}
	if (ns < 0)
		return (int)ns;
	samples_add(&calibration->huge_move_ns, ns);
	return 0;
}

static int tables_measure_size(struct calibration *calibration, int fd, enum profile_size size)
{
	struct tables tables;
	int err = tables_open(&tables, fd, size);

	for (unsigned int round = 0; round < CALIBRATION_ROUNDS && !err; round++) {
		if (size == PROFILE_4K)
			err = tables_sample(calibration, &tables);
		else if (tables.area.kind == FOLIO_THP)
			err = huge_sample(calibration, &tables);
	}
	tables_close(&tables);
	return err;
}

int tables_measure(struct calibration *calibration)
{
	struct uffd_caps caps;
	int fd, err = uffd_open(&fd, &caps);

	if (err) {
		snprintf(calibration->no_exchange, sizeof(calibration->no_exchange),
			 "UFFDIO_MOVE cannot be used (%s): see `migbench doctor`", strerror(-err));
		return CLI_OK;
	}
	err = tables_measure_size(calibration, fd, PROFILE_4K);
	if (!err)
		err = tables_measure_size(calibration, fd, PROFILE_2M);
	sys(SYS_close, fd);
	if (!err)
		return CLI_OK;
	cli_error("UFFDIO_MOVE: %s", strerror(-err));
	return CLI_FAILED;
}
