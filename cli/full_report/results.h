/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The raw results of a report, report.json: {"schema", "command": "report", "env", "steps"}. */
#ifndef MIGBENCH_RESULTS_H
#define MIGBENCH_RESULTS_H

#include <jansson.h>

/* Takes the steps over. */
json_t *results_new(json_t *steps);
/* The results in a file; NULL after a message that names the option. */
json_t *results_load(const char *option, const char *path);

/*
 * The rows of all steps of a command, from the member key of their output, by folio size. The
 * caller releases the array.
 */
json_t *results_rows(const json_t *results, const char *command, const char *key);
/* A string of the environment; otherwise if it is absent. */
const char *results_env_text(const json_t *results, const char *key, const char *otherwise);
/* A value of the environment as text, NULL if it is absent or none of one line. The caller frees
 * it. */
char *results_env_value(const json_t *results, const char *key);

#endif
