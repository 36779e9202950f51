// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The choice between sysfs and libaccel-config. The library has fixed paths, skips devices that
 * have attributes of newer kernels, and crashes on attributes that it cannot read. So it is called
 * only where every attribute that it needs is readable, and its answer is taken only if it found
 * every queue that sysfs shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/device/sysfs.h"
#include "engines/dsa/discover.h"

static int queue_compare(const void *a, const void *b)
{
	const struct dsa_queue *x = a, *y = b;

	if (x->device_id != y->device_id)
		return x->device_id < y->device_id ? -1 : 1;
	return strverscmp(x->name, y->name);
}

/* The library passes what it could not read to strcmp(). */
static bool accfg_is_safe(const struct dsa_queue *queues, int nr)
{
	static const char *const needed[] = {"mode", "type", "state"};
	char path[128], text[64];

	if (strcmp(device_sysfs_root(), "/sys") || strcmp(device_dev_root(), "/dev"))
		return false;
	for (int i = 0; i < nr; i++) {
		for (size_t n = 0; n < ARRAY_SIZE(needed); n++) {
			snprintf(path, sizeof(path), DSA_SYSFS_DEVICES "/dsa%u/%s/%s",
				 queues[i].device_id, queues[i].name, needed[n]);
			if (device_attr_read(path, text, sizeof(text)) < 0)
				return false;
		}
	}
	return true;
}

int dsa_discover(struct dsa_queue *queues, unsigned int max, const char **via, char *why,
		 size_t why_bytes)
{
	int nr = dsa_discover_sysfs(queues, max, why, why_bytes);
	struct dsa_queue *by_accfg;
	int nr_by_accfg;

	*via = "sysfs";
	if (nr <= 0)
		return nr;
	qsort(queues, (size_t)nr, sizeof(*queues), queue_compare);
	if (!accfg_is_safe(queues, nr))
		return nr;
	by_accfg = calloc(max, sizeof(*by_accfg));
	if (!by_accfg)
		return nr;
	nr_by_accfg = dsa_discover_accfg(by_accfg, max, why, why_bytes);
	if (nr_by_accfg >= nr) {
		qsort(by_accfg, (size_t)nr_by_accfg, sizeof(*by_accfg), queue_compare);
		memcpy(queues, by_accfg, (size_t)nr_by_accfg * sizeof(*by_accfg));
		*via = "libaccel-config";
		nr = nr_by_accfg;
	}
	free(by_accfg);
	return nr;
}
