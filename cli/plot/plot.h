/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bar chart drawn by gnuplot: groups of bars, and a line across each group for the limit. */
#ifndef MIGBENCH_PLOT_H
#define MIGBENCH_PLOT_H

#include "base/base.h"

#define PLOT_GROUPS_MAX 16
#define PLOT_SERIES_MAX 16

enum plot_layout {
	PLOT_FILE,   /* a picture on its own, with title */
	PLOT_WIDE,   /* part of a page, which has the title; no background */
	PLOT_NARROW, /* the same for a narrow screen: the key is below */
};

struct plot {
	const char *title;
	char subtitle[200];
	const char *x_label, *y_label;
	const char *limit_label; /* NULL: no line */
	char groups[PLOT_GROUPS_MAX][24];
	char series[PLOT_SERIES_MAX][64];
	unsigned int nr_groups, nr_series;
	/* NAN: no value */
	double value[PLOT_SERIES_MAX][PLOT_GROUPS_MAX];
	double spread[PLOT_SERIES_MAX][PLOT_GROUPS_MAX];
	double limit[PLOT_GROUPS_MAX];
};

void plot_init(struct plot *plot, const char *title, const char *x_label, const char *y_label);
/* A line under the title: what was measured, and how. */
void plot_subtitle(struct plot *plot, const char *fmt, ...) __printf(2, 3);
/* A new name makes a new group or series; those above the maximum are ignored. */
void plot_add(struct plot *plot, const char *group, const char *series, double value,
	      double spread);
void plot_limit(struct plot *plot, const char *group, double value);

/*
 * Draws a file whose name ends in .svg or .png. 0 or -errno; -ENOENT: gnuplot cannot be started,
 * -EIO: it failed and has printed why.
 */
int plot_draw(const struct plot *plot, enum plot_layout layout, const char *path);
/* plot_draw() of a PLOT_FILE, for --plot: 0, or -errno after a message. */
int plot_write(const struct plot *plot, const char *path);

#endif
