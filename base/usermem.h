/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caller's arrays, which may end early or be write-protected: read and written by
 * process_vm_readv(2) on ourselves, which answers short where a load or store would be a SIGSEGV.
 */
#ifndef FERRY_USERMEM_H
#define FERRY_USERMEM_H

#include "base/base.h"

/* Bytes copied before the first that can't be, or -errno if the calls can't be used at all. */
long usermem_read(void *to, const void *user, size_t len_bytes);
long usermem_write(void *user, const void *from, size_t len_bytes);

#endif
