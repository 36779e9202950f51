// SPDX-License-Identifier: LGPL-2.1-or-later
/* HTML that is well-formed XML as well. */
#include <stdlib.h>
#include <string.h>

#include "cli/page/internal.h"
#include "cli/page/page.h"

static const char style[] =
	":root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--paper:#fff;--line:#d8dee4;"
	"--band:#f6f8fa}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--paper:#0d1117;"
	"--line:#30363d;--band:#161b22}}\n"
	"body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:67rem;color:var(--ink);"
	"background:var(--paper);font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}\n"
	"h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}\n"
	"h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-bottom:.25rem;"
	"border-bottom:1px solid var(--line)}\n"
	"p{margin:.6rem 0;max-width:46rem}\n"
	"ul{padding-left:0;list-style:none}\nli{margin:.3rem 0;padding-left:1rem;"
	"text-indent:-1rem}\nli b{font-weight:600}\nli span{color:var(--dim)}\n"
	".t{overflow-x:auto;margin:.8rem 0}\n"
	"table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
	"th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid var(--line);"
	"white-space:nowrap}\n"
	"th{color:var(--dim);font-weight:600}\n"
	"tbody tr:nth-child(even){background:var(--band)}\n"
	".l{text-align:left}\ntd.w{white-space:normal;min-width:14rem}\n"
	"figure{margin:1rem 0}\nsvg{max-width:100%;height:auto}\n"
	"svg text{fill:var(--ink)}\nsvg .gridline{stroke:var(--line)}\n"
	"svg [stroke='rgb( 51,  51,  51)']{stroke:var(--dim)}\n"
	"svg [stroke='rgb(  0,   0,   0)'],svg [stroke='rgb(0,0,0)'],svg [stroke='black']"
	"{stroke:var(--ink)}\n"
	".narrow{display:none}\n"
	"@media(max-width:700px){.wide{display:none}.narrow{display:block}"
	"table{font-size:.8rem}th,td{padding:.25rem .35rem}th,.l{white-space:normal}}\n";

static void put_element(FILE *to, const char *name, const char *text)
{
	fprintf(to, "<%s>", name);
	html_put_text(to, text);
	fprintf(to, "</%s>\n", name);
}

static void html_begin(FILE *to, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
	      "<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
	      to);
	put_element(to, "title", title);
	fprintf(to, "<style>\n%s</style>\n</head>\n<body>\n", style);
	put_element(to, "h1", title);
}

static void html_heading(FILE *to, const char *text)
{
	put_element(to, "h2", text);
}

static void html_text(FILE *to, const char *text)
{
	put_element(to, "p", text);
}

static void html_list_begin(FILE *to)
{
	fputs("<ul>\n", to);
}

static void html_list_item(FILE *to, const char *term, const char *text)
{
	fputs("<li>", to);
	if (term) {
		fputs("<b>", to);
		html_put_text(to, term);
		fputs(":</b> ", to);
	}
	html_put_text(to, text);
	fputs("</li>\n", to);
}

static void html_list_end(FILE *to)
{
	fputs("</ul>\n", to);
}

/* Text columns are left-aligned; long texts wrap. */
static const char *cell_class(const struct column *column, const char *text)
{
	if (column->type != COLUMN_TEXT)
		return "";
	return strlen(text) > 48 ? " class=\"l w\"" : " class=\"l\"";
}

static void html_table(FILE *to, const struct table *table, const struct page_columns *columns)
{
	fputs("<div class=\"t\"><table>\n<thead><tr>", to);
	for (unsigned int i = 0; i < columns->nr; i++) {
		const struct column *column = &table->columns[columns->v[i]];

		fprintf(to, "<th%s>", cell_class(column, ""));
		html_put_text(to, column->title);
		fputs("</th>", to);
	}
	fputs("</tr></thead>\n<tbody>\n", to);
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		fputs("<tr>", to);
		for (unsigned int i = 0; i < columns->nr; i++) {
			char text[CELL_TEXT_BYTES + 40];

			table_cell_text(table, row, columns->v[i], "±", text);
			fprintf(to, "<td%s>", cell_class(&table->columns[columns->v[i]], text));
			html_put_text(to, text);
			fputs("</td>", to);
		}
		fputs("</tr>\n", to);
	}
	fputs("</tbody>\n</table></div>\n", to);
}

static void html_end(FILE *to)
{
	fputs("</body>\n</html>\n", to);
}

const struct page_format page_html = {
	.begin = html_begin,
	.heading = html_heading,
	.text = html_text,
	.list_begin = html_list_begin,
	.list_item = html_list_item,
	.list_end = html_list_end,
	.table = html_table,
	.plot = html_plot,
	.end = html_end,
};
