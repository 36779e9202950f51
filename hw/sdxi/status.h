/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of the states that a function reports, as words for counters. */
#ifndef FERRY_HW_SDXI_STATUS_H
#define FERRY_HW_SDXI_STATUS_H

#include <stddef.h>
#include <stdint.h>

#define SDXI_KEY_BYTES 16

/* The flags of a completion status block whose signal is 0: "success" or "error". */
const char *sdxi_status_key(uint32_t flags);

/* The state in CXT_STS: "run", "stop_fn" …; "0x7" for one without a name. */
const char *sdxi_state_key(uint8_t state, char buf[SDXI_KEY_BYTES]);

#endif
