// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/move/options.h"
#include "cli/move/subject.h"

static void subject_list_pages(struct subject *subject)
{
	const struct area *area = &subject->area;
	size_t stride = move_options.scattered ? 2 * area->folio_bytes : area->folio_bytes;
	uint32_t nr_folios = (uint32_t)(area->len_bytes / stride);
	uint32_t per_folio = (uint32_t)(area->folio_bytes / subject->step_bytes);
	uint32_t *order = random_order(nr_folios, 1);

	for (uint32_t i = 0; i < nr_folios; i++) {
		char *folio = area->base + (move_options.scattered ? order[i] : i) * stride;

		for (uint32_t j = 0; j < per_folio; j++)
			subject->pages[subject->nr_pages++] = folio + j * subject->step_bytes;
	}
	free(order);
}

static int subject_open_memory(struct subject *subject, size_t len_bytes, size_t folio_bytes)
{
	int err;

	if (move_options.other_process)
		return holder_open(&subject->holder, len_bytes, folio_bytes, subject->node[0],
				   subject->seed, &subject->area);
	err = area_open(&subject->area, len_bytes, folio_bytes, subject->node[0]);
	if (!err)
		area_fill(&subject->area, subject->seed);
	return err;
}

int subject_open(struct subject *subject, size_t folio_bytes, const int node[2])
{
	size_t len_bytes = move_options.total_bytes * (move_options.scattered ? 2 : 1);
	size_t nr_max;
	int err;

	memset(subject, 0, sizeof(*subject));
	subject->fresh = node[0] == node[1];
	memcpy(subject->node, node, sizeof(subject->node));
	subject->seed = folio_bytes * 0x100000001b3ULL;
	err = subject_open_memory(subject, len_bytes, folio_bytes);
	if (err)
		return err;
	subject->step_bytes = area_step_bytes(&subject->area);
	nr_max = subject->area.len_bytes / subject->step_bytes;
	subject->pages = cli_alloc(nr_max, sizeof(*subject->pages));
	/* A job over a range has a status per 4 KiB. */
	subject->status = cli_alloc(subject->area.len_bytes / PAGE_BYTES, sizeof(int));
	subject->node_of = cli_alloc(nr_max, sizeof(int));
	for (unsigned int end = 0; end < 2; end++) {
		subject->nodes[end] = cli_alloc(nr_max, sizeof(int));
		for (size_t i = 0; i < nr_max; i++)
			subject->nodes[end][i] = node[end];
	}
	subject_list_pages(subject);
	return 0;
}

void subject_close(struct subject *subject)
{
	free(subject->pages);
	free(subject->status);
	free(subject->node_of);
	free(subject->nodes[0]);
	free(subject->nodes[1]);
	if (!subject->holder.pid)
		area_close(&subject->area);
	holder_close(&subject->holder);
	memset(subject, 0, sizeof(*subject));
}

int subject_check_content(const struct subject *subject, struct mismatch *bad)
{
	if (subject->holder.pid)
		return holder_check(&subject->holder, bad);
	return area_check(&subject->area, subject->seed, bad);
}
