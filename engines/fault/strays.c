// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "engines/fault/strays.h"

#define GARBAGE 0xeb

void fault_sleep_until(uint64_t due_ns)
{
	atomic_uint never_woken = 0;

	for (uint64_t now = now_ns(); now < due_ns; now = now_ns())
		futex_wait(&never_woken, 0, due_ns - now);
}

/* By the kernel: an address that is no longer mapped is an error, not a crash. */
static void stray_write(const struct strays *strays, const struct stray *stray)
{
	long pid = sys(SYS_getpid);

	for (uint32_t at = 0; at < stray->len_bytes; at += PAGE_BYTES) {
		uint32_t len = MIN(stray->len_bytes - at, (uint32_t)PAGE_BYTES);
		struct iovec from = {(void *)strays->garbage, len};
		struct iovec to = {(char *)stray->dst + at, len};

		sys(SYS_process_vm_writev, pid, &from, 1, &to, 1, 0);
	}
}

/* Caller holds the lock. */
static uint64_t list_write_due(struct strays *strays)
{
	uint64_t now = now_ns(), next_ns = 0;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < strays->nr; i++) {
		struct stray *stray = &strays->list[i];

		if (stray->due_ns <= now) {
			stray_write(strays, stray);
			continue;
		}
		next_ns = next_ns ? MIN(next_ns, stray->due_ns) : stray->due_ns;
		strays->list[kept++] = *stray;
	}
	strays->nr = kept;
	return next_ns;
}

uint64_t strays_write_due(struct strays *strays)
{
	uint64_t next_ns;

	futex_lock(&strays->lock);
	next_ns = list_write_due(strays);
	futex_unlock(&strays->lock);
	return next_ns;
}

static bool strays_write_all(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct strays *strays = CONTAINER_OF(task, struct strays, writer);

	for (;;) {
		uint64_t next_ns;

		futex_lock(&strays->lock);
		next_ns = list_write_due(strays);
		if (!next_ns)
			strays->writing = false;
		futex_unlock(&strays->lock);
		if (!next_ns)
			return false;
		fault_sleep_until(next_ns);
	}
}

bool strays_add(struct strays *strays, void *dst, uint32_t len_bytes, uint64_t due_ns)
{
	bool full, start = false;

	futex_lock(&strays->lock);
	full = strays->nr == STRAYS_MAX;
	if (!full) {
		strays->list[strays->nr++] = (struct stray){dst, len_bytes, due_ns};
		start = strays->crew && !strays->writing;
		strays->writing |= start;
	}
	futex_unlock(&strays->lock);

	if (start) {
		/* The previous writer has found the list empty and is about to return. */
		if (strays->posted)
			crew_wait(strays->crew, &strays->writer, FUTEX_FOREVER);
		strays->posted = true;
		crew_post(strays->crew, &strays->writer);
	}
	return !full;
}

void strays_init(struct strays *strays, struct crew *crew)
{
	*strays = (struct strays){
		.crew = crew,
		.writer = {.work = strays_write_all, .nr_wanted = 1},
	};
	memset(strays->garbage, GARBAGE, sizeof(strays->garbage));
}

void strays_drain(struct strays *strays)
{
	uint64_t next_ns;

	while ((next_ns = strays_write_due(strays)))
		fault_sleep_until(next_ns);
	if (strays->posted)
		crew_retract(strays->crew, &strays->writer);
}
