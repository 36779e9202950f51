// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engines/device/sysfs.h"

static const char *root_from_env(const char *variable, const char *usual)
{
	const char *value = secure_getenv(variable);

	return value && *value ? value : usual;
}

const char *device_sysfs_root(void)
{
	return root_from_env("FERRY_SYSFS_ROOT", "/sys");
}

const char *device_dev_root(void)
{
	return root_from_env("FERRY_DEV_ROOT", "/dev");
}

int device_read_line(const char *path, char *text, size_t text_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, text_bytes - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	if (len < 0)
		return (int)len;
	while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	text[len] = '\0';
	return (int)len;
}

int device_attr_read(const char *path, char *text, size_t text_bytes)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", device_sysfs_root(), path);
	return device_read_line(full, text, text_bytes);
}

bool device_attr_is(const char *path, const char *value)
{
	char text[64];

	return device_attr_read(path, text, sizeof(text)) >= 0 && !strcmp(text, value);
}

long long device_attr_number(const char *path, long long missing)
{
	char text[64], *end;
	long long value;

	if (device_attr_read(path, text, sizeof(text)) <= 0)
		return missing;
	errno = 0;
	value = strtoll(text, &end, 0);
	return *end || errno ? missing : value;
}

int device_node_package(int node)
{
	char path[128], text[64];
	int cpu;

	if (node < 0)
		return -1;
	snprintf(path, sizeof(path), "devices/system/node/node%d/cpulist", node);
	if (device_attr_read(path, text, sizeof(text)) <= 0 || sscanf(text, "%d", &cpu) != 1)
		return -1;
	snprintf(path, sizeof(path), "devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
	if (device_attr_read(path, text, sizeof(text)) <= 0)
		return -1;
	return atoi(text);
}
