/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a profile of this machine has as its key: see policy/profile_text.h. */
#ifndef FERRY_MACHINE_KEY_H
#define FERRY_MACHINE_KEY_H

#include "policy/profile_text.h"

/*
 * Reads topology and processor from /sys and /proc, in some tenths of a millisecond. It does not
 * depend on the CPUs that the process may use. version: the library's.
 */
void machine_key_read(struct profile_key *out, const char *version);

/* Composes the topology of a machine whose files lie below root; "" for this machine. */
void machine_key_topology(const char *root, char *out, size_t out_bytes);

#endif
