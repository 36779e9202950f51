// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cli/page/page.h"

#define LINE_COLUMNS 76

/* Characters, not bytes, of UTF-8. */
static unsigned int text_width(const char *text)
{
	unsigned int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void put_repeated(FILE *to, char what, unsigned int nr)
{
	while (nr--)
		fputc(what, to);
}

/* Breaks lines at spaces; the lines after the first begin with indent spaces. */
static void put_wrapped(FILE *to, const char *text, unsigned int at, unsigned int indent)
{
	bool first = true;

	while (*text) {
		size_t len = strcspn(text, " ");
		char *word = cli_format("%.*s", (int)len, text);
		unsigned int width = text_width(word);

		if (!first && at + 1 + width > LINE_COLUMNS) {
			fputc('\n', to);
			put_repeated(to, ' ', indent);
			at = indent;
		} else if (!first) {
			fputc(' ', to);
			at++;
		}
		fputs(word, to);
		free(word);
		at += width;
		first = false;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

/* Text that is no markup. The caller frees it. */
static char *escape(const char *text)
{
	char *out = cli_alloc(2 * strlen(text) + 1, 1), *at = out;

	for (; *text; text++) {
		if (strchr("|*<\\", *text))
			*at++ = '\\';
		*at = *text;
		if (*at == '\n')
			*at = ' ';
		at++;
	}
	return out;
}

static void markdown_begin(FILE *to, const char *title)
{
	char *escaped = escape(title);

	fprintf(to, "# %s\n", escaped);
	free(escaped);
}

static void markdown_heading(FILE *to, const char *text)
{
	char *escaped = escape(text);

	fprintf(to, "\n## %s\n", escaped);
	free(escaped);
}

static void markdown_text(FILE *to, const char *text)
{
	char *escaped = escape(text);

	fputc('\n', to);
	put_wrapped(to, escaped, 0, 0);
	free(escaped);
}

static void markdown_list_begin(FILE *to)
{
	fputc('\n', to);
}

static void markdown_list_item(FILE *to, const char *term, const char *text)
{
	char *escaped = escape(text);
	char *item = term ? cli_format("%s: %s", term, escaped) : cli_format("%s", escaped);

	fputs("- ", to);
	put_wrapped(to, item, 2, 2);
	free(item);
	free(escaped);
}

static void markdown_list_end(FILE *to)
{
	(void)to;
}

static char *cell_escaped(const struct table *table, unsigned int row, unsigned int column)
{
	char text[CELL_TEXT_BYTES + 40];

	table_cell_text(table, row, column, "±", text);
	return escape(text);
}

static unsigned int column_width(const struct table *table, unsigned int column)
{
	unsigned int width = MAX(text_width(table->columns[column].title), 3U);

	for (unsigned int row = 0; row < table->nr_rows; row++) {
		char *text = cell_escaped(table, row, column);

		width = MAX(width, text_width(text));
		free(text);
	}
	return width;
}

static void put_cell(FILE *to, const char *text, unsigned int width, bool left)
{
	unsigned int pad = width - text_width(text);

	fputs("| ", to);
	put_repeated(to, ' ', left ? 0 : pad);
	fputs(text, to);
	put_repeated(to, ' ', left ? pad + 1 : 1);
}

static void markdown_table(FILE *to, const struct table *table, const struct page_columns *columns)
{
	unsigned int width[PAGE_COLUMNS_MAX];
	bool left[PAGE_COLUMNS_MAX];

	fputc('\n', to);
	for (unsigned int i = 0; i < columns->nr; i++) {
		const struct column *column = &table->columns[columns->v[i]];

		width[i] = column_width(table, columns->v[i]);
		left[i] = column->type == COLUMN_TEXT;
		put_cell(to, column->title, width[i], left[i]);
	}
	fputs("|\n", to);
	for (unsigned int i = 0; i < columns->nr; i++) {
		fputs("|", to);
		put_repeated(to, '-', width[i] + 1);
		fputc(left[i] ? '-' : ':', to);
	}
	fputs("|\n", to);
	for (unsigned int row = 0; row < table->nr_rows; row++) {
		for (unsigned int i = 0; i < columns->nr; i++) {
			char *text = cell_escaped(table, row, columns->v[i]);

			put_cell(to, text, width[i], left[i]);
			free(text);
		}
		fputs("|\n", to);
	}
}

static void markdown_end(FILE *to)
{
	(void)to;
}

const struct page_format page_markdown = {
	.begin = markdown_begin,
	.heading = markdown_heading,
	.text = markdown_text,
	.list_begin = markdown_list_begin,
	.list_item = markdown_list_item,
	.list_end = markdown_list_end,
	.table = markdown_table,
	.end = markdown_end,
};
