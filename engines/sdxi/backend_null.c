// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A backend for measuring the engine's own work: the doorbell ends every descriptor with success
 * and nothing is copied.
 */
#include "engines/sdxi/context.h"

static int null_start(struct sdxi_backend *backend __maybe_unused, struct sdxi_context *cxt)
{
	cxt->shared->sts.state = SDXI_CXT_RUN;
	return 0;
}

static int null_restart(struct sdxi_context *cxt)
{
	cxt->shared->sts.state = SDXI_CXT_RUN;
	return 0;
}

static void null_doorbell(struct sdxi_context *cxt, uint64_t write_index)
{
	struct sdxi_shared *shared = cxt->shared;

	for (uint64_t i = shared->sts.read_index; i < write_index; i++)
		sdxi_store(&shared->csbs[i % SDXI_RING_ENTRIES].signal, 0);
	sdxi_store(&shared->sts.read_index, write_index);
}

static void null_stop(struct sdxi_context *cxt)
{
	cxt->shared->sts.state = SDXI_CXT_STOP_SW;
}

static void null_release(struct sdxi_context *cxt __maybe_unused)
{
}

static void null_close(struct sdxi_backend *backend __maybe_unused)
{
}

static const struct sdxi_backend_ops null_ops = {
	.copies_nothing = true,
	.start = null_start,
	.restart = null_restart,
	.doorbell = null_doorbell,
	.stop = null_stop,
	.release = null_release,
	.close = null_close,
};

struct sdxi_backend sdxi_backend_null = {.ops = &null_ops};
