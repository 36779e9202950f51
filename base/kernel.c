// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reads the kernel's version and looks up which features it has. */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/kernel.h"

/*
 * Mainline has a feature from version `since` on. `stable` is the older series that got it as well,
 * and the patch level from which on; all zero: no series did.
 */
static const struct {
	int since[2];
	int stable[3];
} kernel_features[NR_KERNEL_FEATURES] = {
	[KERNEL_BATCHED_UNMAP] = {.since = {6, 3}},
	[KERNEL_SAFE_MOVE] = {.since = {6, 16}, .stable = {6, 12, 43}},
	[KERNEL_BATCHED_MOVE] = {.since = {6, 18}},
};

static bool version_is_since(const int version[3], const int since[2])
{
	if (version[0] != since[0])
		return version[0] > since[0];
	return version[1] >= since[1];
}

static bool version_is_in_series(const int version[3], const int stable[3])
{
	return stable[0] && version[0] == stable[0] && version[1] == stable[1] &&
	       version[2] >= stable[2];
}

bool kernel_version_has(const int version[3], enum kernel_feature feature)
{
	return version_is_since(version, kernel_features[feature].since) ||
	       version_is_in_series(version, kernel_features[feature].stable);
}

bool kernel_has(enum kernel_feature feature)
{
	int version[3];

	kernel_version(version);
	return kernel_version_has(version, feature);
}

void kernel_version(int version[3])
{
	struct utsname uts;

	version[0] = version[1] = version[2] = 0;
	if (!uname(&uts))
		sscanf(uts.release, "%d.%d.%d", &version[0], &version[1], &version[2]);
}
