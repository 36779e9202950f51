// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/common/common.h"
#include "cli/plot/plot.h"

/* Distinct in print and for colour-blind readers (Okabe and Ito). */
static const char *const colors[] = {
	"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999",
};

void plot_init(struct plot *plot, const char *title, const char *x_label, const char *y_label)
{
	memset(plot, 0, sizeof(*plot));
	plot->title = title;
	plot->x_label = x_label;
	plot->y_label = y_label;
	for (unsigned int g = 0; g < PLOT_GROUPS_MAX; g++) {
		plot->limit[g] = NAN;
		for (unsigned int s = 0; s < PLOT_SERIES_MAX; s++)
			plot->value[s][g] = NAN;
	}
}

void plot_subtitle(struct plot *plot, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(plot->subtitle, sizeof(plot->subtitle), fmt, args);
	va_end(args);
}

/* The index of a name in the list, to which it is added if new; -1: the list is full. */
static int names_find_or_add(char *names, size_t each_bytes, unsigned int max, unsigned int *nr,
			     const char *name)
{
	for (unsigned int i = 0; i < *nr; i++) {
		if (!strcmp(names + i * each_bytes, name))
			return (int)i;
	}
	if (*nr == max)
		return -1;
	snprintf(names + *nr * each_bytes, each_bytes, "%s", name);
	return (int)(*nr)++;
}

static int plot_group(struct plot *plot, const char *group)
{
	return names_find_or_add(plot->groups[0], sizeof(plot->groups[0]), PLOT_GROUPS_MAX,
				 &plot->nr_groups, group);
}

void plot_add(struct plot *plot, const char *group, const char *series, double value, double spread)
{
	int g = plot_group(plot, group);
	int s = names_find_or_add(plot->series[0], sizeof(plot->series[0]), PLOT_SERIES_MAX,
				  &plot->nr_series, series);

	if (g < 0 || s < 0)
		return;
	plot->value[s][g] = value;
	plot->spread[s][g] = spread;
}

void plot_limit(struct plot *plot, const char *group, double value)
{
	int g = plot_group(plot, group);

	if (g >= 0)
		plot->limit[g] = value;
}

/* Inside a double-quoted gnuplot string. */
static void script_put_quoted(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		fputc(*text == '\n' ? ' ' : *text, to);
	}
	fputc('"', to);
}

/* group, limit or "?", then value and spread of each series */
static void script_put_data(FILE *to, const struct plot *plot)
{
	fputs("$data << EOD\n", to);
	for (unsigned int g = 0; g < plot->nr_groups; g++) {
		script_put_quoted(to, plot->groups[g]);
		if (isnan(plot->limit[g]))
			fputs(" ?", to);
		else
			fprintf(to, " %.6g", plot->limit[g]);
		for (unsigned int s = 0; s < plot->nr_series; s++) {
			if (isnan(plot->value[s][g]))
				fputs(" ? ?", to);
			else
				fprintf(to, " %.6g %.6g", plot->value[s][g], plot->spread[s][g]);
		}
		fputc('\n', to);
	}
	fputs("EOD\n", to);
}

static bool plot_has_limit(const struct plot *plot)
{
	for (unsigned int g = 0; g < plot->nr_groups; g++) {
		if (!isnan(plot->limit[g]))
			return plot->limit_label;
	}
	return false;
}

static void script_put_terminal(FILE *to, const struct plot *plot, enum plot_layout layout,
				const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && !strcmp(dot, ".png"))
		fputs("set terminal pngcairo size 1100,640 font 'sans,12' background '#ffffff'\n",
		      to);
	else if (layout == PLOT_FILE)
		fputs("set terminal svg size 1100,640 font 'sans,14' background '#ffffff'\n", to);
	else if (layout == PLOT_WIDE)
		fputs("set terminal svg size 1060,420 font 'sans,14'\n", to);
	else
		fprintf(to, "set terminal svg size 380,%u font 'sans,13'\n",
			312 + 22 * plot->nr_series);
	fputs("set encoding utf8\nset output ", to);
	script_put_quoted(to, path);
}

/* Left-aligned; enhanced text would interpret '_' and '^' in names. */
static void script_put_title(FILE *to, const struct plot *plot)
{
	fputs("\nset tmargin at screen 0.84\nset label 1 ", to);
	script_put_quoted(to, plot->title);
	fputs(" at screen 0.02,0.955 left noenhanced font ',17'\nset label 2 ", to);
	script_put_quoted(to, plot->subtitle);
	fputs(" at screen 0.02,0.905 left noenhanced font ',11' textcolor rgb '#555555'\n", to);
}

static void script_put_margins(FILE *to, enum plot_layout layout)
{
	if (layout == PLOT_NARROW) {
		fputs("\nset lmargin 8\nset rmargin 1\nset tmargin 1\n"
		      "set key below left vertical maxcols 1 Left reverse noenhanced samplen 2\n",
		      to);
		return;
	}
	if (layout == PLOT_WIDE)
		fputs("\nset tmargin at screen 0.97\n", to);
	fprintf(to,
		"set lmargin at screen 0.075\nset rmargin at screen 0.70\n"
		"set bmargin at screen %s\n"
		"set key at screen 0.715,%s left top Left reverse noenhanced spacing 1.35 "
		"samplen 2\n",
		layout == PLOT_FILE ? "0.11" : "0.15", layout == PLOT_FILE ? "0.845" : "0.975");
}

static void script_put_settings(FILE *to, const struct plot *plot, enum plot_layout layout,
				const char *path)
{
	script_put_terminal(to, plot, layout, path);
	if (layout == PLOT_FILE)
		script_put_title(to, plot);
	script_put_margins(to, layout);
	fputs("set xlabel ", to);
	script_put_quoted(to, plot->x_label);
	fputs(layout == PLOT_NARROW ? " noenhanced offset 0,1.1" : " noenhanced", to);
	fputs("\nset ylabel ", to);
	script_put_quoted(to, plot->y_label);
	fputs(" noenhanced\n"
	      "set datafile missing '?'\n"
	      "set border 3 linecolor rgb '#888888'\n"
	      "set tics nomirror textcolor rgb '#222222'\n"
	      "set grid ytics linecolor rgb '#dddddd' linetype 1\n"
	      "set yrange [0:*]\nset offsets 0,0,graph 0.04,0\nset xtics scale 0 noenhanced\n",
	      to);
}

static void script_put_curves(FILE *to, const struct plot *plot)
{
	double width = 0.84 / (plot->nr_series ? plot->nr_series : 1);

	fprintf(to,
		"set xrange [-0.6:%u.6]\nset style fill solid 1.0 noborder\n"
		"plot $data using 0:(0):xtic(1) with dots linecolor rgb '#888888' notitle",
		plot->nr_groups - 1);
	for (unsigned int s = 0; s < plot->nr_series; s++) {
		double shift = (s + 0.5) * width - 0.42;
		unsigned int value = 3 + 2 * s, spread = value + 1;

		fprintf(to,
			", $data using ($0%+.4f):%u:(%.4f) with boxes linecolor rgb '%s' title ",
			shift, value, width * 0.92, colors[s % ARRAY_SIZE(colors)]);
		script_put_quoted(to, plot->series[s]);
		fprintf(to,
			", $data using ($0%+.4f):($%u-$%u):(0):(2*$%u) with vectors nohead "
			"linewidth 1.5 linecolor rgb '#333333' notitle",
			shift, value, spread, spread);
	}
	if (plot_has_limit(plot)) {
		fputs(", $data using ($0-0.46):2:(0.92):(0) with vectors nohead linewidth 3 "
		      "dashtype (6,4) linecolor rgb '#000000' title ",
		      to);
		script_put_quoted(to, plot->limit_label);
	}
	fputs("\nset output\n", to);
}

/* popen() without a shell; the child's stdout goes to stderr. */
static pid_t gnuplot_start(FILE **to)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(ends[0], STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execlp("gnuplot", "gnuplot", "-", (char *)NULL);
		_exit(127);
	}
	close(ends[0]);
	*to = pid < 0 ? NULL : fdopen(ends[1], "w");
	if (!*to)
		close(ends[1]);
	return pid;
}

int plot_draw(const struct plot *plot, enum plot_layout layout, const char *path)
{
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	int status = 0;
	FILE *to = NULL;
	pid_t pid = gnuplot_start(&to);

	if (to) {
		script_put_settings(to, plot, layout, path);
		script_put_data(to, plot);
		script_put_curves(to, plot);
		fclose(to);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	signal(SIGPIPE, old);
	if (pid < 0 || !to || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		return -ENOENT;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

int plot_write(const struct plot *plot, const char *path)
{
	int err = plot_draw(plot, PLOT_FILE, path);

	if (err == -ENOENT)
		cli_error("--plot %s: cannot start gnuplot: apt install gnuplot-nox", path);
	else if (err)
		cli_error("--plot %s: gnuplot failed (its message is above); is the path writable?",
			  path);
	return err;
}
