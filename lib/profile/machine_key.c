// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/text.h"
#include "base/vault.h"
#include "lib/nodes/kernel_file.h"
#include "lib/profile/machine_key.h"

#define FNV_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
	return hash;
}

/* Calls fn for each number of a list such as "0-3,8", and returns how many there are. */
static unsigned int list_each(const char *list, void (*fn)(void *arg, unsigned int number),
			      void *arg)
{
	unsigned int nr = 0;

	while (*list >= '0' && *list <= '9') {
		uint64_t first = text_read_number(&list), last = first;

		if (*list == '-' && list++)
			last = text_read_number(&list);
		for (uint64_t number = first; number <= last; number++, nr++)
			if (fn)
				fn(arg, (unsigned int)number);
		if (*list == ',')
			list++;
	}
	return nr;
}

/* Files are read into this: a context may be opened by a thread with the smallest stack. */
struct key_buffer {
	char text[4096];
};

struct distances {
	const char *root;
	struct key_buffer *buffer;
	uint64_t hash;
};

static void distances_add(void *arg, unsigned int node)
{
	struct distances *distances = arg;
	char path[256], *text = distances->buffer->text;

	snprintf(path, sizeof(path), "%s/sys/devices/system/node/node%u/distance", distances->root,
		 node);
	if (kernel_file_read(path, text, sizeof(distances->buffer->text)) > 0)
		distances->hash = hash_text(distances->hash, text);
}

/* The value of a line of /proc/cpuinfo: "model name\t: AMD EPYC". False: there is no such line. */
static bool cpuinfo_value(const char *text, const char *name, char *out, size_t out_bytes)
{
	const char *at = strstr(text, name), *colon = at ? strchr(at, ':') : NULL;
	size_t len;

	if (!colon)
		return false;
	colon += 1 + strspn(colon + 1, " \t");
	len = strcspn(colon, "\n");
	snprintf(out, out_bytes, "%.*s", (int)MIN(len, out_bytes - 1), colon);
	return true;
}

/* Of the first processor, or of most of it. */
static void processor_read(const char *root, struct key_buffer *buffer, char *out, size_t out_bytes)
{
	char path[256], *text = buffer->text;

	snprintf(path, sizeof(path), "%s/proc/cpuinfo", root);
	if (kernel_file_read(path, text, sizeof(buffer->text)) <= 0 ||
	    (!cpuinfo_value(text, "model name", out, out_bytes) &&
	     !cpuinfo_value(text, "CPU part", out, out_bytes)))
		snprintf(out, out_bytes, "unknown processor");
}

static unsigned int cpus_count(const char *root, struct key_buffer *buffer)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/online", root);
	if (kernel_file_read(path, buffer->text, sizeof(buffer->text)) <= 0)
		return 1;
	return list_each(buffer->text, NULL, NULL);
}

void machine_key_topology(const char *root, char *out, size_t out_bytes)
{
	struct distances distances = {.root = root, .hash = FNV_BASIS};
	char path[256], nodes[1024] = "", processor[64];
	unsigned int nr_nodes, nr_cpus;
	void *buffer;

	snprintf(out, out_bytes, "unknown");
	if (vault_alloc(sizeof(struct key_buffer), &buffer))
		return;
	distances.buffer = buffer;
	nr_cpus = cpus_count(root, buffer);
	processor_read(root, buffer, processor, sizeof(processor));
	snprintf(path, sizeof(path), "%s/sys/devices/system/node/online", root);
	if (kernel_file_read(path, nodes, sizeof(nodes)) <= 0)
		strcpy(nodes, "0");
	nr_nodes = list_each(nodes, distances_add, &distances);
	snprintf(out, out_bytes, "%u CPUs of %s, %u nodes, distances %08x", nr_cpus, processor,
		 nr_nodes, (unsigned int)(distances.hash ^ distances.hash >> 32));
	vault_free(buffer, sizeof(struct key_buffer));
}

void machine_key_read(struct profile_key *out, const char *version)
{
	struct utsname name = {.release = "unknown"};

	*out = (struct profile_key){.topology = ""};
	uname(&name);
	machine_key_topology("", out->topology, sizeof(out->topology));
	snprintf(out->kernel, sizeof(out->kernel), "%s", name.release);
	snprintf(out->library, sizeof(out->library), "%s", version);
}
