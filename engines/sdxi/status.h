/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a function says, as words for counters. */
#ifndef FERRY_SDXI_STATUS_H
#define FERRY_SDXI_STATUS_H

#include <stddef.h>
#include <stdint.h>

#define SDXI_KEY_BYTES 16

/* The flags of a completion status block whose signal is 0: "success" or "error". */
const char *sdxi_status_key(uint32_t flags);

/* The state in CXT_STS: "run", "stop_fn" …; what the specification does not name as "0x7". */
const char *sdxi_state_key(uint8_t state, char buf[SDXI_KEY_BYTES]);

#endif
