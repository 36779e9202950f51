// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "cli/full_report/document.h"
#include "cli/full_report/results.h"
#include "cli/full_report/sections.h"

void document_write(const struct document *document, const struct page_format *format, FILE *to)
{
	const struct writer writer = {.format = format, .to = to, .results = document->results};
	char *title = cli_format("pageferry %s on Linux %s, %s",
				 results_env_text(document->results, "library", "?"),
				 results_env_text(document->results, "kernel", "?"),
				 results_env_text(document->results, "cpu_model", "unknown CPU"));

	format->begin(to, title);
	free(title);
	section_summary(&writer);
	if (document->other)
		section_comparison(&writer, document->other);
	section_moving(&writer);
	section_copying(&writer);
	section_meanings(&writer);
	section_machine(&writer);
	section_settings(&writer);
	section_doctor(&writer);
	section_steps(&writer);
	format->end(to);
}
