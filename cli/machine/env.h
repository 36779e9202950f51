/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a reader must know of the machine to make sense of the numbers. */
#ifndef MIGBENCH_ENV_H
#define MIGBENCH_ENV_H

#include <jansson.h>
#include <stdbool.h>

/* A new object; keys whose value can't be found out are absent. */
json_t *env_json(void);

/* The CPU is emulated instruction by instruction (QEMU TCG): only ratios mean anything. */
bool env_emulated(void);

#endif
