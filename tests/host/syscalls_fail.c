// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Each system call of the movers fails in turn, with each error that it can return: the first time,
 * the third time, every third time, and always. A thread writes to the pages all the while. After
 * each case every byte is right, statuses are true and add up, nothing hangs, and the next job
 * works.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/sys.h"
#include "base/vault.h"
#include "base/uapi.h"
#include "lib/job/windows.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN      (4UL << 20)
#define NR_PAGES (LEN / PAGE_BYTES)
#define ALWAYS   1000000000U

/* ---- which calls fail ---- */

enum call {
	CALL_TAKE_OUT,
	CALL_TAKE_OUT_PARTLY, /* moves some pages, then EAGAIN */
	CALL_PUT_IN,
	CALL_PUT_IN_PARTLY,
	CALL_COPY,
	CALL_ZEROPAGE,
	CALL_WAKE,
	CALL_REGISTER,
	CALL_UNREGISTER,
	CALL_SCAN,
	CALL_QUERY,
	CALL_MADVISE,
	CALL_MMAP,
	CALL_MPROTECT,
	CALL_MUNLOCK,
	CALL_MOVE_PAGES,
	CALL_VM_READV,
	CALL_VM_WRITEV,
	CALL_VMSTAT,
	CALL_EVENTFD,
	CALL_OPENAT,
	CALL_GETDENTS,
	CALL_ROBUST_LIST,
	CALL_FSTAT,
	NR_CALLS,
};

static const struct {
	const char *name;
	int errors[6];
} calls[NR_CALLS] = {
	[CALL_TAKE_OUT] = {"UFFDIO_MOVE on take-out",
			   {EAGAIN, EBUSY, EINVAL, ENOENT, ENOMEM, EEXIST}},
	[CALL_TAKE_OUT_PARTLY] = {"part of UFFDIO_MOVE on take-out", {EAGAIN}},
	/* Not ENOENT and EEXIST, which mean that the program has thrown the page away. */
	[CALL_PUT_IN] = {"UFFDIO_MOVE on put-in", {EAGAIN, EINVAL, ENOMEM, EBUSY}},
	[CALL_PUT_IN_PARTLY] = {"part of UFFDIO_MOVE on put-in", {EAGAIN}},
	[CALL_COPY] = {"UFFDIO_COPY", {EAGAIN, EINVAL, ENOMEM}},
	[CALL_ZEROPAGE] = {"UFFDIO_ZEROPAGE", {EAGAIN, EINVAL, ENOMEM}},
	[CALL_WAKE] = {"UFFDIO_WAKE", {EINVAL}},
	[CALL_REGISTER] = {"UFFDIO_REGISTER", {EINVAL, EBUSY, ENOMEM, EPERM}},
	[CALL_UNREGISTER] = {"UFFDIO_UNREGISTER", {EINVAL, ENOMEM}},
	[CALL_SCAN] = {"PAGEMAP_SCAN", {EINVAL, ENOMEM, EFAULT}},
	[CALL_QUERY] = {"PROCMAP_QUERY", {ENOENT, EINVAL, ENAMETOOLONG, ESRCH}},
	[CALL_MADVISE] = {"madvise", {EINVAL, ENOMEM, EAGAIN, EFAULT}},
	[CALL_MMAP] = {"mmap", {ENOMEM, EAGAIN}},
	[CALL_MPROTECT] = {"mprotect", {ENOMEM, EACCES}},
	[CALL_MUNLOCK] = {"munlock", {ENOMEM, EINVAL}},
	[CALL_MOVE_PAGES] = {"move_pages", {ENOMEM, EACCES, EFAULT, EPERM}},
	[CALL_VM_READV] = {"process_vm_readv", {EPERM, EFAULT, ENOMEM}},
	[CALL_VM_WRITEV] = {"process_vm_writev", {EPERM, EFAULT, ENOMEM}},
	[CALL_VMSTAT] = {"pread of vmstat or loadavg", {EIO, EINVAL}},
	[CALL_EVENTFD] = {"eventfd", {EMFILE, ENOMEM}},
	[CALL_OPENAT] = {"openat", {EMFILE, ENOENT}},
	[CALL_GETDENTS] = {"getdents64", {ENOENT, ENOMEM}},
	[CALL_ROBUST_LIST] = {"get_robust_list", {ESRCH, EPERM, ENOSYS}},
	[CALL_FSTAT] = {"fstat", {ESTALE, ENOMEM}},
};

static const struct when {
	const char *name;
	unsigned int first, every, times;
} whens[] = {
	{"once", 1, 1, 1},
	{"the third time", 3, 1, 1},
	{"every third time", 1, 3, ALWAYS},
	{"always", 1, 1, ALWAYS},
};

static atomic_uint failing;         /* the calls that fail, one bit per enum call */
static unsigned int failing_always; /* other calls that always fail, with ENOMEM */
static bool no_memory;              /* see memory_allows() */
static atomic_int nr_free_frames;
static int fault_error;
static const struct when *fault_when;
static atomic_uint nr_met, nr_failed;
static atomic_ulong nr_failures[NR_CALLS], nr_seen[NR_CALLS];
static atomic_int nth_left; /* calls of any kind until one fails; 0: none fails */

static int call_of_ioctl(unsigned long request, const void *arg)
{
	const struct uffdio_move *move = arg;

	switch (request) {
	case UFFDIO_MOVE:
		return vault_overlaps((void *)move->dst, 1) ? CALL_TAKE_OUT : CALL_PUT_IN;
	case UFFDIO_COPY:
		return CALL_COPY;
	case UFFDIO_ZEROPAGE:
		return CALL_ZEROPAGE;
	case UFFDIO_WAKE:
		return CALL_WAKE;
	case UFFDIO_REGISTER:
		return CALL_REGISTER;
	case UFFDIO_UNREGISTER:
		return CALL_UNREGISTER;
	case PAGEMAP_SCAN:
		return CALL_SCAN;
	case PROCMAP_QUERY:
		return CALL_QUERY;
	}
	return -1;
}

static int call_of(long nr, const long args[6])
{
	switch (nr) {
	case SYS_ioctl:
		return call_of_ioctl((unsigned long)args[1], (const void *)args[2]);
	case SYS_madvise:
		return CALL_MADVISE;
	case SYS_mmap:
		return CALL_MMAP;
	case SYS_mprotect:
		return CALL_MPROTECT;
	case SYS_munlock:
		return CALL_MUNLOCK;
	case SYS_move_pages:
		return CALL_MOVE_PAGES;
	case SYS_process_vm_readv:
		return CALL_VM_READV;
	case SYS_process_vm_writev:
		return CALL_VM_WRITEV;
	case SYS_pread64:
		return CALL_VMSTAT;
	case SYS_eventfd2:
		return CALL_EVENTFD;
	case SYS_openat:
		return CALL_OPENAT;
	case SYS_getdents64:
		return CALL_GETDENTS;
	case SYS_get_robust_list:
		return CALL_ROBUST_LIST;
	case SYS_fstat:
		return CALL_FSTAT;
	}
	return -1;
}

/*
 * EAGAIN means that an event waits to be read, and put-in waits until it has been. If put-in always
 * got EAGAIN, it would never end.
 */
static bool case_can_end(unsigned int set, int error, const struct when *when)
{
	return error != EAGAIN || when->times != ALWAYS || when->every > 1 ||
	       !(set & (1U << CALL_PUT_IN | 1U << CALL_COPY));
}

/* Counts the call. True if this is one that is to fail. */
static bool call_fails_now(int call)
{
	unsigned int nth = atomic_fetch_add(&nr_met, 1) + 1;

	if (nth < fault_when->first || (nth - fault_when->first) % fault_when->every ||
	    atomic_load(&nr_failed) >= fault_when->times)
		return false;
	atomic_fetch_add(&nr_failed, 1);
	atomic_fetch_add(&nr_failures[call], 1);
	return true;
}

/* Moves a third of the pages, at least one. Answers EAGAIN unless that was all. */
static long move_partly(long nr, const long args[6])
{
	struct uffdio_move *move = (struct uffdio_move *)args[2], part = *move;
	long err;

	part.len = MAX(ALIGN_DOWN(move->len / 3, PAGE_BYTES), PAGE_BYTES);
	err = sys_raw(nr, args[0], args[1], (long)&part, 0, 0, 0);
	move->move = part.move;
	return err ? err : part.len == move->len ? 0 : -EAGAIN;
}

/* The library can't do without these, such as calls that wait or release. They never fail. */
static bool call_is_spared(long nr)
{
	return nr == SYS_futex || nr == SYS_munmap || nr == SYS_close || nr == SYS_sched_yield ||
	       nr == SYS_nanosleep || nr == SYS_ppoll || nr == SYS_read || nr == SYS_getpid;
}

/* With no_memory, UFFDIO_COPY gets a frame for each one that put-in frees, and no other. */
static bool memory_allows(int call)
{
	int nr = atomic_load(&nr_free_frames);

	if (!no_memory || call != CALL_COPY)
		return false;
	while (nr && !atomic_compare_exchange_weak(&nr_free_frames, &nr, nr - 1))
		;
	return nr;
}

static void memory_note(long nr, const long args[6])
{
	if (nr == SYS_madvise && args[1] == (long)PAGE_BYTES && args[2] == MADV_DONTNEED &&
	    vault_overlaps((void *)args[0], 1))
		atomic_fetch_add(&nr_free_frames, 1);
}

static bool fault_hook(long nr, const long args[6], long *ret)
{
	unsigned int set = atomic_load_explicit(&failing, memory_order_acquire);
	int call, partly;

	if (atomic_load(&nth_left) && !call_is_spared(nr) && atomic_fetch_sub(&nth_left, 1) == 1) {
		*ret = -fault_error;
		return true;
	}
	if (!set)
		return false;
	call = call_of(nr, args);
	if (call < 0)
		return false;
	atomic_fetch_add(&nr_seen[call], 1);
	partly = call == CALL_TAKE_OUT ? CALL_TAKE_OUT_PARTLY
		 : call == CALL_PUT_IN ? CALL_PUT_IN_PARTLY
				       : -1;
	if (partly >= 0 && set & 1U << partly && call_fails_now(partly)) {
		*ret = move_partly(nr, args);
		return true;
	}
	*ret = -fault_error;
	if (set & 1U << call && call_fails_now(call))
		return true;
	memory_note(nr, args);
	*ret = -ENOMEM;
	return failing_always & 1U << call && !memory_allows(call);
}

static void faults_start(unsigned int set, int error, const struct when *when)
{
	fault_error = error;
	fault_when = when;
	atomic_store(&nr_met, 0);
	atomic_store(&nr_failed, 0);
	atomic_store_explicit(&failing, set, memory_order_release);
}

static void faults_stop(void)
{
	atomic_store_explicit(&failing, 0, memory_order_release);
}

/* ---- a thread that writes to the pages ---- */

static char *mem;
static atomic_bool stop;
static atomic_ulong nr_lost;

/* The thread writes the last word of each page; the others have known content. */
static volatile uint64_t *page_counter(size_t page)
{
	return (volatile uint64_t *)(mem + (page + 1) * PAGE_BYTES - sizeof(uint64_t));
}

static void *writer_run(void *arg __maybe_unused)
{
	uint64_t round = 0;

	for (size_t page = 0; page < NR_PAGES; page++)
		*page_counter(page) = 0;
	while (!atomic_load(&stop)) {
		for (size_t page = 0; page < NR_PAGES; page++) {
			if (*page_counter(page) != round)
				atomic_fetch_add(&nr_lost, 1);
			*page_counter(page) = round + 1;
		}
		round++;
	}
	return NULL;
}

static bool content_is_right(void)
{
	for (size_t page = 0; page < NR_PAGES; page++) {
		const uint64_t *words = (const uint64_t *)(mem + page * PAGE_BYTES);

		for (size_t i = 0; i < PAGE_BYTES / sizeof(*words) - 1; i++) {
			if (words[i] == content(page, i))
				continue;
			printf("# page %zu word %zu: %#llx\n", page, i,
			       (unsigned long long)words[i]);
			return false;
		}
	}
	return !atomic_load(&nr_lost);
}

/* Memory that a job registers in two steps. */
static char *memory_new_in_two_windows(bool huge)
{
	char *at = mmap(NULL, 2 * WINDOW_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *border = (char *)ALIGN_UP((uintptr_t)at + LEN, WINDOW_BYTES);
	char *start = border - LEN / 2;

	if (at == MAP_FAILED || mprotect(start, LEN, PROT_READ | PROT_WRITE))
		abort();
	madvise(start, LEN, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return start;
}

/* ---- one case ---- */

static int status[NR_PAGES];

static bool statuses_are_true(const struct move *move)
{
	uint64_t nr_good = 0;

	for (size_t page = 0; page < NR_PAGES; page++) {
		if (status[page] == some_node())
			nr_good++;
		else if (status[page] >= 0)
			return false;
	}
	return nr_good == move->result.nr_moved + move->result.nr_in_place;
}

static struct ferry *ferry;

static bool next_job_works(const char *what)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};

	if (!move_run(&move) && move.result.nr_moved == NR_PAGES)
		return true;
	print_result(&move.result);
	printf("# %s: the next job does not work\n", what);
	return false;
}

/* May the submission itself fail with this error? */
static bool submit_may_fail(unsigned int set, int err)
{
	if (set & 1U << CALL_MMAP && err == -ENOMEM)
		return true;
	return set & (1U << CALL_EVENTFD | 1U << CALL_VM_READV | 1U << CALL_MOVE_PAGES |
		      1U << CALL_OPENAT) &&
	       (err == -fault_error || err == -EFAULT);
}

/* Calls by which pools allocate and free frames. */
static const unsigned int pool_calls = 1U << CALL_REGISTER | 1U << CALL_UNREGISTER |
				       1U << CALL_MADVISE | 1U << CALL_MMAP | 1U << CALL_MPROTECT |
				       1U << CALL_MUNLOCK | 1U << CALL_OPENAT;

static bool try_case(unsigned int set, int error, const struct when *when, bool huge,
		     const char *name)
{
	struct move move = {
		.ferry = ferry,
		.addr = mem,
		.len = LEN,
		.mover = FERRY_MOVER_EXCHANGE,
		.status = status,
	};
	char what[160];
	bool good = true;
	int err;

	snprintf(what, sizeof(what), "%s: %s %s, %s pages", name, strerror(error), when->name,
		 huge ? "huge" : "small");
	watchdog(60, what);
	memset(status, 0x55, sizeof(status));
	/* With empty pools the job begins by allocating frames; in the end they are freed. */
	if (set & pool_calls)
		ferry_trim(ferry);
	faults_start(set, error, when);
	err = move_run(&move);
	if (set & pool_calls)
		ferry_trim(ferry);
	faults_stop();
	if (err && !submit_may_fail(set, err))
		good = false;
	/* Statuses can't be written without process_vm_writev. */
	if (!err && !(set & 1U << CALL_VM_WRITEV))
		good &= statuses_are_true(&move);
	if (!err)
		good &= adds_up(&move.result);
	good &= content_is_right();
	good &= next_job_works(what);
	good &= content_is_right();
	if (!good) {
		printf("# %s: job %d, %lu updates lost\n", what, err, nr_lost);
		print_result(&move.result);
	}
	return good;
}

static void fill_pages(void)
{
	for (size_t page = 0; page < NR_PAGES; page++)
		fill(mem + page * PAGE_BYTES, PAGE_BYTES, page);
}

static bool try_set(unsigned int set, const int *errors, unsigned int nr_errors, bool huge,
		    const char *name, unsigned int nr_whens)
{
	pthread_t writer;
	bool good = true;

	mem = memory_new_in_two_windows(huge);
	fill_pages();
	atomic_store(&stop, false);
	atomic_store(&nr_lost, 0);
	pthread_create(&writer, NULL, writer_run, NULL);
	for (unsigned int e = 0; e < nr_errors && errors[e]; e++)
		for (unsigned int w = 0; w < nr_whens; w++)
			if (case_can_end(set, errors[e], &whens[w]))
				good &= try_case(set, errors[e], &whens[w], huge, name);
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	munmap(mem, LEN);
	return good;
}

/*
 * MOVE always fails, so put-in uses COPY, which fails for a while too. Then COPY has only the
 * frames that put-in frees for it, which fails at times.
 */
static bool try_chain(bool huge)
{
	static const int errors[] = {ENOMEM, EINVAL};
	bool good = true;

	failing_always = 1U << CALL_PUT_IN;
	good &= try_set(1U << CALL_COPY, errors, 2, huge, "COPY instead of MOVE", 3);
	failing_always |= 1U << CALL_COPY;
	no_memory = true;
	good &= try_set(1U << CALL_MADVISE, errors, 1, huge, "no memory for COPY", 3);
	no_memory = false;
	failing_always = 0;
	return good;
}

/* ---- the n-th call of any kind ---- */

static void faults_start_nth(int nth, int error)
{
	fault_error = error;
	atomic_store(&nth_left, nth);
}

static bool job_survives_nth(int nth, int error)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	int err;

	faults_start_nth(nth, error);
	err = move_run(&move);
	atomic_store(&nth_left, 0);
	return (!err || err == -error || err == -EFAULT || err == -ENOMEM) &&
	       (err || adds_up(&move.result)) && content_is_right() &&
	       next_job_works("the n-th call of a job");
}

/* ferry_open() says what is wrong, or opens a context that works, with either mover. */
static bool opening_survives_nth(int nth, int error)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct move move = {.addr = mem, .len = LEN};
	int err;

	options.nr_workers = 2;
	options.pool_prefill_bytes = 1 << 20;
	faults_start_nth(nth, error);
	err = ferry_open(&move.ferry, &options);
	atomic_store(&nth_left, 0);
	if (err)
		return !move.ferry && ferry_open_error()[0];
	err = move_run(&move);
	ferry_close(move.ferry);
	return !err && adds_up(&move.result) && content_is_right();
}

static bool try_each_call(bool (*one)(int nth, int error), const char *name)
{
	static const int errors[] = {ENOMEM, EINVAL, EAGAIN};
	pthread_t writer;
	bool good = true;

	mem = memory_new_in_two_windows(false);
	fill_pages();
	atomic_store(&stop, false);
	atomic_store(&nr_lost, 0);
	pthread_create(&writer, NULL, writer_run, NULL);
	for (unsigned int e = 0; good && e < ARRAY_SIZE(errors); e++) {
		for (int nth = 1; good && nth <= 60; nth++) {
			watchdog(60, name);
			good = one(nth, errors[e]);
			if (!good)
				printf("# call %d, %s\n", nth, strerror(errors[e]));
		}
	}
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	munmap(mem, LEN);
	return good;
}

/* Calls that only the chain, opening, or a machine with several nodes makes. */
static const unsigned int rare_calls = 1U << CALL_COPY | 1U << CALL_VMSTAT | 1U << CALL_EVENTFD;

int main(void)
{
	bool ok;
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.nr_workers = 2;
	ferry = open_exchanging_context(&options);
	__atomic_store_n(&sys_hook, fault_hook, __ATOMIC_RELEASE);
	tap_plan(NR_CALLS + 3);
	for (unsigned int call = 0; call < NR_CALLS; call++) {
		/* UFFDIO_WAKE is called where pages stay, so every take-out fails. */
		failing_always = call == CALL_WAKE ? 1U << CALL_TAKE_OUT : 0;
		bool good = try_set(1U << call, calls[call].errors, ARRAY_SIZE(calls[call].errors),
				    false, calls[call].name, ARRAY_SIZE(whens));

		good &= try_set(1U << call, calls[call].errors, 2, true, calls[call].name,
				ARRAY_SIZE(whens));
		tap_ok(good && (nr_failures[call] || rare_calls & 1U << call),
		       "%s fails, %lu times", calls[call].name, nr_failures[call]);
	}
	ok = try_chain(false);
	ok = try_chain(true) && ok;
	tap_ok(ok, "put-in uses each of its methods, and does without memory");
	tap_ok(try_each_call(job_survives_nth, "n-th call of a job"),
	       "each call of a job fails once");
#ifdef __SANITIZE_THREAD__
	(void)opening_survives_nth;
	tap_skip("TSan does not survive a failed pthread_create", "opening");
#else
	tap_ok(try_each_call(opening_survives_nth, "n-th call of opening"),
	       "each call of opening fails once");
#endif
	watchdog(60, "ferry_close");
	ferry_close(ferry);
	return tap_done();
}
