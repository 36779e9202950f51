// SPDX-License-Identifier: LGPL-2.1-or-later
/* The submission modes of the software device, the same as of a real one. */
#include <errno.h>
#include <stdio.h>

#include "engines/dsa/portal.h"
#include "models/dsa/dsa_model.h"

#define ENQCMD_TRIES 32
#define PORTAL_SLOTS (DSA_MODEL_PORTAL_BYTES / DSA_DESC_BYTES)

static int model_map_portal(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	int err = dsa_model_mmap(portal->model);

	if (err)
		snprintf(why, why_bytes, "the model's portal may not be mapped (rawio=0)");
	return err;
}

static int enqcmd_open(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	if (portal->queue.shared)
		return model_map_portal(portal, why, why_bytes);
	snprintf(why, why_bytes, "a dedicated queue");
	return -EOPNOTSUPP;
}

static uint32_t model_next_slot(struct dsa_portal *portal)
{
	uint32_t slot = atomic_fetch_add_explicit(&portal->slot, 1, memory_order_relaxed);

	return slot % PORTAL_SLOTS * DSA_DESC_BYTES;
}

static int enqcmd_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		int tries = 0;

		while (!dsa_model_enqcmd(portal->model, portal->model_device, 0, &descs[i]))
			if (++tries == ENQCMD_TRIES)
				return (int)i;
	}
	return (int)nr;
}

static int movdir64b_open(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	if (!portal->queue.shared)
		return model_map_portal(portal, why, why_bytes);
	snprintf(why, why_bytes, "a shared queue");
	return -EOPNOTSUPP;
}

static int movdir64b_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		dsa_model_movdir64b(portal->model, portal->model_device, model_next_slot(portal),
				    &descs[i], DSA_DESC_BYTES);
	return (int)nr;
}

static int write_open(struct dsa_portal *portal __maybe_unused, char *why __maybe_unused,
		      size_t why_bytes __maybe_unused)
{
	return 0;
}

static int write_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	long done = dsa_model_write(portal->model, portal->model_device, descs,
				    (size_t)nr * DSA_DESC_BYTES);

	if (done == -EAGAIN)
		return 0;
	return done < 0 ? (int)done : (int)(done / DSA_DESC_BYTES);
}

static void model_step(struct dsa_portal *portal)
{
	dsa_model_step(portal->model);
}

static void model_close_portal(struct dsa_portal *portal __maybe_unused)
{
}

static const struct dsa_portal_ops enqcmd_ops = {
	.name = "model:enqcmd",
	.open = enqcmd_open,
	.submit = enqcmd_submit,
	.idle = model_step,
	.close = model_close_portal,
};

static const struct dsa_portal_ops movdir64b_ops = {
	.name = "model:movdir64b",
	.posted = true,
	.open = movdir64b_open,
	.submit = movdir64b_submit,
	.idle = model_step,
	.close = model_close_portal,
};

static const struct dsa_portal_ops write_ops = {
	.name = "model:write",
	.posted = true,
	.open = write_open,
	.submit = write_submit,
	.idle = model_step,
	.close = model_close_portal,
};

const struct dsa_portal_ops *const dsa_model_modes[] = {
	&enqcmd_ops,
	&movdir64b_ops,
	&write_ops,
	NULL,
};
