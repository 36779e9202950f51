/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The drop-in's settings, from PAGEFERRY_* environment variables. See libpageferry-preload(7). */
#ifndef FERRY_PRELOAD_SETTINGS_H
#define FERRY_PRELOAD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#define SETTING_TEXT_BYTES 256

enum mover_choice { MOVER_AUTO, MOVER_KERNEL, MOVER_EXCHANGE };

struct settings {
	uint64_t disable;
	uint64_t mover; /* enum mover_choice */
	uint64_t nr_workers;
	uint64_t chunk_bytes;
	uint64_t stall_us;
	uint64_t pool_cap_bytes;
	uint64_t min_pages;
	uint64_t fresh_frames;
	uint64_t log; /* 0: off; otherwise 1 + enum ferry_log_level */
	/* Copies, because programs that set their title overwrite the environment's strings. */
	char engine[SETTING_TEXT_BYTES];
	char stats[SETTING_TEXT_BYTES];
	char profile[SETTING_TEXT_BYTES];
};

/* Reads the environment. For a bad value it writes one line to stderr and keeps the default. */
void settings_load(struct settings *settings);

/* Writes one line, "pageferry: ...", to fd. Allocates nothing. */
void message_write(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
