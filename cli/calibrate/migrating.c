// SPDX-License-Identifier: LGPL-2.1-or-later
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/uapi.h"
#include "cli/area/area.h"
#include "cli/calibrate/migrating.h"

#define AREA_BYTES (8UL << 20)

/* Arguments that name each folio of an area once. */
struct migration {
	struct area area;
	unsigned int nr_folios;
	void **pages;
	int *nodes, *status;
};

static int migration_open(struct migration *migration, enum profile_size size, int node)
{
	int err = area_open(&migration->area, AREA_BYTES, profile_size_bytes(size), node);

	if (err)
		return err;
	migration->nr_folios = (unsigned int)(AREA_BYTES / migration->area.folio_bytes);
	migration->pages = cli_alloc(migration->nr_folios, sizeof(*migration->pages));
	migration->nodes = cli_alloc(migration->nr_folios, sizeof(*migration->nodes));
	migration->status = cli_alloc(migration->nr_folios, sizeof(*migration->status));
	for (unsigned int i = 0; i < migration->nr_folios; i++)
		migration->pages[i] = migration->area.base + i * migration->area.folio_bytes;
	return 0;
}

static void migration_close(struct migration *migration)
{
	free(migration->pages);
	free(migration->nodes);
	free(migration->status);
	area_close(&migration->area);
}

/* The time in ns that one call takes for the first folios; 0: it did not move all of them. */
static double migration_move(struct migration *migration, unsigned int nr, int node)
{
	uint64_t begin_ns, ns;

	for (unsigned int i = 0; i < nr; i++) {
		migration->nodes[i] = node;
		migration->status[i] = -1;
	}
	begin_ns = now_ns();
	if (sys_move_pages(0, nr, migration->pages, migration->nodes, migration->status,
			   FERRY_MPOL_MF_MOVE))
		return 0;
	ns = now_ns() - begin_ns;
	for (unsigned int i = 0; i < nr; i++)
		if (migration->status[i] != node)
			return 0;
	return (double)ns;
}

/* There and back, several times: the fastest call; 0: not all folios moved. */
static double migration_best(struct migration *migration, unsigned int nr, const int node[2])
{
	double best_ns = DBL_MAX;

	for (unsigned int i = 0; i < CALIBRATION_TRIES; i++) {
		double there_ns = migration_move(migration, nr, node[1]);
		double back_ns = migration_move(migration, nr, node[0]);

		best_ns = MIN(best_ns, MIN(there_ns, back_ns));
	}
	return best_ns;
}

/* A call for one folio and a call for all of them tell the cost of a call from that of bytes. */
static void migration_sample(struct calibration *calibration, struct migration *migration,
			     struct profile_cost *cost, const int node[2])
{
	double folio_bytes = (double)migration->area.folio_bytes, byte_ns;
	double one_ns = migration_best(migration, 1, node);
	double all_ns = migration_best(migration, migration->nr_folios, node);

	if (one_ns <= 0 || all_ns <= one_ns)
		return;
	byte_ns = (all_ns - one_ns) / ((migration->nr_folios - 1) * folio_bytes);
	calibration_note(calibration, &cost->ns_per_byte, byte_ns);
	calibration_note(calibration, &cost->fixed_ns, MAX(one_ns - byte_ns * folio_bytes, 0.0));
}

int migrating_measure(struct calibration *calibration, enum profile_reach reach,
		      enum profile_size size)
{
	struct profile_cost *cost = &calibration->profile.cost[PROFILE_KERNEL][reach][size];
	struct migration migration = {.nr_folios = 0};
	int node[2], err;

	/* The kernel splits folios between 4 KiB and 2 MiB when it moves them again. */
	if (size == PROFILE_64K || !calibration_nodes(calibration, reach, node) ||
	    node[0] == node[1])
		return CLI_OK;
	err = migration_open(&migration, size, node[0]);
	if (err) {
		cli_error("no memory on node %d: %s", node[0], strerror(-err));
		return CLI_FAILED;
	}
	if (size == PROFILE_4K || migration.area.kind == FOLIO_THP)
		for (unsigned int round = 0; round < CALIBRATION_ROUNDS; round++)
			migration_sample(calibration, &migration, cost, node);
	migration_close(&migration);
	return CLI_OK;
}
