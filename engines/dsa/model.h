/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The software model as the device behind the engine: its parameters, portals and counters. Only
 * model.c and portal_model.c include the model's own header.
 */
#ifndef FERRY_DSA_ENGINE_MODEL_H
#define FERRY_DSA_ENGINE_MODEL_H

#include "engines/dsa/portal.h"
#include "engines/engine.h"

struct dsa_model_config;
struct engine_key;
struct engine_param;

/* The model's defaults, in memory for free(); NULL without memory. */
struct dsa_model_config *dsa_model_config_alloc(void);
/* The row for a key of the model, whose set() takes a dsa_model_config; NULL: no such key. */
const struct engine_key *dsa_model_key_find(const struct engine_param *param);
/* The null model: every descriptor succeeds at once. */
bool dsa_model_copies_nothing(const struct dsa_model_config *config);

/*
 * Opens the model and a portal to each of its devices, up to max. 0; or -errno with the reason,
 * then *out may be a model without portals. dsa_model_shut() closes it, before the portals.
 */
int dsa_model_start(const struct dsa_model_config *config, struct dsa_model **out,
		    struct dsa_portal *portals, uint32_t *nr_portals, char *why, size_t why_bytes);
void dsa_model_shut(struct dsa_model *model); /* takes NULL */

void dsa_model_report(const struct dsa_model *model, engine_counter_fn fn, void *arg);

#endif
