/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to copy/: which kernel known CPUs copy fastest with, before anything is measured. */
#ifndef FERRY_COPY_FAMILIES_H
#define FERRY_COPY_FAMILIES_H

#include "copy/arch.h"

/* Names of kernels in order of preference; NULL-terminated. The last one is always usable. */
const char *const *cpu_family_kernels(const struct cpu_id *id);

#endif
