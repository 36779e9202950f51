// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A preload for programs that submit DSA descriptors through a mapped portal only. If the node's
 * mmap() fails with ENODEV or EPERM, the program gets an inaccessible page instead. ENQCMD and
 * MOVDIR64B to that page fault, and the handler passes their 64 bytes to write() on the node.
 * docs/engines.md describes its use.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tools/dsa-portal-shim/chain.h"
#include "tools/dsa-portal-shim/insn.h"

#define EXPORT __attribute__((visibility("default")))

#define PAGE        4096UL
#define DESC_BYTES  64
#define MAX_PORTALS 256
#define FD_FROM     512 /* the shim's descriptors are not those that programs expect to get */

#define CF (1U << 0)
#define PF (1U << 2)
#define AF (1U << 4)
#define ZF (1U << 6)
#define SF (1U << 7)
#define OF (1U << 11)

/* The queue's mode in sysfs. A queue of unknown mode takes both instructions. */
enum mode { UNKNOWN, SHARED, DEDICATED };

struct portal {
	_Atomic uintptr_t page; /* 0: free; the rest is valid while it is set */
	int fd;
	enum mode mode;
};

static struct portal portals[MAX_PORTALS];
static pthread_mutex_t portals_lock = PTHREAD_MUTEX_INITIALIZER;

/* No stdio: the caller may be a signal handler. */
static void complain(const char *what, const char *why)
{
	const char *parts[] = {"dsa-portal-shim: ", what, ": ", why, "\n"};
	struct iovec text[5];

	for (int i = 0; i < 5; i++)
		text[i] = (struct iovec){(void *)parts[i], strlen(parts[i])};
	if (writev(STDERR_FILENO, text, 5) < 0)
		return;
}

/* ---- submission --------------------------------------------------------------------------- */

static struct portal *portal_find(uintptr_t page)
{
	for (int i = 0; i < MAX_PORTALS; i++)
		if (atomic_load_explicit(&portals[i].page, memory_order_acquire) == page)
			return &portals[i];
	return NULL;
}

/* Returns whether the node accepted the descriptor. */
static bool portal_write(const struct portal *portal, const void *desc)
{
	ssize_t taken;

	do {
		taken = write(portal->fd, desc, DESC_BYTES);
	} while (taken < 0 && errno == EINTR);
	if (taken < 0 && errno != EAGAIN)
		complain("write", strerrordesc_np(errno));
	return taken == DESC_BYTES;
}

/* Up to the end of the page first: the next one need not be mapped. */
static size_t read_code(uint64_t rip, uint8_t code[INSN_MAX_BYTES])
{
	size_t here = PAGE - rip % PAGE;
	struct iovec local = {code, INSN_MAX_BYTES};
	struct iovec remote[] = {{(void *)rip, here < INSN_MAX_BYTES ? here : INSN_MAX_BYTES},
				 {(void *)(rip + here), 0}};
	ssize_t nr;

	if (here < INSN_MAX_BYTES)
		remote[1].iov_len = INSN_MAX_BYTES - here;
	nr = process_vm_readv(getpid(), &local, 1, remote, 2, 0);
	return nr < 0 ? 0 : (size_t)nr;
}

static void read_registers(const ucontext_t *context, uint64_t regs[INSN_NR_REGS])
{
	static const int order[INSN_NR_REGS] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
						REG_RSP, REG_RBP, REG_RSI, REG_RDI,
						REG_R8,  REG_R9,  REG_R10, REG_R11,
						REG_R12, REG_R13, REG_R14, REG_R15};

	for (int i = 0; i < INSN_NR_REGS; i++)
		regs[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
}

static void clear_flags(ucontext_t *context)
{
	context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)(CF | PF | AF | ZF | SF | OF);
}

/* False where the instruction itself faults: the program gets the signal. */
static bool submit(ucontext_t *context, const struct insn *insn)
{
	const struct portal *portal = portal_find(insn->portal & -PAGE);
	uint64_t desc[DESC_BYTES / 8];
	struct iovec local = {desc, sizeof(desc)}, remote = {(void *)insn->source, sizeof(desc)};
	bool taken = false;

	if (!portal || insn->portal % DESC_BYTES ||
	    process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != DESC_BYTES)
		return false;
	if (insn->kind == INSN_MOVDIR64B) {
		if (portal->mode != SHARED)
			portal_write(portal, desc);
		return true;
	}
	if ((uint32_t)desc[0])
		return false;
	if (portal->mode != DEDICATED)
		taken = portal_write(portal, desc);
	clear_flags(context);
	if (!taken)
		context->uc_mcontext.gregs[REG_EFL] |= ZF;
	return true;
}

static bool serve(int sig, ucontext_t *context)
{
	uint64_t rip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
	uint8_t code[INSN_MAX_BYTES];
	uint64_t regs[INSN_NR_REGS];
	struct insn insn;
	bool served;

	read_registers(context, regs);
	insn = insn_decode(code, read_code(rip, code), rip, regs);
	switch (insn.kind) {
	case INSN_ENQCMD:
	case INSN_MOVDIR64B:
		served = submit(context, &insn);
		break;
	case INSN_WAIT:
		/* Where the CPU has them, they fault for a reason of their own. */
		served = sig == SIGILL;
		if (served) {
			sched_yield();
			clear_flags(context);
		}
		break;
	default:
		served = false;
	}
	if (served)
		context->uc_mcontext.gregs[REG_RIP] += (greg_t)insn.len_bytes;
	return served;
}

/* ---- portals ------------------------------------------------------------------------------ */

static const char *setting(const char *name, const char *otherwise)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : otherwise;
}

/* True for a node of a work queue; name: wq0.0. */
static bool node_name(int fd, char name[NAME_MAX + 1])
{
	const char *nodes = setting("DSA_SHIM_NODES", "/dev/dsa/");
	char link[64], path[PATH_MAX];
	const char *last;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return false;
	path[len] = '\0';
	last = strrchr(path, '/');
	if (!last || strncmp(path, nodes, strlen(nodes)))
		return false;
	snprintf(name, NAME_MAX + 1, "%.*s", NAME_MAX, last + 1);
	return true;
}

static enum mode queue_mode(const char *name)
{
	char path[PATH_MAX], mode[16] = "";
	ssize_t len = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/mode",
		 setting("DSA_SHIM_SYSFS", "/sys/bus/dsa/devices"), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, mode, sizeof(mode) - 1);
		close(fd);
	}
	if (len <= 0)
		return UNKNOWN;
	return strncmp(mode, "shared", 6) ? DEDICATED : SHARED;
}

/* In a child of fork() there is no portal, as there is none with the driver. */
static void portals_forget(void)
{
	for (int i = 0; i < MAX_PORTALS; i++) {
		if (!atomic_load(&portals[i].page))
			continue;
		close(portals[i].fd);
		atomic_store(&portals[i].page, 0);
	}
	pthread_mutex_init(&portals_lock, NULL);
}

static void portals_prepare(void)
{
	pthread_atfork(NULL, NULL, portals_forget);
	chain_install(serve);
}

/* Returns the error, or 0. */
static int portal_add(void *page, int fd, enum mode mode)
{
	struct portal *portal;
	int err = ENOMEM;

	pthread_mutex_lock(&portals_lock);
	portal = portal_find(0);
	if (portal) {
		portal->fd = fcntl(fd, F_DUPFD_CLOEXEC, FD_FROM);
		portal->mode = mode;
		err = portal->fd < 0 ? errno : 0;
	}
	if (!err)
		atomic_store_explicit(&portal->page, (uintptr_t)page, memory_order_release);
	pthread_mutex_unlock(&portals_lock);
	return err;
}

static void *fake_portal(void *addr, size_t len_bytes, int flags, int fd, const char *name)
{
	static pthread_once_t prepared = PTHREAD_ONCE_INIT;
	void *page;
	int err;

	/* The checks of the driver. */
	if (len_bytes > PAGE || !(flags & MAP_SHARED)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	flags &= MAP_FIXED | MAP_FIXED_NOREPLACE;
	page = (void *)syscall(SYS_mmap, addr, PAGE, PROT_NONE, flags | MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
	if (page == MAP_FAILED)
		return page;
	madvise(page, PAGE, MADV_DONTFORK);
	pthread_once(&prepared, portals_prepare);
	err = portal_add(page, fd, queue_mode(name));
	if (!err)
		return page;
	syscall(SYS_munmap, page, PAGE);
	errno = err;
	return MAP_FAILED;
}

EXPORT void *mmap(void *addr, size_t len_bytes, int prot, int flags, int fd, off_t offset)
{
	void *got = (void *)syscall(SYS_mmap, addr, len_bytes, prot, flags, fd, offset);
	char name[NAME_MAX + 1];
	int err = errno;

	if (got != MAP_FAILED || fd < 0 || (err != ENODEV && err != EPERM))
		return got;
	if (node_name(fd, name))
		return fake_portal(addr, len_bytes, flags, fd, name);
	errno = err;
	return got;
}

EXPORT void *mmap64(void *addr, size_t len_bytes, int prot, int flags, int fd, off64_t offset)
{
	return mmap(addr, len_bytes, prot, flags, fd, offset);
}

EXPORT int munmap(void *addr, size_t len_bytes)
{
	int err = (int)syscall(SYS_munmap, addr, len_bytes);

	pthread_mutex_lock(&portals_lock);
	for (int i = 0; !err && i < MAX_PORTALS; i++) {
		uintptr_t page = atomic_load(&portals[i].page);

		if (!page || page < (uintptr_t)addr || page - (uintptr_t)addr >= len_bytes)
			continue;
		atomic_store(&portals[i].page, 0);
		close(portals[i].fd);
	}
	pthread_mutex_unlock(&portals_lock);
	return err;
}
