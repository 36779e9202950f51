// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hw/sdxi/status.h"

#include <stdio.h>

#include "base/base.h"
#include "hw/sdxi/layout.h"

static const char *const states[] = {
	[SDXI_CXT_STOP_SW] = "stop_sw",   [SDXI_CXT_RUN] = "run",
	[SDXI_CXT_STOPG_SW] = "stopg_sw", [SDXI_CXT_STOP_FN] = "stop_fn",
	[SDXI_CXT_STOPG_FN] = "stopg_fn", [SDXI_CXT_ERR_FN] = "err_fn",
};

const char *sdxi_status_key(uint32_t flags)
{
	return flags & SDXI_CST_BLK_ER ? "error" : "success";
}

const char *sdxi_state_key(uint8_t state, char buf[SDXI_KEY_BYTES])
{
	if (state < ARRAY_SIZE(states) && states[state])
		snprintf(buf, SDXI_KEY_BYTES, "%s", states[state]);
	else
		snprintf(buf, SDXI_KEY_BYTES, "0x%x", state);
	return buf;
}
