// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's SDXI driver serves dmaengine clients in the kernel and has no device node for user
 * space. AMD's out-of-tree driver has one, /dev/sdxi, without a stable interface.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engines/device/sysfs.h"
#include "engines/engine.h"
#include "engines/sdxi/device.h"

/* The only known function is AMD's. */
#define PCI_VENDOR "0x1022"
#define PCI_DEVICE "0x14dc"

static bool attr_is(const char *dir, const char *entry, const char *attr, const char *value)
{
	char path[512], text[32];

	snprintf(path, sizeof(path), "%s/%s/%s", dir, entry, attr);
	return device_read_line(path, text, sizeof(text)) > 0 && !strcmp(text, value);
}

/* A function, as "0000:c2:00.1", and the driver bound to it, "" for none. */
struct pci_function {
	char name[32];
	char driver[64];
};

static void function_read_driver(const char *dir, struct pci_function *function)
{
	char path[512], link[256];
	const char *base;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s/driver", dir, function->name);
	len = readlink(path, link, sizeof(link) - 1);
	link[len > 0 ? len : 0] = '\0';
	base = strrchr(link, '/');
	snprintf(function->driver, sizeof(function->driver), "%.63s", base ? base + 1 : link);
}

static bool find_function(const char *sys_root, struct pci_function *function)
{
	char dir[256];
	struct dirent *entry;
	bool found = false;
	DIR *stream;

	snprintf(dir, sizeof(dir), "%s/sys/bus/pci/devices", sys_root);
	stream = opendir(dir);
	while (stream && !found && (entry = readdir(stream))) {
		snprintf(function->name, sizeof(function->name), "%.31s", entry->d_name);
		found = attr_is(dir, function->name, "vendor", PCI_VENDOR) &&
			attr_is(dir, function->name, "device", PCI_DEVICE);
	}
	if (found)
		function_read_driver(dir, function);
	if (stream)
		closedir(stream);
	return found;
}

int sdxi_device_probe(const char *sys_root, const char *dev_root, char *why, size_t why_bytes)
{
	struct pci_function function;
	char node[256];

	snprintf(node, sizeof(node), "%s/dev/sdxi", dev_root);
	if (!access(node, F_OK)) {
		snprintf(why, why_bytes,
			 "%s exists, but its interface is not part of a kernel release, and this "
			 "build does not support it" ENGINE_REMEDY "use sdxi:model",
			 node);
		return -EOPNOTSUPP;
	}
	if (!find_function(sys_root, &function)) {
		snprintf(why, why_bytes,
			 "no SDXI hardware (PCI 1022:14dc; `lspci -d 1022:14dc`)" ENGINE_REMEDY
			 "use sdxi:model");
	} else if (!function.driver[0]) {
		snprintf(why, why_bytes,
			 "SDXI function %s has no driver" ENGINE_REMEDY
			 "modprobe sdxi, with a driver that offers /dev/sdxi to user space",
			 function.name);
	} else {
		snprintf(why, why_bytes,
			 "SDXI function %s is driven by %s, which offers no /dev/sdxi to user "
			 "space" ENGINE_REMEDY "use sdxi:model until a driver does",
			 function.name, function.driver);
	}
	return -ENODEV;
}
