// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The drop-in frees the frames that pages have left as soon as the program passes pages to the
 * kernel by reference, whichever way it does: nothing else would tell on a machine of one node.
 * Each test runs in a process of its own, so the drop-in's state is as at its start.
 */
#include <criterion/criterion.h>

#include "preload/context.c"
#include "preload/preload.c"
#include "preload/settings.c"
#include "preload/stats.c"

static void refuse(long ret)
{
	cr_expect_lt(ret, 0, "descriptor -1 is refused");
}

Test(fresh_frames, not_before)
{
	refuse(setsockopt(-1, SOL_SOCKET, SO_REUSEADDR, NULL, 0));
	refuse(preload_syscall(SYS_setsockopt, -1, SOL_SOCKET, SO_REUSEADDR, 0, 0, 0));
	cr_assert(!atomic_load(&fresh_frames));
}

Test(fresh_frames, after_vmsplice)
{
	refuse(vmsplice(-1, NULL, 0, 0));
	cr_assert(atomic_load(&fresh_frames));
}

Test(fresh_frames, after_zerocopy)
{
	refuse(setsockopt(-1, SOL_SOCKET, SO_ZEROCOPY, NULL, 0));
	cr_assert(atomic_load(&fresh_frames));
}

Test(fresh_frames, after_syscall_vmsplice)
{
	refuse(preload_syscall(SYS_vmsplice, -1, 0, 0, 0, 0, 0));
	cr_assert(atomic_load(&fresh_frames));
}

Test(fresh_frames, after_syscall_zerocopy)
{
	refuse(preload_syscall(SYS_setsockopt, -1, SOL_SOCKET, SO_ZEROCOPY, 0, 0, 0));
	cr_assert(atomic_load(&fresh_frames));
}

Test(fresh_frames, after_io_uring)
{
	refuse(preload_syscall(SYS_io_uring_setup, 0, 0, 0, 0, 0, 0));
	cr_assert(atomic_load(&fresh_frames));
}
