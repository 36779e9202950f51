/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parameters behind "dsa:" ask for. */
#ifndef FERRY_DSA_PARAMS_H
#define FERRY_DSA_PARAMS_H

#include <stddef.h>
#include <stdint.h>

struct dsa_model_config;

enum dsa_verify { DSA_VERIFY_NONE, DSA_VERIFY_CRC };
enum dsa_on_partial { DSA_PARTIAL_RESUME, DSA_PARTIAL_CPU };

#define DSA_CPU_AUTO UINT32_MAX

struct dsa_options {
	struct dsa_model_config *model; /* NULL: hardware */
	char queues[256];               /* "wq0.0+wq2.1"; empty: the best of every device */
	enum dsa_verify verify;
	enum dsa_on_partial on_partial;
	uint64_t timeout_ns;
	uint32_t cpu_percent; /* of every batch; DSA_CPU_AUTO */
	uint32_t max_batch;   /* 0: the queue's limit */
};

/* 0; or -EINVAL with the bad word in why, -ENOMEM. On success the caller frees the options. */
int dsa_parse_params(const char *params, struct dsa_options *options, char *why, size_t why_bytes);
void dsa_options_free(struct dsa_options *options);

#endif
