/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parameters behind "cpu:" ask for. */
#ifndef FERRY_CPU_PARAMS_H
#define FERRY_CPU_PARAMS_H

#include "copy/kernels.h"

#define CPU_PARAMS_HELP "kernel=NAME,threads=N,split=BYTES"

/* Waking a helper takes as long as copying some tens of KiB, so smaller batches are not split. */
#define CPU_SPLIT_BYTES (256UL << 10)

struct cpu_params {
	const struct copy_kernel *kernel; /* NULL: the best */
	unsigned int nr_threads;          /* 0: by the crew */
	uint64_t split_bytes;
};

/* 0, or -EINVAL with the bad parameter in why. */
int cpu_params_parse(const char *text, struct cpu_params *params, char *why, size_t why_bytes);

#endif
