// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <sys/utsname.h>

#include "base/kernel.h"

void kernel_version(int version[3])
{
	struct utsname uts;

	version[0] = version[1] = version[2] = 0;
	if (!uname(&uts))
		sscanf(uts.release, "%d.%d.%d", &version[0], &version[1], &version[2]);
}
