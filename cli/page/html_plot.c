// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/common.h"
#include "cli/page/internal.h"
#include "cli/page/page.h"

/* Removes each stretch from one text to another from text, both included. */
static void text_cut(char *text, const char *from, const char *to)
{
	char *begin = text, *end;

	while ((begin = strstr(begin, from))) {
		end = strstr(begin + strlen(from), to);
		if (!end)
			return;
		end += strlen(to);
		memmove(begin, end, strlen(end) + 1);
	}
}

void html_put_svg(FILE *to, char *svg)
{
	char *root = strstr(svg, "<svg");

	if (!root)
		return;
	/*
	 * gnuplot gives all its plots the same names, which a page may use only once. Bars and
	 * lines need none of what it defines.
	 */
	text_cut(root, "<defs>", "</defs>");
	text_cut(root, "<use ", "/>");
	text_cut(root, " id=\"", "\"");
	fputs(root, to);
}

/* What a file holds, as text; NULL if it cannot be read. The caller frees it. */
static char *file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;

	if (!file)
		return NULL;
	/* SVG has no NUL: the whole file is one record. */
	if (getdelim(&text, &cap, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

static void put_drawn(FILE *to, const struct plot *plot, enum plot_layout layout, const char *class)
{
	char path[] = "/tmp/migbench-XXXXXX.svg";
	int fd = mkstemps(path, 4);
	char *svg = NULL;

	if (fd < 0)
		return;
	close(fd);
	if (!plot_draw(plot, layout, path))
		svg = file_read(path);
	unlink(path);
	if (!svg)
		return;
	fprintf(to, "<div class=\"%s\">", class);
	html_put_svg(to, svg);
	fputs("</div>\n", to);
	free(svg);
}

void html_plot(FILE *to, const struct plot *plot)
{
	if (!cli_is_on_path("gnuplot"))
		return;
	fputs("<figure>\n<figcaption>", to);
	html_put_text(to, plot->subtitle);
	fputs("</figcaption>\n", to);
	put_drawn(to, plot, PLOT_WIDE, "wide");
	put_drawn(to, plot, PLOT_NARROW, "narrow");
	fputs("</figure>\n", to);
}
