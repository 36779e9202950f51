// SPDX-License-Identifier: LGPL-2.1-or-later
/* The submission modes of real devices. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/apart.h"
#include "base/clock.h"
#include "base/sys.h"
#include "engines/device/instructions.h"
#include "engines/dsa/portal.h"

/* As many as the kernel; the instruction does not distinguish a full queue from a broken one. */
#define ENQCMD_TRIES 32

#define PORTAL_SLOTS (PAGE_BYTES / DSA_DESC_BYTES)

static int open_node(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	int fd = (int)sys(SYS_openat, AT_FDCWD, portal->queue.path, O_RDWR | O_CLOEXEC);
	const char *remedy = "";

	if (fd >= 0)
		return own_fd_take(&portal->file, fd);
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
	own_fd_drop(&portal->file);
	portal->map = NULL;
}

static int map_portal(struct dsa_portal *portal, char *why, size_t why_bytes)
{
	int err = open_node(portal, why, why_bytes);
	long addr;

	if (err)
		return err;
	addr = apart_mmap(PAGE_BYTES, PROT_WRITE, MAP_SHARED | MAP_POPULATE, portal->file.fd, 0);
	if (sys_is_error(addr)) {
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
	if (portal->queue.shared && device_cpu_has_enqcmd())
		return map_portal(portal, why, why_bytes);
	snprintf(why, why_bytes, "%s",
		 portal->queue.shared ? "this CPU lacks the instruction" : "a dedicated queue");
	return -EOPNOTSUPP;
}

static bool enqcmd_bounded(void *portal, const struct dsa_hw_desc *desc)
{
	for (int i = 0; i < ENQCMD_TRIES; i++) {
		if (device_enqcmd(portal, desc))
			return true;
		for (int pause = 0; pause <= i; pause++)
			cpu_relax();
	}
	return false;
}

static int enqcmd_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	device_fence();
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
	if (!portal->queue.shared && device_cpu_has_movdir64b())
		return map_portal(portal, why, why_bytes);
	snprintf(why, why_bytes, "%s",
		 portal->queue.shared ? "a shared queue" : "this CPU lacks the instruction");
	return -EOPNOTSUPP;
}

/* Stores to one slot serialize; all slots of the page are equivalent. */
static int movdir64b_submit(struct dsa_portal *portal, const struct dsa_hw_desc *descs, uint32_t nr)
{
	device_fence();
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t slot = atomic_fetch_add_explicit(&portal->slot, 1, memory_order_relaxed);

		device_movdir64b((char *)portal->map + slot % PORTAL_SLOTS * DSA_DESC_BYTES,
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
	long done = -EBADF;

	/* The program may have closed the device, and have a file of its own under that number. */
	if (own_fd_holds(&portal->file))
		done = sys(SYS_write, portal->file.fd, descs, (size_t)nr * DSA_DESC_BYTES);
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
