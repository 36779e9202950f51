/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the status byte of a completion record says, in words. */
#ifndef FERRY_DSA_STATUS_H
#define FERRY_DSA_STATUS_H

#include <stddef.h>
#include <stdint.h>

#define DSA_STATUS_KEY_BYTES 32

/* "page fault", "hardware error on read" …; "unknown status" for what no specification names. */
const char *dsa_status_name(uint8_t status);

/*
 * The same as one word, for counters: "page_fault", "page_fault.write", "hw_error.read" …; what no
 * specification names as "0x4f". Returns buf.
 */
const char *dsa_status_key(uint8_t status, char buf[DSA_STATUS_KEY_BYTES]);

#endif
