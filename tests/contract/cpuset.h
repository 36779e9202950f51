/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes to a request: the cpuset of a process allows only node 0. */
#ifndef CONTRACT_CPUSET_H
#define CONTRACT_CPUSET_H

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/contract/scene.h"

#define CPUSET_MOUNT "/tmp/pageferry-cgroup"
#define CPUSET_GROUP CPUSET_MOUNT "/contract"

static bool cpuset_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void cpuset_enter(struct scene *s, pid_t pid)
{
	char text[16];
	bool ok;

	mkdir("/tmp", 01777);
	mkdir(CPUSET_MOUNT, 0755);
	if (mount("none", CPUSET_MOUNT, "cgroup2", 0, NULL) && errno != EBUSY)
		scene_must(s, NULL, "mount of cgroup2");
	ok = cpuset_write_file(CPUSET_MOUNT "/cgroup.subtree_control", "+cpuset");
	mkdir(CPUSET_GROUP, 0755);
	ok = ok && cpuset_write_file(CPUSET_GROUP "/cpuset.mems", "0");
	snprintf(text, sizeof(text), "%d", pid);
	ok = ok && cpuset_write_file(CPUSET_GROUP "/cgroup.procs", text);
	if (!ok)
		scene_must(s, NULL, "cpuset");
}

static void nodes_far_in_the_middle(struct scene *s)
{
	for (int i = 300; i < 310; i++)
		s->real_nodes[i] = s->node_far;
}

static void cpuset_self(struct scene *s)
{
	nodes_far_in_the_middle(s);
	cpuset_enter(s, getpid());
}

static void cpuset_other(struct scene *s)
{
	nodes_far_in_the_middle(s);
	s->pid = scene_fork(s, NULL, NULL);
	cpuset_enter(s, s->pid);
}

#endif
