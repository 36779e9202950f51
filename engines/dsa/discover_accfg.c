// SPDX-License-Identifier: LGPL-2.1-or-later
/* Discovery by libaccel-config, which may be absent at build time and at run time. */
#include <errno.h>
#include <stdio.h>

#include "engines/device/sysfs.h"
#include "engines/dsa/discover.h"

#ifdef HAVE_LIBACCEL_CONFIG
#include <accel-config/libaccel_config.h>
#include <dlfcn.h>
#include <stdarg.h>

#define ACCFG_FUNCTIONS(X)                \
	X(accfg_new)                      \
	X(accfg_set_log_fn)               \
	X(accfg_unref)                    \
	X(accfg_device_get_first)         \
	X(accfg_device_get_next)          \
	X(accfg_device_get_type)          \
	X(accfg_device_get_id)            \
	X(accfg_device_get_state)         \
	X(accfg_device_get_numa_node)     \
	X(accfg_device_get_gen_cap)       \
	X(accfg_wq_get_first)             \
	X(accfg_wq_get_next)              \
	X(accfg_wq_get_devname)           \
	X(accfg_wq_get_state)             \
	X(accfg_wq_get_type)              \
	X(accfg_wq_get_mode)              \
	X(accfg_wq_get_size)              \
	X(accfg_wq_get_threshold)         \
	X(accfg_wq_get_priority)          \
	X(accfg_wq_get_block_on_fault)    \
	X(accfg_wq_get_max_batch_size)    \
	X(accfg_wq_get_max_transfer_size) \
	X(accfg_wq_get_user_dev_path)

struct accfg {
#define MEMBER(name) __typeof__(&name) name;
	ACCFG_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* The library stays loaded for the next discovery. */
static int accfg_load(struct accfg *lib, char *why, size_t why_bytes)
{
	void *object = dlopen("libaccel-config.so.1", RTLD_NOW | RTLD_LOCAL);

	if (!object) {
		snprintf(why, why_bytes, "%s: apt install libaccel-config1", dlerror());
		return -ENOENT;
	}
#define RESOLVE(name)                                                                       \
	lib->name = (__typeof__(&name))dlsym(object, #name);                                \
	if (!lib->name) {                                                                   \
		snprintf(why, why_bytes, "libaccel-config.so.1 has no %s: too old", #name); \
		return -ENOENT;                                                             \
	}
	ACCFG_FUNCTIONS(RESOLVE)
#undef RESOLVE
	return 0;
}

/* Keeps the library from writing to stderr. */
static void accfg_log_nothing(struct accfg_ctx *ctx __maybe_unused, int priority __maybe_unused,
			      const char *file __maybe_unused, int line __maybe_unused,
			      const char *fn __maybe_unused, const char *format __maybe_unused,
			      va_list args __maybe_unused)
{
}

/* The library returns errors as negative numbers in unsigned types. */
static uint64_t accfg_limit(uint64_t value, uint64_t most)
{
	return value > most ? 0 : value;
}

static void accfg_read_queue(const struct accfg *lib, struct accfg_device *device,
			     struct accfg_wq *wq, struct dsa_queue *queue)
{
	const char *name = lib->accfg_wq_get_devname(wq);

	*queue = (struct dsa_queue){.device_id = (uint32_t)lib->accfg_device_get_id(device)};
	snprintf(queue->name, sizeof(queue->name), "%s", name ? name : "");
	queue->device_enabled = lib->accfg_device_get_state(device) == ACCFG_DEVICE_ENABLED;
	queue->no_sva = dsa_device_lacks_sva(queue->device_id);
	queue->gen_cap = lib->accfg_device_get_gen_cap(device);
	queue->node = lib->accfg_device_get_numa_node(device);
	queue->package = device_node_package(queue->node);
	queue->enabled = lib->accfg_wq_get_state(wq) == ACCFG_WQ_ENABLED;
	queue->user = lib->accfg_wq_get_type(wq) == ACCFG_WQT_USER;
	queue->shared = lib->accfg_wq_get_mode(wq) == ACCFG_WQ_SHARED;
	queue->block_on_fault = lib->accfg_wq_get_block_on_fault(wq) == 1;
	queue->size = (uint32_t)accfg_limit(lib->accfg_wq_get_size(wq), 4096);
	queue->threshold =
		(uint32_t)accfg_limit((uint32_t)lib->accfg_wq_get_threshold(wq), queue->size);
	queue->priority = (uint32_t)accfg_limit((uint32_t)lib->accfg_wq_get_priority(wq), 15);
	queue->max_batch = (uint32_t)accfg_limit(lib->accfg_wq_get_max_batch_size(wq), 1024);
	queue->max_transfer_bytes =
		accfg_limit(lib->accfg_wq_get_max_transfer_size(wq), 1ULL << 31);
	if (lib->accfg_wq_get_user_dev_path(wq, queue->path, sizeof(queue->path)))
		queue->path[0] = '\0';
}

int dsa_discover_accfg(struct dsa_queue *queues, unsigned int max, char *why, size_t why_bytes)
{
	struct accfg_device *device;
	struct accfg_ctx *ctx;
	struct accfg_wq *wq;
	struct accfg lib;
	unsigned int nr = 0;
	int err = accfg_load(&lib, why, why_bytes);

	if (err)
		return err;
	if (lib.accfg_new(&ctx)) {
		snprintf(why, why_bytes, "libaccel-config cannot read the system's devices");
		return -EIO;
	}
	lib.accfg_set_log_fn(ctx, accfg_log_nothing);
	for (device = lib.accfg_device_get_first(ctx); device;
	     device = lib.accfg_device_get_next(device)) {
		if (lib.accfg_device_get_type(device) != ACCFG_DEVICE_DSA)
			continue;
		for (wq = lib.accfg_wq_get_first(device); wq && nr < max;
		     wq = lib.accfg_wq_get_next(wq))
			accfg_read_queue(&lib, device, wq, &queues[nr++]);
	}
	lib.accfg_unref(ctx);
	return (int)nr;
}

#else

int dsa_discover_accfg(struct dsa_queue *queues, unsigned int max, char *why, size_t why_bytes)
{
	(void)queues;
	(void)max;
	snprintf(why, why_bytes, "built without libaccel-config");
	return -ENOENT;
}

#endif
