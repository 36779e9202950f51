// SPDX-License-Identifier: LGPL-2.1-or-later
/* Names of movers and reasons, the version, and where log messages go. */
#include "base/base.h"
#include "base/log.h"
#include "include/pageferry.h"

static const char *const mover_names[FERRY_NR_MOVERS] = {
	[FERRY_MOVER_AUTO] = "auto",
	[FERRY_MOVER_KERNEL] = "kernel",
	[FERRY_MOVER_EXCHANGE] = "exchange",
};

static const char *const reason_names[FERRY_NR_REASONS] = {
	[FERRY_REASON_NONE] = "none",           [FERRY_REASON_SHORT] = "short",
	[FERRY_REASON_FOREIGN] = "foreign",     [FERRY_REASON_NO_EXCHANGE] = "no-exchange",
	[FERRY_REASON_MAPPING] = "mapping",     [FERRY_REASON_OWN] = "own",
	[FERRY_REASON_UFFD_BUSY] = "uffd-busy", [FERRY_REASON_REFUSED] = "refused",
	[FERRY_REASON_NO_FRAMES] = "no-frames", [FERRY_REASON_CHANGED] = "changed",
	[FERRY_REASON_ENGINE] = "engine",       [FERRY_REASON_FORK] = "fork",
	[FERRY_REASON_REQUESTED] = "requested", [FERRY_REASON_STOPPED] = "stopped",
	[FERRY_REASON_FAILED] = "failed",       [FERRY_REASON_THREAD] = "thread",
};

const char *ferry_mover_name(enum ferry_mover mover)
{
	return (unsigned int)mover < FERRY_NR_MOVERS ? mover_names[mover] : "?";
}

const char *ferry_reason_name(enum ferry_reason reason)
{
	return (unsigned int)reason < FERRY_NR_REASONS ? reason_names[reason] : "?";
}

const char *ferry_version(void)
{
	return FERRY_VERSION;
}

void ferry_set_log(ferry_log_fn fn, void *arg)
{
	log_set(fn, arg);
}
