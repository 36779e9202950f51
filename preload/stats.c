// SPDX-License-Identifier: LGPL-2.1-or-later
#include "preload/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

static const char *const plain_names[NR_PLAIN] = {
	[PLAIN_SMALL] = "small",     [PLAIN_QUERY] = "query",   [PLAIN_EARLY] = "early",
	[PLAIN_OPENING] = "opening", [PLAIN_SIGNAL] = "signal", [PLAIN_THREAD] = "thread",
	[PLAIN_OFF] = "off",
};

static atomic_ulong nr_served;
static atomic_ulong nr_plain[NR_PLAIN];
static bool forked;

struct text {
	char bytes[1536];
	size_t len;
};

static void __printf(2, 3) text_append(struct text *text, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text->bytes + text->len, sizeof(text->bytes) - text->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		text->len = MIN(text->len + (size_t)n, sizeof(text->bytes) - 1);
}

void stats_count_served(void)
{
	atomic_fetch_add_explicit(&nr_served, 1, memory_order_relaxed);
}

void stats_count_plain(enum plain why)
{
	atomic_fetch_add_explicit(&nr_plain[why], 1, memory_order_relaxed);
}

void stats_reset(void)
{
	atomic_store(&nr_served, 0);
	for (int i = 0; i < NR_PLAIN; i++)
		atomic_store(&nr_plain[i], 0);
	forked = true;
}

static void text_append_pages(struct text *text, const struct ferry_stats *stats)
{
	uint64_t nr_pages = 0;

	for (int i = 0; i < FERRY_NR_MOVERS; i++) {
		nr_pages += stats->pages_by_mover[i];
		if (i != FERRY_MOVER_AUTO)
			text_append(text, " %s_pages=%" PRIu64, ferry_mover_name(i),
				    stats->pages_by_mover[i]);
	}
	text_append(text, " moved_gb=%.3f", (double)nr_pages * PAGE_BYTES / 1e9);
	for (int i = FERRY_REASON_NONE + 1; i < FERRY_NR_REASONS; i++) {
		if (stats->pages_by_reason[i])
			text_append(text, " reason_%s=%" PRIu64, ferry_reason_name(i),
				    stats->pages_by_reason[i]);
	}
	text_append(text, " syscalls=%" PRIu64 " chunks=%" PRIu64, stats->nr_syscalls,
		    stats->nr_chunks);
	text_append(text, " worker_cpu_s=%.3f max_stall_us=%.0f",
		    (double)stats->worker_cpu_ns / 1e9, (double)stats->max_stall_ns / 1e3);
}

void stats_report(const char *where)
{
	struct ferry_stats stats = FERRY_STATS_INIT;
	unsigned long served = atomic_load(&nr_served), plain = 0;
	struct ferry *ferry = context_peek();
	struct text text = {.len = 0};
	int fd = STDERR_FILENO;

	for (int i = 0; i < NR_PLAIN; i++)
		plain += atomic_load(&nr_plain[i]);
	if (forked && !(served + plain))
		return;

	text_append(&text, "pid=%d program=%s calls=%lu served=%lu plain=%lu", getpid(),
		    program_invocation_short_name, served + plain, served, plain);
	for (int i = 0; i < NR_PLAIN; i++) {
		if (nr_plain[i])
			text_append(&text, " plain_%s=%lu", plain_names[i], nr_plain[i]);
	}
	if (ferry && !ferry_get_stats(ferry, &stats))
		text_append_pages(&text, &stats);

	if (strcmp(where, "1") != 0)
		fd = open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0) {
		message_write(STDERR_FILENO, "PAGEFERRY_STATS=%s: can't open: %s", where,
			      strerror(errno));
		return;
	}
	message_write(fd, "%s", text.bytes);
	if (fd != STDERR_FILENO)
		close(fd);
}
