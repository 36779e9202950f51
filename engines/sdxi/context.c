// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/vault.h"
#include "engines/sdxi/context.h"

/* max_buffer 9: 1 GiB, ENGINE_MAX_ITEM_BYTES. */
#define MAX_BUFFER 9
_Static_assert(SDXI_L1_MAX_BUFFER_BYTES(MAX_BUFFER) == ENGINE_MAX_ITEM_BYTES,
	       "an item fits a descriptor");

static uint64_t address_of(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void shared_init(struct sdxi_shared *shared)
{
	shared->ctl = (struct sdxi_cxt_ctl){
		.ds_ring_ptr = address_of(shared->descs) | SDXI_CXT_CTL_VL,
		.ds_ring_sz = SDXI_RING_ENTRIES,
		.cxt_sts_ptr = address_of(&shared->sts),
		.write_index_ptr = address_of(&shared->write_index),
	};
	shared->l1 = (struct sdxi_cxt_l1_ent){
		.cxt_ctl_ptr = address_of(&shared->ctl) | SDXI_L1_VL,
		.akey_ptr = address_of(shared->akeys), /* size code 0: 256 entries */
		.misc0 = MAX_BUFFER << SDXI_L1_MAX_BUFFER_SHIFT,
	};
	shared->akeys[SDXI_OWN_AKEY].intr_num = SDXI_AKEY_VL;
}

static void ring_doorbell(void *arg, uint64_t write_index)
{
	struct sdxi_context *cxt = arg;

	cxt->backend->ops->doorbell(cxt, write_index);
}

static int ring_init(struct sdxi_context *cxt)
{
	struct sdxi_shared *shared = cxt->shared;

	return sdxi_ring_init(&cxt->ring, shared->descs, SDXI_RING_ENTRIES, &shared->sts.read_index,
			      &shared->write_index);
}

int sdxi_context_open(struct sdxi_backend *backend, struct sdxi_context *cxt)
{
	void *memory;
	int err = vault_alloc(sizeof(*cxt->shared), &memory);

	if (err)
		return err;
	cxt->backend = backend;
	cxt->shared = memory;
	cxt->ring.doorbell = ring_doorbell;
	cxt->ring.doorbell_arg = cxt;
	shared_init(cxt->shared);
	err = ring_init(cxt);
	if (!err)
		err = backend->ops->start(backend, cxt);
	if (err)
		sdxi_context_free(cxt);
	return err;
}

void sdxi_context_free(struct sdxi_context *cxt)
{
	vault_free(cxt->shared, sizeof(*cxt->shared));
	cxt->shared = NULL;
}

int sdxi_context_restart(struct sdxi_context *cxt)
{
	int err = ring_init(cxt);

	return err ? err : cxt->backend->ops->restart(cxt);
}
