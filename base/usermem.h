/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and writes the caller's arrays, which may end early or be write-protected, by
 * process_vm_readv(2) and process_vm_writev(2) on this process: they copy less where a load or
 * store would raise SIGSEGV.
 */
#ifndef FERRY_USERMEM_H
#define FERRY_USERMEM_H

#include "base/base.h"

/*
 * Bytes copied before the first byte that cannot be, or -errno if the system calls cannot be used
 * at all.
 */
long usermem_read(void *to, const void *user, size_t len_bytes);
long usermem_write(void *user, const void *from, size_t len_bytes);

#endif
