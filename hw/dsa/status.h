/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of the status codes in completion records. */
#ifndef FERRY_HW_DSA_STATUS_H
#define FERRY_HW_DSA_STATUS_H

#include <stddef.h>
#include <stdint.h>

#define DSA_STATUS_KEY_BYTES 32

/* "page fault", "hardware error on read" …; "unknown status" for codes without a name. */
const char *dsa_status_name(uint8_t status);

/*
 * The name as one word, for counters: "page_fault", "page_fault.write", "hw_error.read" …; "0x4f"
 * for a code without a name. Returns buf.
 */
const char *dsa_status_key(uint8_t status, char buf[DSA_STATUS_KEY_BYTES]);

#endif
