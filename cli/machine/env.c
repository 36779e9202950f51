// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "cli/common/common.h"
#include "cli/machine/machine.h"
#include "cli/machine/sysfs.h"
#include "pageferry.h"

bool machine_is_emulated(void)
{
#if defined(__x86_64__)
	unsigned int a, b, c, d;
	char vendor[13] = "";

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1U << 31)))
		return false;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &c, 4);
	memcpy(vendor + 8, &d, 4);
	return !strcmp(vendor, "TCGTCGTCGTCG");
#else
	return false;
#endif
}

static void env_set_line(json_t *env, const char *key, const char *path)
{
	char line[256];

	if (!sysfs_line(line, sizeof(line), "%s", path) && *line)
		json_object_set_new(env, key, json_string(line));
}

static void env_set_choice(json_t *env, const char *key, const char *path)
{
	char line[256], word[32];

	if (!sysfs_line(line, sizeof(line), "%s", path) && *sysfs_choice(line, word, sizeof(word)))
		json_object_set_new(env, key, json_string(word));
}

static void env_set_setting(json_t *env, const struct machine_setting *setting)
{
	if (setting->is_choice)
		env_set_choice(env, setting->key, setting->path);
	else
		env_set_line(env, setting->key, setting->path);
}

static void env_set_cpu_model(json_t *env)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !value)
			continue;
		value[1 + strcspn(value + 1, "\n")] = '\0';
		json_object_set_new(env, "cpu_model", json_string(value + 2));
		break;
	}
	if (file)
		fclose(file);
}

/* {"16": "never", "64": "madvise", …}, sizes in KiB. */
static void env_set_mthp(json_t *env)
{
	DIR *dir = opendir(SYSFS_THP);
	json_t *mthp;
	struct dirent *entry;

	if (!dir)
		return;
	mthp = json_object();
	while ((entry = readdir(dir))) {
		char key[32], path[320];

		if (sscanf(entry->d_name, "hugepages-%31[0-9]kB", key) != 1)
			continue;
		snprintf(path, sizeof(path), SYSFS_THP "/%s/enabled", entry->d_name);
		env_set_choice(mthp, key, path);
	}
	closedir(dir);
	json_object_set_new(env, "mthp_kib", mthp);
}

static void env_set_nodes(json_t *env)
{
	struct machine *machine = cli_alloc(1, sizeof(*machine));
	json_t *list = json_array(), *distances = json_array();

	machine_read(machine);
	for (unsigned int i = 0; i < machine->nr; i++) {
		const struct node *node = &machine->v[i];
		json_t *row = json_array();

		json_array_append_new(list,
				      json_pack("{s:i, s:s, s:I, s:s}", "node", node->id, "class",
						node_class_name(node->class), "total_bytes",
						(json_int_t)node->total_bytes, "cpus", node->cpus));
		for (unsigned int j = 0; j < machine->nr; j++)
			json_array_append_new(row, json_integer(machine->distance[i][j]));
		json_array_append_new(distances, row);
	}
	json_object_set_new(env, "nodes", list);
	json_object_set_new(env, "distances", distances);
	free(machine);
}

static void env_set_time(json_t *env)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		json_object_set_new(env, "time", json_string(text));
}

json_t *machine_env(void)
{
	json_t *env = json_object();
	struct utsname name;
	cpu_set_t allowed;

	json_object_set_new(env, "library", json_string(ferry_version()));
	env_set_time(env);
	if (!uname(&name)) {
		json_object_set_new(env, "kernel", json_string(name.release));
		json_object_set_new(env, "machine", json_string(name.machine));
	}
	env_set_cpu_model(env);
	json_object_set_new(env, "nr_cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	if (!sched_getaffinity(0, sizeof(allowed), &allowed))
		json_object_set_new(env, "nr_cpus_allowed", json_integer(CPU_COUNT(&allowed)));
	env_set_line(env, "cgroup_cpu_max", "/sys/fs/cgroup/cpu.max");
	env_set_nodes(env);
	env_set_mthp(env);
	for (unsigned int i = 0; i < nr_machine_settings; i++)
		env_set_setting(env, &machine_settings[i]);
	json_object_set_new(env, "under_emulation", json_boolean(machine_is_emulated()));
	return env;
}
