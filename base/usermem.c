// SPDX-License-Identifier: LGPL-2.1-or-later
/* Copies between the library's memory and the caller's arrays without the risk of a SIGSEGV. */
#include <errno.h>
#include <sys/uio.h>

#include "base/sys.h"
#include "base/usermem.h"

/*
 * A copy that fails stops at the end of a vector, not at the last good byte, so each vector covers
 * one page. More vectors copy more pages with one system call and take more stack: 16 bytes each.
 */
#define VECTORS 64

static long usermem_copy_some(long nr, void *local, uintptr_t user, size_t len_bytes)
{
	struct iovec here = {.iov_base = local};
	struct iovec there[VECTORS];
	unsigned int n = 0;

	while (here.iov_len < len_bytes && n < VECTORS) {
		uintptr_t at = user + here.iov_len;
		size_t to_page_end = PAGE_BYTES - (at & (PAGE_BYTES - 1));

		there[n].iov_base = (void *)at;
		there[n].iov_len = MIN(to_page_end, len_bytes - here.iov_len);
		here.iov_len += there[n++].iov_len;
	}
	return sys(nr, sys(SYS_getpid), &here, 1, there, n, 0);
}

static long usermem_copy(long nr, void *local, uintptr_t user, size_t len_bytes)
{
	size_t done = 0;

	while (done < len_bytes) {
		long ret =
			usermem_copy_some(nr, (char *)local + done, user + done, len_bytes - done);

		if (ret == -EFAULT || ret == 0)
			break;
		if (ret < 0)
			return ret;
		done += (size_t)ret;
	}
	return (long)done;
}

long usermem_read(void *to, const void *user, size_t len_bytes)
{
	return usermem_copy(SYS_process_vm_readv, to, (uintptr_t)user, len_bytes);
}

long usermem_write(void *user, const void *from, size_t len_bytes)
{
	return usermem_copy(SYS_process_vm_writev, (void *)from, (uintptr_t)user, len_bytes);
}
