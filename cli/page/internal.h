/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files that write HTML share. */
#ifndef MIGBENCH_PAGE_INTERNAL_H
#define MIGBENCH_PAGE_INTERNAL_H

#include <stdio.h>

struct plot;

/* Text that is no markup; characters that XML does not allow are left out. */
void html_put_text(FILE *to, const char *text);
/* The plot twice: for wide and for narrow screens. Nothing without gnuplot. */
void html_plot(FILE *to, const struct plot *plot);
/* Copies gnuplot's SVG as a part of a page: one element without names that several plots share. */
void html_put_svg(FILE *to, char *svg);

#endif
