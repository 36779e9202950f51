/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process whose cpuset has only node 0. */
#ifndef CONTRACT_CPUSET_H
#define CONTRACT_CPUSET_H

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/contract/scene.h"

#define CPUSET_MOUNT "/tmp/pageferry-cgroup"
#define CPUSET_GROUP CPUSET_MOUNT "/contract"

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void enter_cpuset(struct scene *s, pid_t pid)
{
	char text[16];
	bool ok;

	mkdir("/tmp", 01777);
	mkdir(CPUSET_MOUNT, 0755);
	if (mount("none", CPUSET_MOUNT, "cgroup2", 0, NULL) && errno != EBUSY)
		scene_must(s, NULL, "mount of cgroup2");
	ok = write_file(CPUSET_MOUNT "/cgroup.subtree_control", "+cpuset");
	mkdir(CPUSET_GROUP, 0755);
	ok = ok && write_file(CPUSET_GROUP "/cpuset.mems", "0");
	snprintf(text, sizeof(text), "%d", pid);
	ok = ok && write_file(CPUSET_GROUP "/cgroup.procs", text);
	if (!ok)
		scene_must(s, NULL, "cpuset");
}

static void far_in_the_middle(struct scene *s)
{
	for (int i = 300; i < 310; i++)
		s->real_nodes[i] = s->node_far;
}

static void cpuset_self(struct scene *s)
{
	far_in_the_middle(s);
	enter_cpuset(s, getpid());
}

static void cpuset_other(struct scene *s)
{
	far_in_the_middle(s);
	s->pid = scene_fork(s, NULL, NULL);
	enter_cpuset(s, s->pid);
}

#endif
