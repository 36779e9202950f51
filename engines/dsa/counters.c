// SPDX-License-Identifier: LGPL-2.1-or-later
/* The engine's counters by name, then those of the model. */
#include <string.h>

#include "engines/dsa/dsa.h"
#include "engines/dsa/model.h"
#include "hw/dsa/status.h"

static const char *const event_names[DSA_CTR_FALLBACK] = {
	[DSA_CTR_DESCRIPTORS] = "descriptors",
	[DSA_CTR_BATCHES] = "batches",
	[DSA_CTR_SINGLES] = "singles",
	[DSA_CTR_BYTES] = "bytes",
	[DSA_CTR_FULL] = "retries",
	[DSA_CTR_DRAINS] = "drains",
	[DSA_CTR_RESUMED] = "resumed",
	[DSA_CTR_CPU_BYTES] = "cpu_bytes",
	[DSA_CTR_FAULT_READ] = "fault.read",
	[DSA_CTR_FAULT_WRITE] = "fault.write",
	[DSA_CTR_FAULT_LIST] = "fault.list",
	[DSA_CTR_TIMEOUTS] = "timeouts",
	[DSA_CTR_STRAY] = "strays",
};

static const char *const reason_names[NR_DSA_REASONS] = {
	[DSA_REASON_FAULT] = "fault",     [DSA_REASON_ERROR] = "error",
	[DSA_REASON_REFUSED] = "refused", [DSA_REASON_NOT_EXECUTED] = "not_executed",
	[DSA_REASON_FULL] = "queue_full", [DSA_REASON_NO_DEVICE] = "no_device",
	[DSA_REASON_HUNG] = "hung",       [DSA_REASON_VERIFY] = "verify",
	[DSA_REASON_NULL] = "null",
};

/* Only statuses that occurred, each code's read faults before its write faults. */
static void report_statuses(const uint64_t *total, engine_counter_fn fn, void *arg)
{
	char key[DSA_STATUS_KEY_BYTES];

	for (unsigned int i = 0; i < 256; i++) {
		uint8_t status = (uint8_t)(i >> 1 | (i & 1 ? DSA_COMP_STATUS_WRITE : 0));

		if (!total[DSA_CTR_STATUS + status])
			continue;
		counts_report(fn, arg, total[DSA_CTR_STATUS + status], "status.%s",
			      dsa_status_key(status, key));
	}
}

/* Queues whose submission failed: "error.wq0.0 Operation not permitted". */
static void report_errors(const struct dsa_engine *engine, engine_counter_fn fn, void *arg)
{
	for (uint32_t i = 0; i < engine->nr_portals; i++) {
		int err = atomic_load(&engine->portals[i].error);

		if (err)
			counts_report(fn, arg, 1, "error.%s %s", engine->portals[i].queue.name,
				      strerror(-err));
	}
}

void dsa_counters(struct engine *base, engine_counter_fn fn, void *arg)
{
	struct dsa_engine *engine = CONTAINER_OF(base, struct dsa_engine, engine);
	uint64_t total[NR_DSA_CTRS];

	counts_total(&engine->counts, total);
	for (unsigned int i = 0; i < ARRAY_SIZE(event_names); i++)
		fn(arg, event_names[i], total[i]);
	counts_report_fallbacks(reason_names, NR_DSA_REASONS, &total[DSA_CTR_FALLBACK], fn, arg);
	report_statuses(total, fn, arg);
	report_errors(engine, fn, arg);
	if (engine->model)
		dsa_model_report(engine->model, fn, arg);
}
