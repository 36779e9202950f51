/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a document, in the order of the page. */
#ifndef MIGBENCH_SECTIONS_H
#define MIGBENCH_SECTIONS_H

#include "cli/full_report/writer.h"

/* measured.c */
void section_summary(const struct writer *writer);
void section_moving(const struct writer *writer);
void section_copying(const struct writer *writer);
void section_meanings(const struct writer *writer);
/* machine_sections.c */
void section_machine(const struct writer *writer);
void section_settings(const struct writer *writer);
void section_doctor(const struct writer *writer);
void section_steps(const struct writer *writer);
/* comparison.c */
void section_comparison(const struct writer *writer, const json_t *other);

#endif
