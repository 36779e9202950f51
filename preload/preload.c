// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The functions of libnuma and libc that the drop-in interposes. It need not interpose
 * numa_move_pages and numa_migrate_pages, which call functions that it does.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sys.h"
#include "preload/context.h"
#include "preload/settings.h"
#include "preload/stats.h"

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif

#define EXPORT __attribute__((visibility("default")))

/* Declared here because the build does not need libnuma's header. */
EXPORT long move_pages(int pid, unsigned long count, void **pages, const int *nodes, int *status,
		       int flags);
EXPORT long migrate_pages(int pid, unsigned long maxnode, const unsigned long *from,
			  const unsigned long *to);
EXPORT ssize_t vmsplice(int fd, const struct iovec *iov, size_t count, unsigned int flags);
EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len);
long preload_syscall(long nr, long a, long b, long c, long d, long e, long f);

static struct settings settings;
static __typeof__(vmsplice) *next_vmsplice;
static __typeof__(setsockopt) *next_setsockopt;

static long libc_result(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

static struct ferry *ferry_for_call(unsigned long count, const int *nodes)
{
	struct ferry *ferry = NULL;
	enum plain why;

	if (!nodes)
		why = PLAIN_QUERY;
	else if (count < settings.min_pages)
		why = PLAIN_SMALL;
	else
		ferry = context_get(&settings, &why);

	if (ferry)
		stats_count_served();
	else
		stats_count_plain(why);
	return ferry;
}

long move_pages(int pid, unsigned long count, void **pages, const int *nodes, int *status,
		int flags)
{
	int saved_errno = errno;
	struct ferry *ferry = ferry_for_call(count, nodes);
	long ret;

	if (!ferry) {
		errno = saved_errno;
		return libc_result(sys(SYS_move_pages, pid, count, pages, nodes, status, flags));
	}
	ret = ferry_move_pages(ferry, pid, count, pages, nodes, status, flags);
	if (ret >= 0)
		errno = saved_errno;
	return ret;
}

long migrate_pages(int pid, unsigned long maxnode, const unsigned long *from,
		   const unsigned long *to)
{
	int saved_errno = errno;
	enum plain why;
	struct ferry *ferry = context_get(&settings, &why);
	long ret;

	if (!ferry) {
		stats_count_plain(why);
		errno = saved_errno;
		return libc_result(sys(SYS_migrate_pages, pid, maxnode, from, to));
	}
	stats_count_served();
	ret = ferry_migrate_pages(ferry, pid, maxnode, from, to);
	if (ret >= 0)
		errno = saved_errno;
	return ret;
}

ssize_t vmsplice(int fd, const struct iovec *iov, size_t count, unsigned int flags)
{
	context_use_fresh_frames();
	if (next_vmsplice)
		return next_vmsplice(fd, iov, count, flags);
	return libc_result(sys(SYS_vmsplice, fd, iov, count, flags));
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (level == SOL_SOCKET && name == SO_ZEROCOPY)
		context_use_fresh_frames();
	if (next_setsockopt)
		return next_setsockopt(fd, level, name, value, len);
	return (int)libc_result(sys(SYS_setsockopt, fd, level, name, value, len));
}

/* syscall() jumps here, with its arguments, for the numbers that the drop-in handles. */
long preload_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	switch (nr) {
	case SYS_move_pages:
		return move_pages((int)a, (unsigned long)b, (void **)c, (const int *)d, (int *)e,
				  (int)f);
	case SYS_migrate_pages:
		return migrate_pages((int)a, (unsigned long)b, (const unsigned long *)c,
				     (const unsigned long *)d);
	case SYS_setsockopt:
		if ((int)b != SOL_SOCKET || (int)c != SO_ZEROCOPY)
			break;
		context_use_fresh_frames();
		break;
	case SYS_vmsplice:
	case SYS_io_uring_setup:
		context_use_fresh_frames();
		break;
	}
	return libc_result(sys_call6(nr, a, b, c, d, e, f));
}

static void write_log(void *arg, int level, const char *message)
{
	const struct settings *s = arg;

	if ((uint64_t)level < s->log)
		message_write(STDERR_FILENO, "%s", message);
}

static void after_fork_in_child(void)
{
	context_forget();
	stats_reset();
}

static __attribute__((constructor)) void preload_start(void)
{
	next_vmsplice = (__typeof__(next_vmsplice))dlsym(RTLD_NEXT, "vmsplice");
	next_setsockopt = (__typeof__(next_setsockopt))dlsym(RTLD_NEXT, "setsockopt");
	settings_load(&settings);
	if (settings.log)
		ferry_set_log(write_log, &settings);
	context_allow(!settings.disable && !pthread_atfork(NULL, NULL, after_fork_in_child));
}

static __attribute__((destructor)) void preload_exit(void)
{
	if (settings.stats[0] && settings.stats[0] != '0')
		stats_report(settings.stats);
}
