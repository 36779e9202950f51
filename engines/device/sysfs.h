/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading what the kernel says about devices: attributes in sysfs, and the roots of both trees. */
#ifndef FERRY_DEVICE_SYSFS_H
#define FERRY_DEVICE_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

/* /sys and /dev; tests replace them by FERRY_SYSFS_ROOT and FERRY_DEV_ROOT. */
const char *device_sysfs_root(void);
const char *device_dev_root(void);

/* Reads a file of one line, without its newline. Returns its length or -errno. */
int device_read_line(const char *path, char *text, size_t text_bytes);

/* The same for an attribute; path is relative to the sysfs root. */
int device_attr_read(const char *path, char *text, size_t text_bytes);
bool device_attr_is(const char *path, const char *value);
/* A number as strtoll() reads it; missing if there is none. */
long long device_attr_number(const char *path, long long missing);

/* The package of the node's CPUs; -1 if unknown, as for a node without CPUs. */
int device_node_package(int node);

#endif
