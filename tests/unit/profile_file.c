// SPDX-License-Identifier: LGPL-2.1-or-later
/* Files of profiles: how migbench writes them, and which of them the library trusts. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/common.c"
#include "cli/profile/profile_file.c"
#include "lib/profile/machine_key.h"
#include "lib/profile/profile_cache.h"

static const struct profile_key key = {"4 CPUs", "6.18.44", "0.1.0"};
static char root[] = "/tmp/pageferry-profile-XXXXXX";
static char path[200];
static struct profile profile;

static int remove_one(const char *name, const struct stat *st __maybe_unused,
		      int type __maybe_unused, struct FTW *at __maybe_unused)
{
	return remove(name);
}

static void root_make(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	cr_assert(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/a/pageferry/profile", root);
	profile_defaults(&profile, 2, 4);
	profile.cost[PROFILE_CPU][PROFILE_SAME][PROFILE_4K].confidence = 0.5;
	unsetenv(PROFILE_VARIABLE);
}

static void root_remove(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(profile_file, .init = root_make, .fini = root_remove);

static unsigned int mode_of(const char *name)
{
	struct stat st;

	cr_assert_eq(lstat(name, &st), 0, "%s", name);
	return st.st_mode;
}

static unsigned int nr_files(const char *directory)
{
	DIR *dir = opendir(directory);
	unsigned int nr = 0;

	cr_assert(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		nr += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
	closedir(dir);
	return nr;
}

/* ---- writing ---- */

Test(profile_file, both_forms_are_written_into_new_directories)
{
	struct profile_key read_key;
	struct profile read;
	char why[200], name[256];

	umask(077);
	cr_assert_eq(profile_file_save_cached(path, &profile, &key), 0);
	snprintf(name, sizeof(name), "%s/a/pageferry", root);
	cr_expect_eq(mode_of(name), S_IFDIR | 0755);
	cr_expect_eq(nr_files(name), 2, "no temporary file is left");
	cr_expect_eq(mode_of(path), S_IFREG | 0644);
	cr_expect_eq(profile_file_load(path, &read, &read_key, why, sizeof(why)), 0, "%s", why);
	cr_expect_null(profile_key_differs(&key, &read_key));
	snprintf(name, sizeof(name), "%s.json", path);
	cr_expect_eq(mode_of(name), S_IFREG | 0644);
	cr_expect_eq(profile_file_load(name, &read, &read_key, why, sizeof(why)), 0, "%s", why);
	cr_expect_eq(read.cost[PROFILE_CPU][PROFILE_SAME][PROFILE_4K].confidence, 0.5);
}

Test(profile_file, a_symbolic_link_is_replaced_and_not_followed)
{
	char target[256];
	FILE *file;

	cr_assert_eq(profile_file_save_cached(path, &profile, &key), 0);
	snprintf(target, sizeof(target), "%s/target", root);
	file = fopen(target, "w");
	cr_assert(file);
	fputs("keep", file);
	fclose(file);
	cr_assert_eq(unlink(path) || symlink(target, path), 0);
	cr_assert_eq(profile_file_save_cached(path, &profile, &key), 0);
	cr_expect(S_ISREG(mode_of(path)));
	cr_expect_eq(mode_of(target) & 0777, 0644 & ~umask(0));
	file = fopen(target, "r");
	cr_expect_eq(fgetc(file), 'k');
	fclose(file);
}

Test(profile_file, a_directory_that_others_may_write_to_is_refused)
{
	char name[256];

	cr_assert_eq(profile_file_save_cached(path, &profile, &key), 0);
	snprintf(name, sizeof(name), "%s/a/pageferry", root);
	cr_assert_eq(chmod(name, 0777), 0);
	cr_expect_eq(profile_file_save_cached(path, &profile, &key), -EPERM);
}

/* What was there stays as it was. */
Test(profile_file, what_cannot_be_written_changes_nothing)
{
	struct profile_key broken = key, read_key;
	struct profile read;
	char why[200];

	cr_assert_eq(profile_file_save(root, &profile, &key), -EISDIR);
	cr_assert_eq(profile_file_save_cached(path, &profile, &key), 0);
	strcpy(broken.kernel, "two\nlines");
	cr_expect_eq(profile_file_save(path, &profile, &broken), -EINVAL);
	cr_expect_eq(profile_file_load(path, &read, &read_key, why, sizeof(why)), 0, "%s", why);
	cr_expect_null(profile_key_differs(&key, &read_key));
}

/* ---- the paths ---- */

Test(profile_file, paths_of_root_and_of_a_user)
{
	char paths[PROFILE_PATHS_MAX][PROFILE_PATH_BYTES];

	setenv("XDG_CACHE_HOME", "/x", 1);
	setenv("HOME", "/home/me", 1);
	if (!geteuid()) {
		cr_expect_eq(profile_cache_paths(paths), 1);
		cr_expect_str_eq(paths[0], "/var/cache/pageferry/profile");
		cr_assert_eq(seteuid(65534), 0);
	}
	cr_expect_eq(profile_cache_paths(paths), 2);
	cr_expect_str_eq(paths[0], "/x/pageferry/profile");
	cr_expect_str_eq(paths[1], "/var/cache/pageferry/profile");
	setenv("XDG_CACHE_HOME", "relative", 1);
	cr_expect_eq(profile_cache_paths(paths), 2);
	cr_expect_str_eq(paths[0], "/home/me/.cache/pageferry/profile");
	setenv("HOME", "", 1);
	cr_expect_eq(profile_cache_paths(paths), 1);
}

/* ---- which file is trusted ---- */

static struct profile_found find(const char *wanted)
{
	struct profile_found found;

	profile_cache_find(wanted, &key, &found);
	return found;
}

Test(profile_file, a_profile_that_fits_holds)
{
	struct profile_found found;

	cr_assert_eq(profile_file_save_cached(path, &profile, &key), 0);
	found = find(path);
	cr_expect(found.found && !found.refused);
	cr_expect_str_eq(found.path, path);
	cr_expect_eq(found.profile.cost[PROFILE_CPU][PROFILE_SAME][PROFILE_4K].confidence, 0.5);
	setenv(PROFILE_VARIABLE, path, 1);
	cr_expect(find(NULL).found, "the environment names it");
	setenv(PROFILE_VARIABLE, "none", 1);
	found = find(NULL);
	cr_expect(!found.found && !found.refused, "switched off");
	cr_expect(strstr(found.note, "switched off"), "%s", found.note);
}

static void expect_refused(const char *wanted, const char *because)
{
	struct profile_found found = find(wanted);

	cr_expect(!found.found && found.refused, "%s", because);
	cr_expect(strstr(found.note, because), "%s", found.note);
	cr_expect(strstr(found.note, root) || *wanted != '/', "%s", found.note);
}

Test(profile_file, a_profile_for_something_else_is_refused)
{
	struct profile_key other = key;

	strcpy(other.topology, "8 CPUs");
	cr_assert_eq(profile_file_save_cached(path, &profile, &other), 0);
	expect_refused(path, "another topology");
	other = key;
	strcpy(other.library, "9.9");
	cr_assert_eq(profile_file_save_cached(path, &profile, &other), 0);
	expect_refused(path, "another library");
}

Test(profile_file, what_others_could_have_written_is_refused)
{
	cr_assert_eq(profile_file_save_cached(path, &profile, &key), 0);
	cr_assert_eq(chmod(path, 0664), 0);
	expect_refused(path, "others may write to it");
	cr_assert_eq(chmod(path, 0644), 0);
	if (geteuid())
		return;
	cr_assert_eq(chown(path, 65534, 65534), 0);
	expect_refused(path, "belongs to another user");
}

Test(profile_file, what_is_no_profile_is_refused)
{
	char name[256];

	cr_assert_eq(profile_file_save_cached(path, &profile, &key), 0);
	snprintf(name, sizeof(name), "%s/link", root);
	cr_assert_eq(symlink(path, name), 0);
	expect_refused(name, "symbolic link");
	expect_refused(root, "no regular file");
	snprintf(name, sizeof(name), "%s/fifo", root);
	cr_assert_eq(mkfifo(name, 0644), 0);
	expect_refused(name, "no regular file");
	snprintf(name, sizeof(name), "%s.json", path);
	expect_refused(name, "no profile");
	snprintf(name, sizeof(name), "%s/absent", root);
	expect_refused(name, "No such file");
	cr_assert_eq(truncate(path, 1 << 20), 0);
	expect_refused(path, "too large");
	cr_assert_eq(truncate(path, 100), 0);
	expect_refused(path, "are missing");
}

/* ---- the key ---- */

static void machine_write(const char *name, const char *text)
{
	char file_name[400], *at;
	FILE *file;

	snprintf(file_name, sizeof(file_name), "%s/%s", root, name);
	for (at = file_name + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(file_name, 0755);
		*at = '/';
	}
	file = fopen(file_name, "w");
	cr_assert(file);
	fputs(text, file);
	fclose(file);
}

Test(profile_file, the_key_tells_machines_apart)
{
	char before[PROFILE_KEY_BYTES], after[PROFILE_KEY_BYTES];

	machine_write("sys/devices/system/cpu/online", "0-3,8\n");
	machine_write("sys/devices/system/node/online", "0-1\n");
	machine_write("sys/devices/system/node/node0/distance", "10 20\n");
	machine_write("sys/devices/system/node/node1/distance", "20 10\n");
	machine_write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU\nflags\t: fpu\n");
	machine_key_topology(root, before, sizeof(before));
	cr_expect_eq(strncmp(before, "5 CPUs of Some CPU, 2 nodes, distances ", 39), 0, "%s",
		     before);
	machine_write("sys/devices/system/node/node1/distance", "12 10\n");
	machine_key_topology(root, after, sizeof(after));
	cr_expect_str_neq(before, after);
	machine_write("sys/devices/system/node/node1/distance", "20 10\n");
	machine_key_topology(root, after, sizeof(after));
	cr_expect_str_eq(before, after);
	machine_write("proc/cpuinfo", "processor\t: 0\nCPU part\t: 0xd40\n");
	machine_key_topology(root, after, sizeof(after));
	cr_expect(strstr(after, "of 0xd40,"), "%s", after);
	machine_key_topology("/nowhere", after, sizeof(after));
	cr_expect(strstr(after, "1 CPUs of unknown processor, 1 nodes"), "%s", after);
}
