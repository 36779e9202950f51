/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program has advised for a mapping, from /proc/self/smaps. */
#ifndef FERRY_VM_FLAGS_H
#define FERRY_VM_FLAGS_H

#include "base/base.h"

struct vm_flags {
	bool dont_fork, wipe_on_fork, dont_dump;
};

/*
 * The flags of the mapping at addr; all false if there is none or if the file cannot be read. Slow:
 * the kernel walks the page tables of all mappings below. Needs no memory but the stack.
 */
struct vm_flags vm_flags_at(uintptr_t addr);

#endif
