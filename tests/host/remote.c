// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Children read and write the memory while it moves: by process_vm_readv(2), process_vm_writev(2)
 * and, only to read, /proc/PID/mem. They access the frames without a fault in this process. Each
 * child has a word of its own in every page and knows what it wrote there last.
 *
 * FERRY_TEST_SECONDS=N runs all phases for N seconds; the default is 0.3 seconds per phase.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/random.h"
#include "tests/testlib/tap.h"

#define NR_CHILDREN  2
#define NR_MOVERS    2
#define LEN          (4UL << 20)
#define NR_PAGES     (LEN / PAGE_BYTES)
#define RUN_PAGES    64 /* at most, in one access */
#define WORDS        (PAGE_BYTES / sizeof(uint64_t))
#define STATIC_WORDS 64 /* from this word on, a page never changes */

/* Shared with the children. */
struct shared {
	atomic_bool stop, failed;
	atomic_ulong updates;
};

static struct shared *shared;
static char *arena;
static struct ferry *ferry;
static uint64_t chunk_bytes;
static atomic_ulong nr_exchanged;

static void report_failure(const char *what, size_t page, uint64_t expected, uint64_t found)
{
	if (!atomic_exchange(&shared->failed, true))
		printf("# %s: page %zu: expected %#llx, found %#llx\n", what, page,
		       (unsigned long long)expected, (unsigned long long)found);
}

static bool test_goes_on(void)
{
	return !atomic_load(&shared->stop) && !atomic_load(&shared->failed);
}

/* ---- in a child ---- */

struct child {
	size_t me;
	pid_t parent;
	int mem_fd;
	uint64_t random;
	uint64_t expected[NR_PAGES];
	uint64_t seen[RUN_PAGES][WORDS];
};

/* Returns how many pages were read. /proc/PID/mem stops at a page in flight; readv waits for it. */
static size_t child_read_run(struct child *c, size_t first, size_t nr, bool by_file)
{
	struct iovec here = {c->seen, nr * PAGE_BYTES};
	struct iovec there = {arena + first * PAGE_BYTES, nr * PAGE_BYTES};
	ssize_t done;

	if (by_file) {
		done = pread(c->mem_fd, c->seen, here.iov_len, (off_t)(uintptr_t)there.iov_base);
		if (done < 0 && errno != EIO)
			report_failure("read of mem", first, 0, (uint64_t)-errno);
		return (size_t)MAX(done, 0) / PAGE_BYTES;
	}
	done = process_vm_readv(c->parent, &here, 1, &there, 1, 0);
	if (done != (ssize_t)here.iov_len)
		report_failure("process_vm_readv", first, here.iov_len,
			       (uint64_t)(done < 0 ? -errno : done));
	return (size_t)MAX(done, 0) / PAGE_BYTES;
}

static void child_check_run(struct child *c, size_t first, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (c->seen[i][c->me] != c->expected[first + i])
			report_failure("lost update", first + i, c->expected[first + i],
				       c->seen[i][c->me]);
		for (size_t w = STATIC_WORDS; w < WORDS; w++)
			if (c->seen[i][w] != content(first + i, w))
				report_failure("never written", first + i, content(first + i, w),
					       c->seen[i][w]);
	}
}

/* Writes the child's word in each page of the run. */
static void child_write_run(struct child *c, size_t first, size_t nr)
{
	struct iovec there[RUN_PAGES], here = {&c->expected[first], nr * sizeof(uint64_t)};
	ssize_t done;

	for (size_t i = 0; i < nr; i++) {
		c->expected[first + i]++;
		there[i].iov_base = arena + (first + i) * PAGE_BYTES + c->me * sizeof(uint64_t);
		there[i].iov_len = sizeof(uint64_t);
	}
	done = process_vm_writev(c->parent, &here, 1, there, nr, 0);
	if (done != (ssize_t)here.iov_len)
		report_failure("process_vm_writev", first, here.iov_len,
			       (uint64_t)(done < 0 ? -errno : done));
}

static int child_main(size_t me)
{
	struct child *c = calloc(1, sizeof(*c));
	char path[64];

	*c = (struct child){.me = me, .parent = getppid(), .random = me + 1};
	snprintf(path, sizeof(path), "/proc/%d/mem", c->parent);
	c->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	while (test_goes_on() && getppid() == c->parent) {
		size_t nr = 1 + next_random(&c->random) % RUN_PAGES;
		size_t first = next_random(&c->random) % (NR_PAGES - nr + 1);
		bool by_file = c->mem_fd >= 0 && next_random(&c->random) % 4 == 0;

		size_t nr_read = child_read_run(c, first, nr, by_file);

		/*
		 * A read of the file holds only a plain reference to the frame, which may
		 * belong to another page by then.
		 */
		if (!by_file)
			child_check_run(c, first, nr_read);
		child_write_run(c, first, nr);
		atomic_fetch_add(&shared->updates, nr);
	}
	for (size_t page = 0; page < NR_PAGES; page += RUN_PAGES)
		child_check_run(c, page, child_read_run(c, page, RUN_PAGES, false));
	return 0;
}

/* ---- in the parent ---- */

static void *mover_run(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg + 7;

	while (test_goes_on()) {
		size_t first = next_random(&random) % NR_PAGES;
		struct move move = {
			.ferry = ferry,
			.addr = arena + first * PAGE_BYTES,
			.len = LEN - first * PAGE_BYTES,
			.mover = FERRY_MOVER_EXCHANGE,
			.chunk_bytes = chunk_bytes,
			.nr_workers = (unsigned int)(next_random(&random) % 4),
		};
		int err = move_run(&move);

		if (err || !adds_up(&move.result))
			report_failure("job", first, 0, (uint64_t)-err);
		atomic_fetch_add(&nr_exchanged, exchanged(&move));
	}
	return NULL;
}

static const struct phase {
	uint64_t chunk_bytes;
	bool huge;
} phases[] = {
	{4UL << 10, false},    {128UL << 10, false}, {256UL << 10, false}, {512UL << 10, false},
	{1024UL << 10, false}, {512UL << 10, true},  {0, false},
};

static void phase_set_up(const struct phase *phase)
{
	arena = memory_new(LEN, phase->huge);
	memset(arena, 0, LEN);
	for (size_t page = 0; page < NR_PAGES; page++)
		for (size_t w = STATIC_WORDS; w < WORDS; w++)
			((uint64_t *)(arena + page * PAGE_BYTES))[w] = content(page, w);
	chunk_bytes = phase->chunk_bytes;
	atomic_store(&shared->stop, false);
	atomic_store(&shared->failed, false);
	atomic_store(&shared->updates, 0);
	atomic_store(&nr_exchanged, 0);
}

static bool work_has_begun(void)
{
	return atomic_load(&nr_exchanged) && atomic_load(&shared->updates);
}

static bool phase_run(const struct phase *phase, double seconds)
{
	pthread_t movers[NR_MOVERS];
	pid_t children[NR_CHILDREN];

	phase_set_up(phase);
	for (size_t i = 0; i < NR_CHILDREN; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(child_main(i));
	}
	for (size_t i = 0; i < NR_MOVERS; i++)
		pthread_create(&movers[i], NULL, mover_run, (void *)i);
	/* Goes on until movers and children have begun, however long that takes. */
	for (double left = seconds; (left > 0 || !work_has_begun()) && test_goes_on(); left -= 0.05)
		usleep(50000);
	atomic_store(&shared->stop, true);
	for (size_t i = 0; i < NR_MOVERS; i++)
		pthread_join(movers[i], NULL);
	for (size_t i = 0; i < NR_CHILDREN; i++) {
		int status = -1;

		if (waitpid(children[i], &status, 0) != children[i] || status)
			report_failure("child", 0, 0, (uint64_t)status);
	}
	munmap(arena, LEN);
	return !shared->failed;
}

/* NULL if a child may access its parent's memory, else why not. */
static const char *lack_of_remote(void)
{
	static uint64_t word;
	int status;
	pid_t pid;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	pid = fork();
	if (!pid) {
		uint64_t copy;
		struct iovec here = {&copy, sizeof(copy)}, there = {&word, sizeof(word)};

		_exit(process_vm_readv(getppid(), &here, 1, &there, 1, 0) != sizeof(word));
	}
	waitpid(pid, &status, 0);
	return status ? "a child may not read its parent's memory here" : NULL;
}

int main(void)
{
	double seconds = test_seconds(0.3 * ARRAY_SIZE(phases)) / ARRAY_SIZE(phases);
	struct ferry_options options = FERRY_OPTIONS_INIT;
	const char *lack = lack_of_remote();

	tap_plan(ARRAY_SIZE(phases));
	watchdog(120 + 3 * (unsigned int)(seconds * ARRAY_SIZE(phases)), "remote");
	options.nr_workers = 4;
	if (!lack && ferry_open(&ferry, &options))
		lack = ferry_open_error();
	if (!lack)
		lack = no_exchange(ferry);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		const struct phase *phase = &phases[i];
		bool good = lack || phase_run(phase, seconds);

		if (lack) {
			tap_skip(lack, "chunks of %lu KiB", phase->chunk_bytes >> 10);
			continue;
		}
		tap_note("%lu pages exchanged, %lu updates", nr_exchanged, shared->updates);
		tap_ok(good, "%s pages, chunks of %lu KiB: children lose no update",
		       phase->huge ? "huge" : "small", phase->chunk_bytes >> 10);
	}
	ferry_close(ferry);
	return tap_done();
}
