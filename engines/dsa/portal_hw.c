// SPDX-License-Identifier: LGPL-2.1-or-later
/* The submission modes of real devices. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/clock.h"
#include "base/sys.h"
#include "engines/dsa/portal.h"

/* As many as the kernel; the instruction does not distinguish a full queue from a broken one. */
#define ENQCMD_TRIES 32

#define PORTAL_SLOTS (PAGE_BYTES / DSA_DESC_BYTES)

#if defined(__x86_64__)

static bool cpuid_7_ecx(unsigned int bit)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx >> bit & 1);
}

bool dsa_cpu_has_enqcmd(void)
{
	return cpuid_7_ecx(29);
}

bool dsa_cpu_has_movdir64b(void)
{
	return cpuid_7_ecx(28);
}

bool dsa_cpu_has_waitpkg(void)
{
	return cpuid_7_ecx(5);
}

bool dsa_enqcmd(void *portal, const void *desc)
{
	bool retry;

	__asm__ volatile("enqcmd (%2), %1" : "=@ccz"(retry) : "r"(portal), "r"(desc) : "memory");
	return !retry;
}

void dsa_movdir64b(void *portal, const void *desc)
{
	__asm__ volatile("movdir64b (%1), %0" : : "r"(portal), "r"(desc) : "memory");
}

void dsa_umwait(const void *line, uint64_t max_cycles)
{
	uint64_t until = __builtin_ia32_rdtsc() + max_cycles;

	__asm__ volatile("umonitor %0" : : "r"(line) : "memory");
	if (dsa_cr_status(line))
		return;
	/* C0.1 wakes up in half the time of C0.2. */
	__asm__ volatile("umwait %0"
			 :
			 : "r"(1), "a"((uint32_t)until), "d"((uint32_t)(until >> 32))
			 : "cc", "memory");
}

/* Lists, records and data must reach memory before the descriptor reaches the device. */
static void fence_before_device(void)
{
	__asm__ volatile("sfence" : : : "memory");
}

#else

bool dsa_cpu_has_enqcmd(void)
{
	return false;
}

bool dsa_cpu_has_movdir64b(void)
{
	return false;
}

bool dsa_cpu_has_waitpkg(void)
{
	return false;
}

bool dsa_enqcmd(void *portal, const void *desc)
{
	return false;
}

void dsa_movdir64b(void *portal, const void *desc)
{
}

void dsa_umwait(const void *line, uint64_t max_cycles)
{
	cpu_relax();
}

static void fence_before_device(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

#endif

static int open_node(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	int fd = (int)sys(SYS_openat, AT_FDCWD, portal->queue.path, O_RDWR | O_CLOEXEC);
	const char *remedy = "";

	if (fd >= 0) {
		portal->fd = fd;
		return 0;
	}
	if (fd == -EACCES)
		remedy = ": give the user's group read and write permission on it";
	else if (fd == -EBUSY)
		remedy = ": a dedicated queue has one user at a time; configure a shared one";
	else if (fd == -EOPNOTSUPP)
		remedy = ": no shared virtual memory; boot with intel_iommu=on,sm_on";
	snprintf(why, why_bytes, "open %s: %s%s", portal->queue.path, strerror(-fd), remedy);
	return fd;
}

static void close_node(struct dsa_portal *portal)
{
	if (portal->map)
		sys(SYS_munmap, portal->map, PAGE_BYTES);
	if (portal->fd >= 0)
		sys(SYS_close, portal->fd);
	portal->map = NULL;
	portal->fd = -1;
}

static int map_portal(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	int err = open_node(portal, why, why_bytes);
	long addr;

	if (err)
		return err;
	addr = sys(SYS_mmap, NULL, PAGE_BYTES, PROT_WRITE, MAP_SHARED | MAP_POPULATE, portal->fd,
		   0);
	if (addr < 0 && addr >= -4095) {
		snprintf(why, why_bytes, "mapping the portal: %s%s", strerror((int)-addr),
			 addr == -EPERM
				 ? ": kernels with the fix of CVE-2024-21823 require CAP_SYS_RAWIO "
				   "(setcap cap_sys_rawio+ep PROGRAM)"
				 : "");
		close_node(portal);
		return (int)addr;
	}
	portal->map = (void *)addr;
	return 0;
}

static int enqcmd_open(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	if (portal->queue.shared && dsa_cpu_has_enqcmd())
		return map_portal(portal, why, why_bytes);
	snprintf(why, why_bytes, "%s",
		 portal->queue.shared ? "this CPU lacks the instruction" : "a dedicated queue");
	return -EOPNOTSUPP;
}

static bool enqcmd_bounded(void *portal, const struct dsa_hw_desc *desc)
{
	for (int i = 0; i < ENQCMD_TRIES; i++) {
		if (dsa_enqcmd(portal, desc))
			return true;
		for (int pause = 0; pause <= i; pause++)
			cpu_relax();
	}
	return false;
}

static int enqcmd_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	fence_before_device();
	for (uint32_t i = 0; i < nr; i++)
		if (!enqcmd_bounded(portal->map, &descs[i]))
			return (int)i;
	return (int)nr;
}

static const struct dsa_portal_ops enqcmd_ops = {
	.name = "enqcmd",
	.open = enqcmd_open,
	.submit = enqcmd_submit,
	.close = close_node,
};

static int movdir64b_open(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	if (!portal->queue.shared && dsa_cpu_has_movdir64b())
		return map_portal(portal, why, why_bytes);
	snprintf(why, why_bytes, "%s",
		 portal->queue.shared ? "a shared queue" : "this CPU lacks the instruction");
	return -EOPNOTSUPP;
}

/* Stores to one slot serialize; all slots of the page are equivalent. */
static int movdir64b_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	fence_before_device();
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t slot = atomic_fetch_add_explicit(&portal->slot, 1, memory_order_relaxed);

		dsa_movdir64b((char *)portal->map + slot % PORTAL_SLOTS * DSA_DESC_BYTES,
			      &descs[i]);
	}
	return (int)nr;
}

static const struct dsa_portal_ops movdir64b_ops = {
	.name = "movdir64b",
	.posted = true,
	.open = movdir64b_open,
	.submit = movdir64b_submit,
	.close = close_node,
};

static int write_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	long done = sys(SYS_write, portal->fd, descs, (size_t)nr * DSA_DESC_BYTES);

	if (done == -EAGAIN || done == -EINTR)
		return 0;
	return done < 0 ? (int)done : (int)(done / DSA_DESC_BYTES);
}

/* The kernel posts to a dedicated queue unconditionally, so the portal keeps within its size. */
static const struct dsa_portal_ops write_ops = {
	.name = "write",
	.posted = true,
	.open = open_node,
	.submit = write_submit,
	.close = close_node,
};

const struct dsa_portal_ops *const dsa_hardware_modes[] = {
	&enqcmd_ops,
	&movdir64b_ops,
	&write_ops,
	NULL,
};
