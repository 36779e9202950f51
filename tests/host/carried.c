// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mremap(2) carries pages in flight onto memory of the same job whose window is closed next.
 * Threads must go on waiting for the pages there.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/vault.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN     (16UL << 20)
#define SEED    11
#define STRIDE  (64UL << 20) /* each part has a window of its own */
#define WAIT_US 100000
/* Pauses of 100 us until the test gives up. */
#define PATIENCE 100000

static char *part[3];
static atomic_int tid_first;  /* the worker that has taken out the first chunk */
static atomic_int tid_second; /* the worker that has put in the second */
static atomic_bool carried, third_open, released;

static int my_tid(void)
{
	return (int)sys_raw(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static bool is_in(uintptr_t addr, const char *start)
{
	return addr >= (uintptr_t)start && addr < (uintptr_t)start + LEN;
}

/* The first chunk is taken out, and not put in before the release. */
static bool hook_move(const long args[6], long *ret)
{
	const struct uffdio_move *move = (const struct uffdio_move *)args[2];
	int none = 0;
	bool puts_in = !vault_overlaps((void *)move->dst, 1);

	*ret = -EAGAIN;
	if (puts_in && atomic_load(&tid_first) == my_tid() && !atomic_load(&released))
		return true;
	/* Another worker waits until that is out. */
	if (is_in(move->src, part[1]) && !atomic_load(&tid_first))
		return true;
	*ret = sys_raw(SYS_ioctl, args[0], args[1], args[2], 0, 0, 0);
	if (!*ret && is_in(move->src, part[0]))
		atomic_compare_exchange_strong(&tid_first, &none, my_tid());
	if (!*ret && puts_in && is_in(move->dst, part[1]) && !atomic_load(&carried))
		atomic_store(&tid_second, my_tid());
	return true;
}

static bool hook(long nr, const long args[6], long *ret)
{
	const struct uffdio_register *reg = (const struct uffdio_register *)args[2];

	/* The worker is past its put-in, outside the gate. */
	if (nr == SYS_clock_gettime && atomic_load(&tid_second) == my_tid())
		while (!atomic_load(&carried))
			sys_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	if (nr != SYS_ioctl)
		return false;
	if ((unsigned long)args[1] == UFFDIO_MOVE)
		return hook_move(args, ret);
	*ret = -EAGAIN;
	if ((unsigned long)args[1] == UFFDIO_COPY)
		return atomic_load(&tid_first) == my_tid() && !atomic_load(&released);
	if ((unsigned long)args[1] == UFFDIO_REGISTER && is_in(reg->range.start, part[2]))
		atomic_store(&third_open, true);
	return false;
}

static void *reader(void *arg __maybe_unused)
{
	return (void *)(uintptr_t)is_intact(part[1], LEN, SEED);
}

int main(void)
{
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_range ranges[3];
	struct ferry *ferry = open_exchanging_context(NULL);
	struct ferry_job *job;
	pthread_t thread;
	bool carries;
	void *intact;
	char *space = mmap(NULL, 4 * STRIDE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 3; i++) {
		part[i] = (char *)ALIGN_UP((uintptr_t)space, HUGE_BYTES) + (size_t)i * STRIDE;
		if (mprotect(part[i], LEN, PROT_READ | PROT_WRITE))
			abort();
		madvise(part[i], LEN, MADV_NOHUGEPAGE);
		fill(part[i], LEN, SEED + (unsigned int)i);
		ranges[i] = (struct ferry_range){part[i], LEN, some_node()};
	}
	request.ranges = ranges;
	request.nr_ranges = 3;
	request.flags = FERRY_MOVE_ALWAYS | FERRY_MOVE_APART;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.nr_workers = 2;
	request.chunk_bytes = HUGE_BYTES;
	watchdog(120, "pages that mremap carries onto a window");
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	if (ferry_submit(ferry, &request, &job))
		abort();
	/* Where CPUs are short, the library lets one worker have pages in flight. */
	for (unsigned int i = 0; !atomic_load(&tid_second) && i < PATIENCE; i++)
		usleep(100);
	carries = atomic_load(&tid_second);
	if (carries && mremap(part[0], LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, part[1]) != part[1])
		abort();
	atomic_store(&carried, true);
	for (unsigned int i = 0; !atomic_load(&third_open) && i < PATIENCE; i++)
		usleep(100);
	if (!carries || !atomic_load(&third_open)) {
		atomic_store(&released, true);
		ferry_job_wait(job, UINT64_MAX);
		printf("1..0 # SKIP one worker only had pages in flight\n");
		return 0;
	}
	tap_plan(2);
	pthread_create(&thread, NULL, reader, NULL);
	/* If this is too short, an error goes unseen. */
	usleep(WAIT_US);
	atomic_store(&released, true);
	pthread_join(thread, &intact);
	tap_ok(intact, "a thread waits for the pages and finds them");
	ferry_job_wait(job, UINT64_MAX);
	ferry_job_close(job);
	tap_ok(is_intact(part[1], LEN, SEED) && is_intact(part[2], LEN, SEED + 2),
	       "every byte is there");
	ferry_close(ferry);
	return tap_done();
}
