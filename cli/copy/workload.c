// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cli/common/common.h"
#include "cli/copy/options.h"
#include "cli/copy/workload.h"

/* Scattered: source and destination each have a random order of their own. */
static void workload_make_items(struct workload *workload, size_t folio_bytes)
{
	uint32_t *from, *to;

	workload->nr_items = (uint32_t)(workload->src.len_bytes / folio_bytes);
	workload->items = cli_alloc(workload->nr_items, sizeof(*workload->items));
	from = random_order(workload->nr_items, 1);
	to = random_order(workload->nr_items, 2);
	for (uint32_t i = 0; i < workload->nr_items; i++) {
		size_t src = copy_options.scattered ? from[i] : i;
		size_t dst = copy_options.scattered ? to[src] : src;

		workload->items[i] = (struct engine_item){
			.src = workload->src.base + src * folio_bytes,
			.dst = workload->dst.base + dst * folio_bytes,
			.len_bytes = (uint32_t)folio_bytes,
		};
	}
	free(from);
	free(to);
}

int workload_open(struct workload *workload, size_t folio_bytes)
{
	int err;

	memset(workload, 0, sizeof(*workload));
	err = area_open(&workload->src, copy_options.total_bytes, folio_bytes, -1);
	if (!err)
		err = area_open(&workload->dst, copy_options.total_bytes, folio_bytes, -1);
	if (err) {
		cli_error("--total: cannot map the memory (%s); try a smaller size",
			  strerror(-err));
		return CLI_FAILED;
	}
	area_fill(&workload->src, folio_bytes);
	workload_make_items(workload, folio_bytes);
	return CLI_OK;
}

void workload_close(struct workload *workload)
{
	free(workload->items);
	workload->items = NULL;
	area_close(&workload->src);
	area_close(&workload->dst);
}

void workload_copy(const struct workload *workload, const struct copy_kernel *kernel)
{
	for (uint32_t i = 0; i < workload->nr_items; i++) {
		const struct engine_item *item = &workload->items[i];

		kernel->copy(item->dst, item->src, item->len_bytes);
	}
}

static bool item_check(const struct engine_item *item, struct mismatch *bad)
{
	const uint64_t *dst = item->dst, *src = item->src;

	for (size_t w = 0; w < item->len_bytes / sizeof(*dst); w++) {
		if (dst[w] == src[w])
			continue;
		*bad = (struct mismatch){&dst[w], src[w], dst[w]};
		return false;
	}
	return true;
}

bool workload_check(const struct workload *workload)
{
	for (uint32_t i = 0; i < workload->nr_items; i++) {
		struct mismatch bad;

		if (item_check(&workload->items[i], &bad))
			continue;
		mismatch_report("copied bytes are wrong", &bad);
		return false;
	}
	return true;
}
