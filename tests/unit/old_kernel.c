// SPDX-License-Identifier: LGPL-2.1-or-later
/* On kernels whose UFFDIO_MOVE loses pages there is no exchange mover. The release is faked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/uffd/uffd.h"

static const char *release;

/* In place of libc's. */
int uname(struct utsname *uts)
{
	memset(uts, 0, sizeof(*uts));
	snprintf(uts->release, sizeof(uts->release), "%s", release);
	return 0;
}

Test(old_kernel, move_is_not_used)
{
	static const char *const old[] = {"6.1.140", "6.8.0-31-generic", "6.12.42", "6.15.11", ""};

	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		struct uffd_caps caps;
		int fd = -1;

		release = old[i];
		cr_expect_eq(uffd_open(&fd, &caps), -ENOSYS, "%s", release);
		cr_expect_eq(caps.lack, UFFD_LACK_KERNEL, "%s", release);
		cr_expect_eq(fd, -1, "%s", release);
	}
}
