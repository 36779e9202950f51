// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/full_report/steps.h"

#define ARGS_MAX 24

struct step_args {
	char *v[ARGS_MAX + 1];
	unsigned int nr;
};

static void args_add(struct step_args *args, char *text)
{
	args->v[args->nr++] = text;
}

static void args_add_option(struct step_args *args, const char *name, char *value)
{
	args_add(args, cli_format("--%s", name));
	args_add(args, value);
}

static void args_free(struct step_args *args)
{
	for (unsigned int i = 0; i < args->nr; i++)
		free(args->v[i]);
}

/* "migbench move --folio 4K …" */
static char *args_line(const struct step_args *args)
{
	char *line = cli_format("%s", args->v[0]);

	for (unsigned int i = 1; i < args->nr; i++) {
		char *longer = cli_format("%s %s", line, args->v[i]);

		free(line);
		line = longer;
	}
	return line;
}

/* With rows one after another, the limit holds for each of them, and there are some eight. */
#define ROWS 8

static void args_add_measuring(struct step_args *args, const struct plan *plan,
			       const struct plan_step *step, uint64_t rounds_ns)
{
	bool row_by_row = plan->row_by_row && !strcmp(step->command, "move");
	uint64_t max_ns = row_by_row ? rounds_ns / ROWS : rounds_ns;
	char size[SIZE_TEXT_BYTES];

	args_add_option(args, "folio", cli_format("%s", size_text(step->folio_bytes, size)));
	args_add_option(args, "total", cli_format("%s", size_text(plan->total_bytes, size)));
	args_add_option(args, "min-time", cli_format("1s"));
	args_add_option(args, "max-time",
			cli_format("%llums", (unsigned long long)MAX(max_ns / NS_PER_MS, 1ULL)));
	if (row_by_row) {
		args_add_option(args, "order", cli_format("rows"));
		args_add_option(args, "warmup", cli_format("1"));
	}
}

static void args_make(struct step_args *args, const struct plan *plan, const struct plan_step *step,
		      uint64_t rounds_ns)
{
	args_add(args, cli_format("migbench"));
	args_add(args, cli_format("%s", step->command));
	if (step->folio_bytes)
		args_add_measuring(args, plan, step, rounds_ns);
	args_add_option(args, "json", cli_format("-"));
	args_add(args, cli_format("--quiet"));
}

struct child {
	pid_t pid;
	int out, err; /* memory files */
	int status;
	bool timed_out;
};

static int child_start(struct child *child, const struct step_args *args)
{
	child->out = memfd_create("migbench-out", MFD_CLOEXEC);
	child->err = memfd_create("migbench-err", MFD_CLOEXEC);
	child->pid = child->out < 0 || child->err < 0 ? -1 : fork();
	if (child->pid < 0)
		return -errno;
	if (child->pid)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(child->out, STDOUT_FILENO);
	dup2(child->err, STDERR_FILENO);
	execv("/proc/self/exe", args->v);
	_exit(127);
}

static void child_close(struct child *child)
{
	if (child->out >= 0)
		close(child->out);
	if (child->err >= 0)
		close(child->err);
}

static void progress_show(const struct plan *plan, unsigned int at)
{
	const struct plan_step *step = &plan->steps[at];
	uint64_t now = now_ns();
	uint64_t left_ns = now < plan->deadline_ns ? plan->deadline_ns - now : 0;
	unsigned int left_s = (unsigned int)(left_ns / NS_PER_SEC);
	char size[SIZE_TEXT_BYTES] = "";

	if (step->folio_bytes)
		size_text(step->folio_bytes, size);
	cli_progress("%u of %u: %s%s%s; done in %u:%02u or less", at + 1, plan->nr_steps,
		     step->command, *size ? " " : "", size, left_s / 60, left_s % 60);
}

static void child_wait(struct child *child, const struct plan *plan, unsigned int at,
		       uint64_t limit_ns)
{
	const struct timespec pause = {.tv_nsec = 100 * NS_PER_MS};

	while (!waitpid(child->pid, &child->status, WNOHANG)) {
		progress_show(plan, at);
		if (now_ns() >= limit_ns) {
			kill(child->pid, SIGKILL);
			waitpid(child->pid, &child->status, 0);
			child->timed_out = true;
			return;
		}
		nanosleep(&pause, NULL);
	}
}

/* The last line that the command printed on standard error, without its own name. */
static char *child_message(const struct child *child)
{
	FILE *file = fdopen(dup(child->err), "r");
	char line[512], *last = NULL;

	if (!file)
		return cli_format("no message");
	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line || !strncmp(line, "Try '", 5))
			continue;
		free(last);
		last = cli_format("%s", line);
	}
	fclose(file);
	return last ? last : cli_format("no message");
}

static json_t *child_output(const struct child *child)
{
	lseek(child->out, 0, SEEK_SET);
	return json_loadfd(child->out, 0, NULL);
}

static void step_set_error(json_t *step, char *text)
{
	json_object_set_new(step, "error", json_string(text));
	free(text);
}

static void step_add_result(json_t *step, const struct child *child)
{
	bool exited = WIFEXITED(child->status);
	json_t *output = exited && !WEXITSTATUS(child->status) ? child_output(child) : NULL;

	if (child->timed_out) {
		step_set_error(step, cli_format("its time ran out"));
		return;
	}
	if (exited)
		json_object_set_new(step, "exit_status", json_integer(WEXITSTATUS(child->status)));
	if (output) {
		/* The report has the environment once. */
		json_object_del(output, "env");
		json_object_set_new(step, "output", output);
	} else if (exited)
		step_set_error(step, child_message(child));
	else
		step_set_error(step, cli_format("ended by signal %d", WTERMSIG(child->status)));
}

static void step_measure(json_t *step, const struct plan *plan, unsigned int at,
			 const struct step_args *args, uint64_t limit_ns, struct child *child)
{
	uint64_t start_ns = now_ns();

	if (child_start(child, args)) {
		step_set_error(step, cli_format("cannot start a process: %s", strerror(errno)));
		return;
	}
	child_wait(child, plan, at, limit_ns);
	step_add_result(step, child);
	json_object_set_new(step, "seconds", json_real((double)(now_ns() - start_ns) / 1e9));
}

/* *timed_out: the step was ended before its result was there. */
static json_t *step_run(const struct plan *plan, unsigned int at, bool *timed_out)
{
	const struct plan_step *planned = &plan->steps[at];
	uint64_t start_ns = now_ns(), left_ns = plan->deadline_ns - start_ns, limit_ns;
	unsigned int nr_left = plan->nr_steps - at;
	json_t *step = json_pack("{s:s}", "command", planned->command);
	struct step_args args = {.nr = 0};
	struct child child = {.out = -1, .err = -1};
	char *line;

	*timed_out = false;
	if (start_ns >= plan->deadline_ns) {
		step_set_error(step, cli_format("the time of the report ran out before it began"));
		return step;
	}
	args_make(&args, plan, planned, plan_rounds_ns(left_ns, nr_left));
	line = args_line(&args);
	json_object_set_new(step, "arguments", json_string(line));
	free(line);
	/* What measures nothing is soon done. */
	limit_ns = planned->folio_bytes ? plan_limit_ns(left_ns, nr_left) : left_ns;
	step_measure(step, plan, at, &args, start_ns + limit_ns, &child);
	*timed_out = child.timed_out;
	child_close(&child);
	args_free(&args);
	return step;
}

/* A step that takes too long is tried again with less memory. */
json_t *steps_run(struct plan *plan, uint64_t time_ns)
{
	json_t *steps = json_array();

	plan->deadline_ns = now_ns() + plan_measuring_ns(time_ns);
	for (unsigned int i = 0; i < plan->nr_steps; i++) {
		bool timed_out;
		json_t *step = step_run(plan, i, &timed_out);

		while (timed_out && now_ns() < plan->deadline_ns && plan_shrink(plan)) {
			json_decref(step);
			step = step_run(plan, i, &timed_out);
		}
		json_array_append_new(steps, step);
	}
	cli_progress_end();
	return steps;
}
