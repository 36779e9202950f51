// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/explain/explain.h"
#include "cli/machine/machine.h"
#include "cli/profile/profile_file.h"
#include "cli/profile/reach.h"
#include "cli/report/report.h"
#include "crew/placement.h"
#include "lib/profile/machine_key.h"
#include "lib/profile/profile_cache.h"
#include "pageferry.h"
#include "policy/choose.h"
#include "policy/follow.h"

/* Chunks that the cpu engine copies together (engine.h, hold). */
#define MAX_GATHER 32

static struct explain_options {
	struct output_options output;
	uint64_t size, folio;
	int from, to;
	uint64_t busy, workers, stall_bound_ns;
	const char *wish, *profile, *save;
	bool foreign;
} options = {
	.size = 64 << 20,
	.folio = PAGE_BYTES,
	.from = -1,
	.to = -1,
	.wish = "time",
	.stall_bound_ns = 1000000,
};

static const char *const wish_words[CHOOSE_NR_GOALS + 1] = {"time", "cpu", "stall", "background"};

static const struct opt opts[] = {
	OPT(SIZE, "size", explain_options, size, "SIZE", "bytes to move; default 64M",
	    .min = PAGE_BYTES, .max = 1ULL << 40),
	OPT(SIZE, "folio", explain_options, folio, "SIZE",
	    "size of the folios; default 4k; 2M means transparent huge pages", .min = PAGE_BYTES,
	    .max = HUGE_BYTES, .power_of_two = true),
	OPT(NODE, "from", explain_options, from, "NODE",
	    "source node; default the first that has memory"),
	OPT(NODE, "to", explain_options, to, "NODE", "destination node; default the next"),
	OPT(UINT, "busy", explain_options, busy, "N",
	    "threads of this process that compute meanwhile; default 0", .max = 100000),
	OPT(FLAG, "foreign", explain_options, foreign, NULL,
	    "memory that cannot be exchanged: of another process, shared, or of a file"),
	OPT(TEXT, "wish", explain_options, wish, "WISH",
	    "what counts: time, cpu, stall or background; default time", .words = wish_words),
	OPT(UINT, "workers", explain_options, workers, "N", "at most so many workers; 0: no limit",
	    .max = PLACEMENT_MAX),
	OPT(TIME, "stall-bound", explain_options, stall_bound_ns, "TIME",
	    "target for the longest time that a page is in flight; default 1ms", .min = 1000,
	    .max = 60000000000),
	OPT(TEXT, "profile", explain_options, profile, "FILE",
	    "profile of a machine; default this machine's, which `migbench calibrate` writes, or "
	    "defaults if there is none"),
	OPT(TEXT, "save", explain_options, save, "FILE",
	    "write the profile that is used: JSON if the name ends in .json"),
	{.name = NULL},
};

enum {
	ROW_PLAN,
	ROW_WORKERS,
	ROW_CHUNK,
	ROW_GATHER,
	ROW_DEVICES,
	ROW_PART,
	ROW_TIME,
	ROW_RATE,
	ROW_CPU,
	ROW_STALL,
	ROW_VERDICT,
	ROW_TERMS,
	ROW_NR = ROW_TERMS + CHOOSE_NR_TERMS
};

static const struct column columns[ROW_NR] = {
	[ROW_PLAN] = {"plan", "PLAN", COLUMN_TEXT, 0, false},
	[ROW_WORKERS] = {"workers", "WORKERS", COLUMN_COUNT, 0, false},
	[ROW_CHUNK] = {"chunk_bytes", "CHUNK", COLUMN_BYTES, 0, false},
	[ROW_GATHER] = {"gather", "GATHER", COLUMN_COUNT, 0, false},
	[ROW_DEVICES] = {"devices", "DEVICES", COLUMN_COUNT, 0, false},
	[ROW_PART] = {"device_part", "THEIR PART", COLUMN_REAL, 2, false},
	[ROW_TIME] = {"predicted_us", "PREDICTED µs", COLUMN_REAL, 1, false},
	[ROW_RATE] = {"predicted_gb_per_s", "GB/s", COLUMN_REAL, 2, false},
	[ROW_CPU] = {"cpu_us", "CPU µs", COLUMN_REAL, 1, false},
	[ROW_STALL] = {"stall_us", "STALL µs", COLUMN_REAL, 1, false},
	[ROW_VERDICT] = {"verdict", "VERDICT", COLUMN_TEXT, 0, false},
	[ROW_TERMS + CHOOSE_TERM_START] = {"parts_us.start", "START", COLUMN_REAL, 1, true},
	[ROW_TERMS + CHOOSE_TERM_CALLS] = {"parts_us.calls", "CALLS", COLUMN_REAL, 1, true},
	[ROW_TERMS + CHOOSE_TERM_TABLES] = {"parts_us.tables", "TABLES", COLUMN_REAL, 1, true},
	[ROW_TERMS + CHOOSE_TERM_FLUSH] = {"parts_us.flush", "FLUSH", COLUMN_REAL, 1, true},
	[ROW_TERMS + CHOOSE_TERM_COPY] = {"parts_us.copy", "COPY", COLUMN_REAL, 1, true},
	[ROW_TERMS + CHOOSE_TERM_WAIT] = {"parts_us.wait", "WAIT", COLUMN_REAL, 1, true},
};

static const char *const term_names[CHOOSE_NR_TERMS] = {
	[CHOOSE_TERM_START] = "planning and waking",
	[CHOOSE_TERM_CALLS] = "the kernel's migration",
	[CHOOSE_TERM_TABLES] = "changing page tables",
	[CHOOSE_TERM_FLUSH] = "TLB flushes",
	[CHOOSE_TERM_COPY] = "copying",
	[CHOOSE_TERM_WAIT] = "waiting",
};

static const char *plan_name(enum choose_kind kind)
{
	static const char *const names[CHOOSE_NR_KINDS] = {
		[CHOOSE_CALL] = "one call",
		[CHOOSE_SLICES] = "kernel slices",
		[CHOOSE_APART + CHOOSE_CPU] = "exchange apart, cpu",
		[CHOOSE_APART + CHOOSE_DSA] = "exchange apart, dsa",
		[CHOOSE_APART + CHOOSE_CPU_DSA] = "exchange apart, cpu+dsa",
		[CHOOSE_APART + CHOOSE_SDXI] = "exchange apart, sdxi",
		[CHOOSE_APART + CHOOSE_CPU_SDXI] = "exchange apart, cpu+sdxi",
		[CHOOSE_TOGETHER + CHOOSE_CPU] = "exchange together, cpu",
		[CHOOSE_TOGETHER + CHOOSE_DSA] = "exchange together, dsa",
		[CHOOSE_TOGETHER + CHOOSE_CPU_DSA] = "exchange together, cpu+dsa",
		[CHOOSE_TOGETHER + CHOOSE_SDXI] = "exchange together, sdxi",
		[CHOOSE_TOGETHER + CHOOSE_CPU_SDXI] = "exchange together, cpu+sdxi",
	};

	return names[kind];
}

static const char *bar_text(enum choose_bar bar)
{
	static const char *const texts[] = {
		[CHOOSE_POSSIBLE] = "",
		[CHOOSE_BAR_MAPPING] = "not for this memory",
		[CHOOSE_BAR_NO_DEVICE] = "no device",
		[CHOOSE_BAR_QUEUE] = "the devices are busy",
		[CHOOSE_BAR_ALONE] = "needs two workers",
	};

	return texts[bar];
}

/* ---- the question ---- */

static void profile_of_placement(const struct placement *placement, struct profile *out)
{
	unsigned int nr_l3 = MAX(placement->nr_l3, 1U);

	profile_defaults(out, nr_l3, placement->nr_cores / nr_l3);
}

/* Only where it was measured, a profile is better than defaults. */
static void report_profile(struct report *report, const char *path, const struct profile *profile)
{
	bool measured = profile_is_measured(profile);

	json_object_set_new(report->facts, "measured_profile", json_boolean(measured));
	json_object_set_new(report->facts, "profile", json_string(path));
	if (measured)
		report_note(report, "Costs are those of the profile %s.", path);
	else
		report_note(report,
			    "The profile %s holds defaults for a server that nobody has measured.",
			    path);
}

/* A profile that is named is used, for another machine too: naming it is for that. */
static int profile_load_named(struct report *report, struct profile *out,
			      const struct profile_key *here)
{
	struct profile_key key = {.topology = ""};
	const char *differs;
	char why[200] = "";

	if (profile_file_load(options.profile, out, &key, why, sizeof(why)))
		return cli_usage_error("--profile %s: %s", options.profile, why);
	report_profile(report, options.profile, out);
	differs = profile_key_differs(&key, here);
	if (differs)
		report_note(report, "%s was made for another %s.", options.profile, differs);
	return 0;
}

/* Defaults stay in place, with a note, unless there is a profile that fits. 0 or an exit code. */
static int profile_choose(const struct placement *placement, struct report *report,
			  struct profile *out, struct profile_key *here)
{
	struct profile_found *found;

	machine_key_read(here, ferry_version());
	profile_of_placement(placement, out);
	if (options.profile)
		return profile_load_named(report, out, here);
	found = cli_alloc(1, sizeof(*found));
	profile_cache_find(NULL, here, found);
	if (found->found) {
		*out = found->profile;
		report_profile(report, found->path, out);
	} else {
		json_object_set_new(report->facts, "measured_profile", json_false());
		report_note(report, "Costs are defaults for a server that nobody has measured: %s.",
			    found->note);
	}
	free(found);
	return 0;
}

static enum choose_goal wish_goal(void)
{
	int goal = 0;

	while (strcmp(wish_words[goal], options.wish))
		goal++;
	return (enum choose_goal)goal;
}

static void question_fill(const struct profile *profile, unsigned int nr_cpus, const int node[2],
			  struct choose_question *out)
{
	*out = (struct choose_question){
		.profile = profile,
		.load = {.nr_cpus = nr_cpus,
			 .busy_threads = (double)options.busy,
			 .process_cpus = (double)MIN(options.busy, (uint64_t)nr_cpus - 1)},
		.queues = {.max_gather = MAX_GATHER},
		.run = {.bytes = options.size,
			.folio_bytes = options.folio,
			.nr_pieces = 1,
			.reach = profile_reach_between(node),
			.exchangeable = !options.foreign},
		.wishes = {.goal = wish_goal(),
			   .stall_bound_ns = options.stall_bound_ns,
			   .max_workers = (unsigned int)options.workers},
	};
	for (int kind = 0; kind < PROFILE_NR_DEVICES; kind++)
		out->queues.device[kind] = (struct choose_device){
			.nr = (unsigned int)profile->device[kind].nr, .slowdown = 1};
}

/* ---- the answer ---- */

static void report_candidate(struct table *table, const struct choose_candidate *candidate,
			     enum choose_kind kind, const char *verdict)
{
	const struct choose_plan *plan = &candidate->plan;
	const struct choose_cost *cost = &candidate->cost;

	table_row(table);
	table_text(table, ROW_PLAN, "%s", plan_name(kind));
	table_text(table, ROW_VERDICT, "%s", verdict);
	if (candidate->bar)
		return;
	table_count(table, ROW_WORKERS, plan->nr_workers);
	if (kind >= CHOOSE_APART)
		table_count(table, ROW_CHUNK, (int64_t)plan->chunk_bytes);
	if (choose_is_together(kind))
		table_count(table, ROW_GATHER, plan->gather);
	if (plan->nr_devices) {
		table_count(table, ROW_DEVICES, plan->nr_devices);
		table_real(table, ROW_PART, plan->device_part);
	}
	table_real(table, ROW_TIME, cost->time_ns / 1e3);
	table_real(table, ROW_RATE, (double)options.size / cost->time_ns);
	table_real(table, ROW_CPU, cost->cpu_ns / 1e3);
	table_real(table, ROW_STALL, cost->stall_ns / 1e3);
	for (unsigned int term = 0; term < CHOOSE_NR_TERMS; term++)
		table_real(table, ROW_TERMS + term, cost->term_ns[term] / 1e3);
}

static const char *verdict_of(const struct choose_decision *decision, enum choose_kind kind)
{
	const struct choose_candidate *candidate = &decision->of_kind[kind];

	if (candidate->bar)
		return bar_text(candidate->bar);
	if (kind == decision->winner)
		return "chosen";
	if (!candidate->keeps_bound)
		return "exceeds the stall bound";
	if (!candidate->in_time)
		return "takes longer than one call";
	return "";
}

/* The winner first, then by score, then what is impossible. */
static void report_candidates(struct report *report, const struct choose_decision *decision)
{
	struct table *table = report_table(report, "candidates", NULL, columns, ROW_NR);
	bool done[CHOOSE_NR_KINDS] = {false};

	for (int i = 0; i < CHOOSE_NR_KINDS; i++) {
		int next = i ? -1 : (int)decision->winner;

		for (int kind = 0; i && kind < CHOOSE_NR_KINDS; kind++)
			if (!done[kind] && (next < 0 || decision->of_kind[kind].score <
								decision->of_kind[next].score))
				next = kind;
		done[next] = true;
		report_candidate(table, &decision->of_kind[next], (enum choose_kind)next,
				 verdict_of(decision, (enum choose_kind)next));
	}
}

static void report_why(struct report *report, const struct choose_decision *decision)
{
	const struct choose_candidate *winner = &decision->of_kind[decision->winner];
	const struct choose_candidate *rival = &decision->of_kind[decision->rival];

	json_object_set_new(report->facts, "chosen", json_string(plan_name(decision->winner)));
	if (decision->rival == decision->winner)
		return;
	json_object_set_new(report->facts, "rival", json_string(plan_name(decision->rival)));
	json_object_set_new(report->facts, "because", json_string(term_names[decision->because]));
	if (winner->cost.term_ns[decision->because] < rival->cost.term_ns[decision->because])
		report_note(report, "\"%s\" beats \"%s\" above all in %s: %.1f µs instead of %.1f.",
			    plan_name(decision->winner), plan_name(decision->rival),
			    term_names[decision->because],
			    winner->cost.term_ns[decision->because] / 1e3,
			    rival->cost.term_ns[decision->because] / 1e3);
}

/* 0 or an exit code. */
static int explain_answer(const struct placement *placement, struct report *report)
{
	struct choose_question question;
	struct choose_decision decision;
	struct profile_key here;
	struct profile profile;
	int node[2], err, code;
	bool followed;

	code = machine_choose_nodes(options.from, options.to, false, node);
	if (!code)
		code = profile_choose(placement, report, &profile, &here);
	if (code)
		return code;
	question_fill(&profile, placement->nr_places, node, &question);
	policy_choose(&question, &decision);
	json_object_set_new(report->facts, "reach",
			    json_string(profile_reach_name(question.run.reach)));
	/* It has no profile but that of this machine. */
	followed = !options.profile && policy_follows(&question, CHOOSE_CPU);
	json_object_set_new(report->facts, "followed_by_library", json_boolean(followed));
	report_candidates(report, &decision);
	report_why(report, &decision);
	if (followed)
		report_note(report, "The library chooses mover, workers and chunks by these costs. "
				    "Apart or together, it learns from its jobs.");
	else
		report_note(report, "The library does not follow this choice. Without measured "
				    "costs it chooses by its rules.");
	if (!options.save)
		return 0;
	err = profile_file_save(options.save, &profile, &here);
	if (err)
		cli_error("--save %s: %s", options.save, strerror(-err));
	return err ? CLI_FAILED : 0;
}

static int explain_run(void)
{
	struct placement *placement = NULL;
	struct report report;
	int code;

	if (options.output.plot)
		return cli_usage_error("--plot: explain has nothing to draw");
	if (options.size < options.folio)
		return cli_usage_error("--size must be at least one folio (--folio)");
	if (placement_open(NULL, &placement)) {
		cli_error("hwloc cannot read the machine's topology");
		return CLI_FAILED;
	}
	report_open(&report, "explain");
	code = explain_answer(placement, &report);
	if (!code && report_write(&report, &options.output))
		code = CLI_FAILED;
	report_close(&report);
	placement_close(placement);
	return code;
}

const struct command explain_command = {
	.name = "explain",
	.summary = "what the cost model would choose for a move, and why",
	.about = "Predicts what each way to move memory would cost, by a profile of the machine\n"
		 "and the policy's cost model, and shows which one wins and why. It moves and\n"
		 "measures nothing. The library follows the model where a machine's costs were\n"
		 "measured (migbench calibrate).",
	.opts = opts,
	.options = &options,
	.run = explain_run,
};
