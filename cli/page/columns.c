// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/page/page.h"

struct page_columns page_columns_of(const struct table *table, const char *const *keys)
{
	struct page_columns columns = {.nr = 0};

	for (; *keys && columns.nr < PAGE_COLUMNS_MAX; keys++) {
		int column = table_find_column(table, *keys);

		if (column >= 0 && table_column_used(table, (unsigned int)column))
			columns.v[columns.nr++] = (unsigned int)column;
	}
	return columns;
}
