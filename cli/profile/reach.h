/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which costs of a profile hold between two nodes. */
#ifndef MIGBENCH_PROFILE_REACH_H
#define MIGBENCH_PROFILE_REACH_H

#include "policy/profile.h"

enum profile_reach profile_reach_between(const int node[2]);

#endif
