// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context is not opened where pages are not of 4 KiB, and the error says so. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "include/pageferry.h"
#include "tests/testlib/tap.h"

static int page_bytes = 4096;

/* Takes the place of libc's. TSan calls it before it can follow functions. */
__attribute__((no_sanitize_thread)) int getpagesize(void)
{
	return page_bytes;
}

int main(void)
{
	static const int sizes[] = {4096, 16384, 65536};

	tap_plan(3);
	for (unsigned int i = 0; i < 3; i++) {
		struct ferry *ferry;
		int err;

		page_bytes = sizes[i];
		err = ferry_open(&ferry, NULL);
		if (!err)
			ferry_close(ferry);
		tap_ok(sizes[i] == 4096 ? !err
					: err == -EOPNOTSUPP && !ferry &&
						  strstr(ferry_open_error(), "pages have"),
		       "pages of %d bytes: %s", sizes[i], err ? ferry_open_error() : "a context");
	}
	return tap_done();
}
