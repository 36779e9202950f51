/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text that names engines: "cpu", "dsa:wq0.0+wq2.0", "cpu+dsa:model,devices=2". */
#ifndef FERRY_ENGINE_SPEC_H
#define FERRY_ENGINE_SPEC_H

#include "base/base.h"

/* The engine that a spec names: up to its ':'. */
size_t spec_name_len(const char *spec);

/*
 * The length of the first of the specs that are joined by '+'. A '+' joins if an engine's name
 * follows, or if the spec before it has no parameters, and never between parentheses. So parameters
 * may contain '+'.
 */
size_t spec_first_len(const char *spec);

/*
 * The name of the engine that copies: fault's is that of its inner engine, a shared object's is its
 * file's without suffix.
 */
void spec_copier(const char *spec, char *name, size_t name_bytes);

#endif
