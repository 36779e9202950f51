/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The profile that a context uses: what moving memory costs on this machine. */
#ifndef FERRY_MACHINE_PROFILE_H
#define FERRY_MACHINE_PROFILE_H

#include "lib/profile/profile_cache.h"

/* Finds this machine's profile, or out->note says why there is none. Below a millisecond. */
void machine_profile_find(struct profile_found *out);

#endif
