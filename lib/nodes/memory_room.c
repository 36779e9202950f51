// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads the limits of cgroups where they are mounted as a rule: version 2 at /sys/fs/cgroup or
 * /sys/fs/cgroup/unified, version 1 at /sys/fs/cgroup/memory. In a cgroup namespace the root of the
 * mount is the namespace's own group, with limits like any other.
 */
#include <limits.h>
#include <string.h>
#include <sys/resource.h>

#include "base/sys.h"
#include "base/text.h"
#include "lib/nodes/kernel_file.h"
#include "lib/nodes/memory_room.h"
#include "lib/nodes/nodes.h"

#define NO_LIMIT UINT64_MAX

/*
 * Of each limit this much is left to the program: a sixteenth, at least 8 MiB, at most 1 GiB.
 * Increasing it leaves the program more to allocate between two looks at its limits; decreasing it
 * lets pools work in smaller cgroups.
 */
#define SPARE_SHARE     16
#define SPARE_MIN_BYTES (8UL << 20)
#define SPARE_MAX_BYTES (1UL << 30)

static uint64_t room_below(uint64_t limit, uint64_t used)
{
	uint64_t spare = limit / SPARE_SHARE;

	if (limit == NO_LIMIT)
		return NO_LIMIT;
	spare = MIN(MAX(spare, SPARE_MIN_BYTES), SPARE_MAX_BYTES);
	return limit > spare && limit - spare > used ? limit - spare - used : 0;
}

/* ---- cgroups ---- */

static long group_file_read(const char *dir, const char *file, char *text, size_t text_bytes)
{
	char path[PATH_MAX + 64] = "";

	text_add(path, sizeof(path), dir);
	text_add(path, sizeof(path), "/");
	text_add(path, sizeof(path), file);
	return kernel_file_read(path, text, text_bytes);
}

/* The number in a file of the group; `otherwise` if the file is absent or says "max". */
static uint64_t group_number(const char *dir, const char *file, uint64_t otherwise)
{
	char text[64];

	if (group_file_read(dir, file, text, sizeof(text)) <= 0 || text[0] < '0' || text[0] > '9')
		return otherwise;
	return text_number(text);
}

/* The number behind a name at the start of a line; 0 if there is none. */
static uint64_t line_number(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, name, len) && at[len] == ' ')
			return text_number(at + len);
	}
	return 0;
}

/* Page cache that the kernel drops before it refuses memory: clean, and not used recently. */
static uint64_t group_droppable(const char *dir, const char *inactive, const char *dirty,
				const char *writeback)
{
	char text[8192];
	uint64_t cache, busy;

	if (group_file_read(dir, "memory.stat", text, sizeof(text)) <= 0)
		return 0;
	cache = line_number(text, inactive);
	busy = line_number(text, dirty) + line_number(text, writeback);
	return cache - MIN(cache, busy);
}

static uint64_t group_room_v2(const char *dir)
{
	uint64_t limit = MIN(group_number(dir, "memory.max", NO_LIMIT),
			     group_number(dir, "memory.high", NO_LIMIT));
	uint64_t used;

	if (limit == NO_LIMIT)
		return NO_LIMIT;
	used = group_number(dir, "memory.current", 0);
	used -= MIN(used, group_droppable(dir, "inactive_file", "file_dirty", "file_writeback"));
	return room_below(limit, used);
}

/* No limit is a number in version 1: LONG_MAX in whole pages. */
static uint64_t group_number_v1(const char *dir, const char *file)
{
	uint64_t number = group_number(dir, file, NO_LIMIT);

	return number >= (uint64_t)(LONG_MAX - (1L << 20)) ? NO_LIMIT : number;
}

static uint64_t group_room_v1(const char *dir)
{
	uint64_t limit = group_number_v1(dir, "memory.limit_in_bytes");
	uint64_t swap_limit = group_number_v1(dir, "memory.memsw.limit_in_bytes");
	uint64_t used, swap_used, droppable;

	if (limit == NO_LIMIT && swap_limit == NO_LIMIT)
		return NO_LIMIT;
	droppable = group_droppable(dir, "total_inactive_file", "total_dirty", "total_writeback");
	used = group_number(dir, "memory.usage_in_bytes", 0);
	swap_used = group_number(dir, "memory.memsw.usage_in_bytes", 0);
	return MIN(room_below(limit, used - MIN(used, droppable)),
		   room_below(swap_limit, swap_used - MIN(swap_used, droppable)));
}

/*
 * The least room in the group and its ancestors. In a container the group's path may not exist
 * below the mount; then only those of its ancestors count that do.
 */
static uint64_t groups_room(const char *mount, const char *group,
			    uint64_t (*group_room)(const char *dir))
{
	char dir[PATH_MAX] = "";
	size_t mount_len = strlen(mount);
	uint64_t room = NO_LIMIT;

	if (!text_add(dir, sizeof(dir), mount) || !text_add(dir, sizeof(dir), group))
		return NO_LIMIT;
	for (;;) {
		uint64_t here = group_room(dir);
		char *slash = strrchr(dir, '/');

		room = MIN(room, here);
		if (!slash || (size_t)(slash - dir) < mount_len)
			return room;
		*slash = '\0';
	}
}

/* One line of /proc/self/cgroup: "hierarchy:controllers:group". */
static uint64_t group_line_room(char *line)
{
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;
	char *word, *rest;

	if (!group)
		return NO_LIMIT;
	*group++ = '\0';
	if (!*++controllers)
		return MIN(groups_room("/sys/fs/cgroup", group, group_room_v2),
			   groups_room("/sys/fs/cgroup/unified", group, group_room_v2));
	for (word = strtok_r(controllers, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		if (!strcmp(word, "memory"))
			return groups_room("/sys/fs/cgroup/memory", group, group_room_v1);
	return NO_LIMIT;
}

static uint64_t cgroup_room(void)
{
	char text[8192], *line, *rest;
	uint64_t room = NO_LIMIT;

	if (kernel_file_read("/proc/self/cgroup", text, sizeof(text)) <= 0)
		return NO_LIMIT;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		uint64_t here = group_line_room(line);

		room = MIN(room, here);
	}
	return room;
}

/* ---- the process ---- */

/* The fields of /proc/self/statm that the limits are about. */
enum statm_field { STATM_SIZE = 0, STATM_DATA = 5 };

static uint64_t process_bytes(enum statm_field field)
{
	char text[256];
	const char *at = text;
	uint64_t nr_pages = 0;

	if (kernel_file_read("/proc/self/statm", text, sizeof(text)) <= 0)
		return 0;
	for (int i = 0; i <= (int)field; i++) {
		at += *at == ' ';
		nr_pages = text_read_number(&at);
	}
	return nr_pages * PAGE_BYTES;
}

static uint64_t rlimit_room(int resource, enum statm_field field)
{
	struct rlimit limit;

	if (sys(SYS_prlimit64, 0, resource, NULL, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return NO_LIMIT;
	return room_below(limit.rlim_cur, process_bytes(field));
}

/* ---- the machine ---- */

static uint64_t commit_room(const char *meminfo)
{
	char text[16];

	if (kernel_file_read("/proc/sys/vm/overcommit_memory", text, sizeof(text)) <= 0 ||
	    text[0] != '2')
		return NO_LIMIT;
	return room_below(line_number(meminfo, "CommitLimit:") << 10,
			  line_number(meminfo, "Committed_AS:") << 10);
}

static uint64_t machine_room(void)
{
	char meminfo[4096];
	uint64_t total, available, room;

	if (kernel_file_read("/proc/meminfo", meminfo, sizeof(meminfo)) <= 0)
		return NO_LIMIT;
	total = line_number(meminfo, "MemTotal:") << 10;
	available = line_number(meminfo, "MemAvailable:") << 10;
	room = room_below(total, total - MIN(total, available));
	return MIN(room, commit_room(meminfo));
}

static uint64_t node_room(int node)
{
	uint64_t total, available;

	if (nodes_memory(node, &total, &available))
		return NO_LIMIT;
	return room_below(total, total - MIN(total, available));
}

/* ---- all of them ---- */

uint64_t memory_room_bytes(int node)
{
	uint64_t limits[] = {
		cgroup_room(),
		rlimit_room(RLIMIT_AS, STATM_SIZE),
		rlimit_room(RLIMIT_DATA, STATM_DATA),
		node_room(node),
		machine_room(),
	};
	uint64_t room = NO_LIMIT;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		room = MIN(room, limits[i]);
	return room;
}

uint64_t memory_room_address_space(void)
{
	return rlimit_room(RLIMIT_AS, STATM_SIZE);
}
