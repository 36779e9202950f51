// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which profile a context reads when it opens, and what it says about the others. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "include/pageferry.h"
#include "lib/core/context.h"
#include "lib/profile/machine_key.h"
#include "lib/profile/profile_cache.h"
#include "tests/testlib/tap.h"

static char path[] = "/tmp/pageferry-profile-XXXXXX";
static struct profile profile;
static struct profile_key key;

static char said[1024]; /* the latest message that names a profile */
static int said_level;

static void hear(void *arg, int level, const char *message)
{
	(void)arg;
	if (!strstr(message, "profile"))
		return;
	snprintf(said, sizeof(said), "%s", message);
	said_level = level;
}

static void file_write(void)
{
	static char text[PROFILE_TEXT_BYTES];
	size_t len = profile_format(&profile, &key, text, sizeof(text));
	FILE *file = fopen(path, "w");

	if (!len || !file || fwrite(text, len, 1, file) != 1 || fclose(file) || chmod(path, 0644)) {
		tap_note("cannot write %s", path);
		exit(1);
	}
}

/* True if a context that is opened now has the profile of the test. */
static bool context_has_it(void)
{
	struct ferry *ferry = NULL;
	bool has;

	said[0] = '\0';
	said_level = -1;
	if (ferry_open(&ferry, NULL)) {
		tap_note("ferry_open: %s", ferry_open_error());
		return false;
	}
	has = ferry->model.measured && ferry->model.profile.wake_ns == profile.wake_ns;
	ferry_close(ferry);
	return has;
}

/* A context that opens now has no profile, and says this. */
static void check_refused(const char *because, const char *name)
{
	bool has = context_has_it();

	tap_ok(!has && said_level == FERRY_LOG_WARN && strstr(said, because), "%s", name);
	if (!strstr(said, because))
		tap_note("said: %s", said);
}

static void finding(void *arg, const struct ferry_finding *finding)
{
	if (!strcmp(finding->subject, "machine/profile"))
		*(int *)arg = finding->usable && strstr(finding->detail, path) ? 1 : 0;
}

static int doctor_says(void)
{
	int usable = -1;

	ferry_doctor(finding, &usable);
	return usable;
}

static void *open_in_thread(void *arg)
{
	*(bool *)arg = context_has_it();
	return NULL;
}

/* A thread whose stack is too small opens its context in another one. */
static bool small_thread_has_it(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool has = false;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	if (!pthread_create(&thread, &attr, open_in_thread, &has))
		pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	return has;
}

int main(void)
{
	int fd = mkstemp(path);

	tap_plan(12);
	if (fd < 0)
		return 1;
	close(fd);
	ferry_set_log(hear, NULL);
	profile_defaults(&profile, 1, 2);
	profile.wake_ns = 4321;
	machine_key_read(&key, ferry_version());

	setenv(PROFILE_VARIABLE, path, 1);
	file_write();
	tap_ok(!context_has_it(), "a profile without measurements does not count");
	tap_ok(doctor_says() == 0, "nor does it for the doctor");
	profile.cost[PROFILE_CPU][PROFILE_SAME][PROFILE_4K].confidence = 1;
	file_write();
	tap_ok(context_has_it() && said_level == FERRY_LOG_INFO && strstr(said, path),
	       "a context has the profile, and says so");
	tap_ok(doctor_says() == 1, "and the doctor names it");
	tap_ok(small_thread_has_it(), "in a thread with a small stack, too");
	setenv(PROFILE_VARIABLE, "none", 1);
	tap_ok(!context_has_it() && said_level == FERRY_LOG_INFO, "profiles can be switched off");
	tap_ok(doctor_says() == 0, "and the doctor says so");
	setenv(PROFILE_VARIABLE, path, 1);
	chmod(path, 0666);
	check_refused("others may write to it", "a file that others may write to is ignored");
	strcpy(key.kernel, "1.0");
	file_write();
	check_refused("another kernel", "a profile of another kernel is ignored");
	machine_key_read(&key, "0.0.1");
	file_write();
	check_refused("another library", "a profile of another library is ignored");
	if (truncate(path, 200))
		tap_note("cannot truncate %s", path);
	check_refused("is ignored", "a damaged profile is ignored");
	unlink(path);
	check_refused("No such file", "a profile that is not there is noted");
	return tap_done();
}
