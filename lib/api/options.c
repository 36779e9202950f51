// SPDX-License-Identifier: LGPL-2.1-or-later
/* Copies structures whose first member is their size. */
#include <errno.h>
#include <string.h>

#include "lib/api/options.h"

/* Larger sizes are taken for uninitialized memory: no structure of the interface gets so large. */
#define OPTIONS_MAX_BYTES 4096

int options_copy(void *to, size_t known_bytes, const void *from)
{
	size_t size;

	memcpy(&size, from, sizeof(size));
	if (size < sizeof(size) || size > OPTIONS_MAX_BYTES)
		return -EINVAL;
	for (size_t i = known_bytes; i < size; i++)
		if (((const char *)from)[i])
			return -E2BIG;
	memset(to, 0, known_bytes);
	memcpy(to, from, MIN(size, known_bytes));
	return 0;
}
