// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli/common/common.h"
#include "cli/verify/options.h"
#include "cli/verify/slot.h"
#include "cli/verify/slot_io.h"

static bool slot_io_failed(struct actor *actor, const char *call, ssize_t got)
{
	verify_fail(actor->verify, NULL, "%s: %s", call,
		    got < 0 ? strerror(errno) : "fewer bytes than requested");
	return false;
}

static int direct_open(void)
{
	const char *dir = verify_options.dir ? verify_options.dir : "/var/tmp";
	int fd = open(dir, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);

	/* Some filesystems support O_DIRECT but no unnamed files. */
	if (fd < 0) {
		char *path = cli_format("%s/migbench-XXXXXX", dir);

		fd = mkostemp(path, O_DIRECT | O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
		free(path);
	}
	return fd;
}

/* Writes to a file, overwrites the slot, and reads back: a device writes to the pages. */
bool slot_direct(struct actor *actor)
{
	struct slot *slot = actor->private;
	ssize_t got;

	if (slot->fd[0] < 0)
		slot->fd[0] = direct_open();
	if (slot->fd[0] < 0)
		return false;
	slot_renew(slot);
	got = pwrite(slot->fd[0], slot->base, SLOT_BYTES, 0);
	/* A filesystem may accept O_DIRECT at open and reject it here. */
	if (got < 0 && errno == EINVAL)
		return false;
	if (got != (ssize_t)SLOT_BYTES)
		return slot_io_failed(actor, "write with O_DIRECT", got);
	memset(slot->base, 0x55, SLOT_BYTES);
	got = pread(slot->fd[0], slot->base, SLOT_BYTES, 0);
	if (got != (ssize_t)SLOT_BYTES)
		return slot_io_failed(actor, "read with O_DIRECT", got);
	return slot_check(actor, slot->base, "write and read with O_DIRECT");
}

static bool slot_vm_copy(struct actor *actor, bool in)
{
	struct slot *slot = actor->private;
	struct iovec local = {slot->scratch, SLOT_BYTES}, remote = {slot->base, SLOT_BYTES};
	ssize_t got = in ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0)
			 : process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (got == (ssize_t)SLOT_BYTES)
		return true;
	return slot_io_failed(actor, in ? "process_vm_writev" : "process_vm_readv", got);
}

bool slot_vm(struct actor *actor)
{
	struct slot *slot = actor->private;

	slot->generation++;
	slot_content(slot, slot->scratch);
	if (!slot_vm_copy(actor, true) || !slot_check(actor, slot->base, "process_vm_writev"))
		return false;
	memset(slot->scratch, 0, SLOT_BYTES);
	return slot_vm_copy(actor, false) && slot_check(actor, slot->scratch, "process_vm_readv");
}

/* The pages are buffers of read(2) and write(2), as much at a time as a pipe holds. */
bool slot_pipe(struct actor *actor)
{
	struct slot *slot = actor->private;
	const size_t piece = 16 * PAGE_BYTES;

	if (slot->fd[0] < 0 && pipe2(slot->fd, O_CLOEXEC))
		return slot_io_failed(actor, "pipe", -1);
	slot_renew(slot);
	for (size_t at = 0; at < SLOT_BYTES; at += piece) {
		ssize_t got = write(slot->fd[1], slot->base + at, piece);

		if (got != (ssize_t)piece)
			return slot_io_failed(actor, "write", got);
		memset(slot->base + at, 0x33, piece);
		got = read(slot->fd[0], slot->base + at, piece);
		if (got != (ssize_t)piece)
			return slot_io_failed(actor, "read", got);
	}
	return slot_check(actor, slot->base, "write and read through a pipe");
}
