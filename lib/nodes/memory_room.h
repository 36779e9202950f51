/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much memory this process may still allocate before something else than the library suffers:
 * the kernel kills a process of a full memory cgroup, and refuses memory at other limits.
 */
#ifndef FERRY_MEMORY_ROOM_H
#define FERRY_MEMORY_ROOM_H

#include "base/base.h"

/*
 * How many bytes may be allocated on the node. The least that is left, with some to spare,
 *  - in the memory cgroup of the process and in each of its ancestors: memory.max and memory.high
 *    of version 2, memory and memory+swap of version 1. Page cache that the kernel can drop at
 *    once (inactive_file) counts as left;
 *  - below RLIMIT_AS and RLIMIT_DATA;
 *  - below CommitLimit, where vm.overcommit_memory is 2;
 *  - of what is available on the node, and on the machine.
 * 0: none. UINT64_MAX: nothing is known of any limit. Reads a dozen files.
 */
uint64_t memory_room_bytes(int node);

/* How much address space may be reserved: what is left below RLIMIT_AS; UINT64_MAX: no limit. */
uint64_t memory_room_address_space(void);

#endif
