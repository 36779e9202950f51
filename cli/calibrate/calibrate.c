// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/calibrate/calibrate.h"
#include "cli/calibrate/copying.h"
#include "cli/calibrate/migrating.h"
#include "cli/calibrate/results.h"
#include "cli/calibrate/tables.h"
#include "cli/calibrate/threads.h"
#include "cli/profile/profile_file.h"
#include "lib/profile/machine_key.h"
#include "lib/profile/profile_cache.h"
#include "pageferry.h"

static struct calibrate_options {
	struct output_options output;
	uint64_t seconds;
	const char *engine, *save;
	bool dry_run;
} options = {
	.seconds = 5,
};

static const struct opt opts[] = {
	OPT(UINT, "seconds", calibrate_options, seconds, "N",
	    "repeat the measurements for so long; each is made once at least; default 5", .min = 1,
	    .max = 3600),
	OPT(TEXT, "engine", calibrate_options, engine, "SPEC",
	    "measure these devices, such as dsa:devices=2 or sdxi:model; default each kind that "
	    "can be used here"),
	OPT(TEXT, "save", calibrate_options, save, "FILE",
	    "write the profile there instead: JSON if the name ends in .json"),
	OPT(FLAG, "dry-run", calibrate_options, dry_run, NULL, "measure, but write no profile"),
	{.name = NULL},
};

/* ---- measuring ---- */

/* 0 or an exit code. */
static int measure_between(struct calibration *calibration, enum profile_reach reach)
{
	int code = CLI_OK;

	if (!calibration->reaches[reach].nr_pairs)
		return CLI_OK;
	for (int size = 0; size < PROFILE_NR_SIZES && !code && !calibration_is_over(calibration);
	     size++) {
		cli_progress("pass %u: %s, folios of %lluk", calibration->nr_passes + 1,
			     profile_reach_name(reach),
			     (unsigned long long)profile_size_bytes((enum profile_size)size) >> 10);
		code = copying_measure(calibration, reach, (enum profile_size)size);
		if (!code)
			code = migrating_measure(calibration, reach, (enum profile_size)size);
	}
	return code;
}

/* 0 or an exit code. */
static int measure_pass(struct calibration *calibration)
{
	int code = CLI_OK;

	for (int reach = 0; reach < PROFILE_NR_REACHES && !code; reach++)
		code = measure_between(calibration, (enum profile_reach)reach);
	cli_progress("pass %u: page tables and threads", calibration->nr_passes + 1);
	if (!code && !calibration_is_over(calibration))
		code = tables_measure(calibration);
	if (!code && !calibration_is_over(calibration))
		code = threads_measure(calibration);
	calibration->nr_passes++;
	return code;
}

/* 0 or an exit code. */
static int calibrate(struct calibration *calibration)
{
	int code = copying_open(calibration, options.engine);

	if (!code)
		code = measure_pass(calibration);
	while (!code && !calibration_is_over(calibration))
		code = measure_pass(calibration);
	cli_progress_end();
	if (!code)
		calibration_finish(calibration);
	return code;
}

/* ---- the result ---- */

static const char *save_hint(int err)
{
	return err == -EPERM ? "; its directory belongs to another user, or others may write to it"
			     : "";
}

/* 0 or an exit code. */
static int calibration_save(const struct calibration *calibration, const struct profile_key *key,
			    struct report *report)
{
	char paths[PROFILE_PATHS_MAX][PROFILE_PATH_BYTES];
	const char *path = options.save;
	int err;

	if (options.dry_run) {
		report_note(report, "Nothing was written (--dry-run).");
		return CLI_OK;
	}
	if (!path) {
		profile_cache_paths(paths);
		path = paths[0];
	}
	err = options.save ? profile_file_save(path, &calibration->profile, key)
			   : profile_file_save_cached(path, &calibration->profile, key);
	if (err) {
		cli_error("%s: %s%s", path, strerror(-err), save_hint(err));
		return CLI_FAILED;
	}
	json_object_set_new(report->facts, "saved", json_string(path));
	report_note(report, "The profile was written to %s%s.", path,
		    options.save ? "" : ", and as JSON beside it");
	return CLI_OK;
}

/* 0 or an exit code. */
static int calibration_report(const struct calibration *calibration, struct report *report)
{
	struct profile_key key;

	machine_key_read(&key, ferry_version());
	json_object_set_new(report->facts, "key",
			    json_pack("{s:s, s:s, s:s}", "topology", key.topology, "kernel",
				      key.kernel, "library", key.library));
	json_object_set_new(report->facts, "passes", json_integer(calibration->nr_passes));
	json_object_set_new(
		report->facts, "seconds",
		json_real((double)(now_ns() - calibration->begin_ns) / (double)NS_PER_SEC));
	results_report(calibration, report);
	return calibration_save(calibration, &key, report);
}

static int calibrate_run(void)
{
	struct calibration *calibration;
	struct report report;
	int code;

	if (options.output.plot)
		return cli_usage_error("--plot: calibrate has nothing to draw");
	calibration = cli_alloc(1, sizeof(*calibration));
	report_open(&report, "calibrate");
	code = calibration_open(calibration, options.seconds * NS_PER_SEC);
	if (!code)
		code = calibrate(calibration);
	if (!code)
		code = calibration_report(calibration, &report);
	if (!code && report_write(&report, &options.output))
		code = CLI_FAILED;
	report_close(&report);
	calibration_close(calibration);
	free(calibration);
	return code;
}

const struct command calibrate_command = {
	.name = "calibrate",
	.summary = "measure what moving memory costs, and write this machine's profile",
	.about = "Measures what each way to move memory costs on this machine: the kernel's call,\n"
		 "UFFDIO_MOVE, TLB flushes, copying by the CPU and by devices, waking workers. It\n"
		 "writes the results as the machine's profile, which `migbench explain` reads.\n"
		 "Measure while the machine is idle.",
	.opts = opts,
	.options = &options,
	.run = calibrate_run,
};
