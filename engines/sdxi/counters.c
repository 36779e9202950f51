// SPDX-License-Identifier: LGPL-2.1-or-later
/* The engine's counters by name, then those of the backend. */
#include "engines/sdxi/channel.h"
#include "hw/sdxi/status.h"

static const char *const event_names[SDXI_COUNT_FALLBACK] = {
	[SDXI_COUNT_DESCRIPTORS] = "descriptors",
	[SDXI_COUNT_BATCHES] = "batches",
	[SDXI_COUNT_BYTES] = "bytes",
	[SDXI_COUNT_DOORBELLS] = "doorbells",
	[SDXI_COUNT_RING_FULL] = "retries",
	[SDXI_COUNT_BUSY] = "busy",
	[SDXI_COUNT_TIMEOUTS] = "timeouts",
	[SDXI_COUNT_STOPPED_BY_FUNCTION] = "stopped_by_function",
	[SDXI_COUNT_RESTARTS] = "restarts",
};

static const char *const reason_names[SDXI_NR_REASONS] = {
	[SDXI_REASON_ERROR] = "error",     [SDXI_REASON_STOPPED] = "stopped",
	[SDXI_REASON_UNREAD] = "unread",   [SDXI_REASON_HUNG] = "hung",
	[SDXI_REASON_REFUSED] = "refused", [SDXI_REASON_NULL] = "null",
};

/* Only statuses and states that occurred. */
static void report_statuses(const uint64_t *total, engine_counter_fn fn, void *arg)
{
	const uint64_t ended[2] = {total[SDXI_COUNT_SUCCESS],
				   total[SDXI_COUNT_FALLBACK + SDXI_REASON_ERROR]};
	char key[SDXI_KEY_BYTES];

	for (unsigned int er = 0; er < 2; er++) {
		if (!ended[er])
			continue;
		counts_report(fn, arg, ended[er], "status.%s",
			      sdxi_status_key(er ? SDXI_CST_BLK_ER : 0));
	}
	for (uint8_t state = 0; state <= SDXI_CXT_STATE_MASK; state++) {
		if (!total[SDXI_COUNT_STATE + state])
			continue;
		counts_report(fn, arg, total[SDXI_COUNT_STATE + state], "status.context.%s",
			      sdxi_state_key(state, key));
	}
}

void sdxi_counters(struct engine *engine, engine_counter_fn fn, void *arg)
{
	struct sdxi_engine *self = CONTAINER_OF(engine, struct sdxi_engine, engine);
	uint64_t total[SDXI_NR_COUNTS];

	counts_total(&self->counts, total);
	for (unsigned int i = 0; i < ARRAY_SIZE(event_names); i++)
		fn(arg, event_names[i], total[i]);
	counts_report_fallbacks(reason_names, SDXI_NR_REASONS, &total[SDXI_COUNT_FALLBACK], fn,
				arg);
	report_statuses(total, fn, arg);
	if (self->backend->ops->counters)
		self->backend->ops->counters(self->backend, fn, arg);
}
