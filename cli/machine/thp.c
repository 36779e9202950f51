// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "base/base.h"
#include "cli/machine/machine.h"
#include "cli/machine/sysfs.h"

bool machine_has_folio_size(size_t folio_bytes)
{
	char line[64], word[16], global[16];

	sysfs_line(line, sizeof(line), SYSFS_THP "/enabled");
	sysfs_choice(line, global, sizeof(global));
	if (sysfs_line(line, sizeof(line), SYSFS_THP "/hugepages-%zukB/enabled",
		       folio_bytes >> 10)) {
		/* Kernels before 6.8 have one size. */
		return folio_bytes == HUGE_BYTES && *global && strcmp(global, "never");
	}
	sysfs_choice(line, word, sizeof(word));
	if (!strcmp(word, "inherit"))
		return strcmp(global, "never");
	return *word && strcmp(word, "never");
}

uint64_t machine_folio_count(size_t folio_bytes, const char *counter)
{
	uint64_t nr = 0;

	sysfs_number(&nr, SYSFS_THP "/hugepages-%zukB/stats/%s", folio_bytes >> 10, counter);
	return nr;
}
