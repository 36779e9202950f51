// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/vault.h"
#include "models/dsa/internal.h"

/* Room for descriptors that were executed or hang: they do not count against the queue. */
#define SPARE_ENTRIES 256

#define CRC32C_POLY 0x82f63b78U /* 0x11EDC6F41, bit 0 first */

const char *const dsa_fault_names[NR_DSA_FAULTS] = {
	[DSA_FAULT_PAGE] = "page",       [DSA_FAULT_REVERSE] = "reverse", [DSA_FAULT_LIST] = "list",
	[DSA_FAULT_ERROR] = "error",     [DSA_FAULT_RETRY] = "retry",     [DSA_FAULT_LATE] = "late",
	[DSA_FAULT_LOST] = "lost",       [DSA_FAULT_HANG] = "hang",       [DSA_FAULT_HALT] = "halt",
	[DSA_FAULT_CORRUPT] = "corrupt",
};

const uint32_t dsa_fault_default_ppm[NR_DSA_FAULTS] = {
	[DSA_FAULT_PAGE] = 10000, [DSA_FAULT_REVERSE] = 2000, [DSA_FAULT_LIST] = 10000,
	[DSA_FAULT_ERROR] = 2000, [DSA_FAULT_RETRY] = 50000,  [DSA_FAULT_LATE] = 1000,
	[DSA_FAULT_LOST] = 20,    [DSA_FAULT_HANG] = 20,      [DSA_FAULT_HALT] = 2,
};

static const char *const counter_names[NR_DSA_COUNTERS] = {
	[DSA_COUNT_ACCEPTED] = "accepted",   [DSA_COUNT_EXECUTED] = "executed",
	[DSA_COUNT_BATCHES] = "batches",     [DSA_COUNT_BYTES] = "bytes",
	[DSA_COUNT_RETRIES] = "retries",     [DSA_COUNT_DROPS] = "drops",
	[DSA_COUNT_SW_ERRORS] = "sw_errors",
};

void dsa_model_defaults(struct dsa_model_config *config)
{
	*config = (struct dsa_model_config){
		.nr_devices = 1,
		.nr_engines = 4,
		.wq_size = 64,
		.wq_threshold = 64,
		.max_batch = 32,
		.max_transfer_bytes = 2U << 20,
		.gen_cap = DSA_MODEL_GEN_CAP,
		.rawio = true,
		.check_memory = true,
		.seed = 1,
		.late_ns = NS_PER_MS,
		.hang_ns = 300 * NS_PER_MS,
	};
}

static bool config_is_valid(const struct dsa_model_config *c)
{
	return c->nr_devices >= 1 && c->nr_devices <= 64 && c->nr_engines <= 64 &&
	       (c->nr_engines >= 1 || c->stepped || c->null) && c->wq_size >= 1 &&
	       c->wq_size <= 4096 && c->wq_threshold >= 1 && c->wq_threshold <= c->wq_size &&
	       c->max_batch <= DSA_MAX_BATCH && c->max_transfer_bytes >= 1 &&
	       c->max_transfer_bytes <= 1U << 31;
}

static void fill_crc_table(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLY : 0);
		table[i] = crc;
	}
}

/* Waits for work or for the next due time: spins briefly, then sleeps. */
static void device_wait_for_work(struct dsa_device *device, uint32_t bell, uint64_t next_ns)
{
	uint64_t now = now_ns(), until = MIN(next_ns, now + 20 * NS_PER_US);

	while (now < until) {
		if (atomic_load(&device->bell) != bell)
			return;
		cpu_relax();
		now = now_ns();
	}
	if (next_ns <= now + 50 * NS_PER_US)
		return;
	atomic_fetch_add(&device->nr_asleep, 1);
	futex_wait(&device->bell, bell, next_ns == UINT64_MAX ? FUTEX_FOREVER : next_ns - now);
	atomic_fetch_sub(&device->nr_asleep, 1);
}

static void *engine_main(void *arg)
{
	struct dsa_engine_thread *self = arg;
	struct dsa_device *device = self->device;
	uint64_t next_ns;

	while (!atomic_load(&device->model->stop)) {
		uint32_t bell = atomic_load(&device->bell);

		if (!dsa_device_work(device, now_ns(), &next_ns))
			device_wait_for_work(device, bell, next_ns);
	}
	return NULL;
}

static uint32_t config_nr_threads(const struct dsa_model_config *config)
{
	return config->stepped || config->null ? 0 : config->nr_devices * config->nr_engines;
}

static uint32_t *carve_index(char **p, uint32_t nr)
{
	uint32_t *index = (uint32_t *)(void *)*p;

	*p += ALIGN_UP(nr * sizeof(uint32_t), (size_t)CACHELINE);
	return index;
}

static size_t device_bytes(uint32_t nr_entries)
{
	return nr_entries * sizeof(struct dsa_entry) +
	       4 * ALIGN_UP(nr_entries * sizeof(uint32_t), (size_t)CACHELINE);
}

static void device_init(struct dsa_model *model, uint32_t i, uint32_t nr_entries, char *p)
{
	struct dsa_device *device = &model->devices[i];

	device->model = model;
	device->nr_entries = nr_entries;
	device->prng = model_prng_for(model->config.seed, ~(uint64_t)i);
	device->free.index = carve_index(&p, nr_entries);
	device->queued.index = carve_index(&p, nr_entries);
	device->executed.index = carve_index(&p, nr_entries);
	device->hung.index = carve_index(&p, nr_entries);
	device->entries = (struct dsa_entry *)(void *)p;
	for (uint32_t n = nr_entries; n-- > 0;)
		device->free.index[device->free.nr++] = n;
}

int dsa_model_open(const struct dsa_model_config *config, struct dsa_model **out)
{
	uint32_t nr_entries = config->wq_size + SPARE_ENTRIES;
	size_t devices_at = ALIGN_UP(sizeof(struct dsa_model), (size_t)CACHELINE);
	size_t threads_at, arrays_at, bytes;
	struct dsa_model *model;
	void *memory;
	int err;

	if (!config_is_valid(config))
		return -EINVAL;
	threads_at = devices_at + config->nr_devices * sizeof(struct dsa_device);
	arrays_at =
		ALIGN_UP(threads_at + config_nr_threads(config) * sizeof(struct dsa_engine_thread),
			 (size_t)CACHELINE);
	bytes = arrays_at + config->nr_devices * device_bytes(nr_entries);
	err = vault_alloc(bytes, &memory);
	if (err)
		return err;
	model = memory;
	model->config = *config;
	model->bytes_per_us = config->speed.bytes_per_us;
	model->map_bytes = bytes;
	model->owner_pid = sys(SYS_getpid);
	model->devices = (void *)((char *)memory + devices_at);
	model->threads = (void *)((char *)memory + threads_at);
	fill_crc_table(model->crc_table);
	for (uint32_t i = 0; i < config->nr_devices; i++)
		device_init(model, i, nr_entries,
			    (char *)memory + arrays_at + i * device_bytes(nr_entries));
	for (uint32_t i = 0; i < config_nr_threads(config) && !err; i++) {
		model->threads[i].device = &model->devices[i / config->nr_engines];
		err = thread_start(&model->threads[i].thread, engine_main, &model->threads[i]);
	}
	if (err) {
		dsa_model_close(model);
		return err;
	}
	*out = model;
	return 0;
}

static void model_stop_threads(struct dsa_model *model)
{
	atomic_store(&model->stop, true);
	for (uint32_t i = 0; i < model->config.nr_devices; i++) {
		atomic_fetch_add(&model->devices[i].bell, 1);
		futex_wake(&model->devices[i].bell, UINT32_MAX);
	}
	for (uint32_t i = 0; i < config_nr_threads(&model->config); i++) {
		struct dsa_engine_thread *thread = &model->threads[i];

		thread_join(&thread->thread);
	}
}

void dsa_model_close(struct dsa_model *model)
{
	uint64_t next_ns;

	if (!model)
		return;
	model_stop_threads(model);
	/* Everything is due now, except for what hangs. */
	for (uint32_t i = 0; i < model->config.nr_devices; i++) {
		model->devices[i].hung.nr = 0;
		while (dsa_device_work(&model->devices[i], UINT64_MAX - 1, &next_ns))
			;
	}
	vault_free(model, model->map_bytes);
}

bool dsa_model_step(struct dsa_model *model)
{
	uint32_t nr = model->config.nr_devices;
	struct model_prng prng = model_prng_for(model->config.seed, model->step_ns);
	uint32_t first = (uint32_t)model_below(&prng, nr);
	uint64_t soonest_ns = UINT64_MAX, next_ns;

	if (!model->config.stepped)
		return false;
	model->step_ns += 1 + model_below(&prng, 1000);
	for (uint32_t i = 0; i < nr; i++) {
		if (dsa_device_work(&model->devices[(first + i) % nr], model->step_ns, &next_ns))
			return true;
		soonest_ns = MIN(soonest_ns, next_ns);
	}
	return soonest_ns != UINT64_MAX;
}

uint64_t dsa_model_breaches(const struct dsa_model *model, enum dsa_rule rule)
{
	return atomic_load(&model->breaches[rule]);
}

uint64_t dsa_model_all_breaches(const struct dsa_model *model)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < NR_DSA_RULES; i++)
		sum += atomic_load(&model->breaches[i]);
	return sum;
}

uint64_t dsa_model_count(const struct dsa_model *model, enum dsa_model_counter counter)
{
	return atomic_load(&model->counters[counter]);
}

const char *dsa_model_counter_name(enum dsa_model_counter counter)
{
	return counter_names[counter];
}

uint64_t dsa_model_faults(const struct dsa_model *model, enum dsa_model_fault fault)
{
	return atomic_load(&model->faults[fault]);
}

uint8_t dsa_model_sw_error(const struct dsa_model *model, uint32_t device)
{
	return model->devices[device].sw_error;
}
