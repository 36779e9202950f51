// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context that cannot be opened: the error is reported, and nothing is left half open. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "include/pageferry.h"

static bool refuse_wipe_on_fork(long nr, const long args[6], long *ret)
{
	*ret = -ENOMEM;
	return nr == SYS_madvise && args[2] == MADV_WIPEONFORK;
}

/* Without the page that shows a forked child, no context can be opened in this process. */
Test(open, without_a_page_that_is_wiped_on_fork)
{
	struct ferry *ferry = (struct ferry *)1;

	sys_hook = refuse_wipe_on_fork;
	cr_expect_eq(ferry_open(&ferry, NULL), -ENOMEM);
	cr_expect_null(ferry);
	cr_expect_str_neq(ferry_open_error(), "");
	sys_hook = NULL;
	ferry_close(ferry);
}
