// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every system call of the movers fails in turn, with each error it can return: the first time,
 * some time in the middle, every third time, and always. After each, with a thread writing all
 * along: every byte is right, the statuses are true and add up, nothing hangs, and the next job
 * works.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "base/sys.h"
#include "base/vault.h"
#include "base/uapi.h"
#include "tests/host/tap.h"
#include "tests/testlib/moving.h"

#define LEN      (4UL << 20)
#define NR_PAGES (LEN / PAGE_BYTES)
#define ALWAYS   1000000000U

/* ---- what is to fail ---- */

enum call {
	TAKE_OUT,
	TAKE_OUT_PARTLY, /* some pages are moved, then EAGAIN */
	PUT_IN,
	PUT_IN_PARTLY,
	COPY,
	ZEROPAGE,
	WAKE,
	REGISTER,
	UNREGISTER,
	SCAN,
	QUERY,
	MADVISE,
	MREMAP,
	MOVE_PAGES,
	VM_READV,
	VM_WRITEV,
	VMSTAT,
	EVENTFD,
	OPENAT,
	NR_CALLS,
};

static const struct {
	const char *name;
	int errors[6];
} calls[NR_CALLS] = {
	[TAKE_OUT] = {"UFFDIO_MOVE on take-out", {EAGAIN, EBUSY, EINVAL, ENOENT, ENOMEM, EEXIST}},
	[TAKE_OUT_PARTLY] = {"part of UFFDIO_MOVE on take-out", {EAGAIN}},
	/* ENOENT and EEXIST would say that the program has thrown the page away. */
	[PUT_IN] = {"UFFDIO_MOVE on put-in", {EAGAIN, EINVAL, ENOMEM, EBUSY}},
	[PUT_IN_PARTLY] = {"part of UFFDIO_MOVE on put-in", {EAGAIN}},
	[COPY] = {"UFFDIO_COPY", {EAGAIN, EINVAL, ENOMEM}},
	[ZEROPAGE] = {"UFFDIO_ZEROPAGE", {EAGAIN, EINVAL, ENOMEM}},
	[WAKE] = {"UFFDIO_WAKE", {EINVAL}},
	[REGISTER] = {"UFFDIO_REGISTER", {EINVAL, EBUSY, ENOMEM, EPERM}},
	[UNREGISTER] = {"UFFDIO_UNREGISTER", {EINVAL, ENOMEM}},
	[SCAN] = {"PAGEMAP_SCAN", {EINVAL, ENOMEM, EFAULT}},
	[QUERY] = {"PROCMAP_QUERY", {ENOENT, EINVAL, ENAMETOOLONG, ESRCH}},
	[MADVISE] = {"madvise", {EINVAL, ENOMEM, EAGAIN, EFAULT}},
	[MREMAP] = {"mremap", {ENOMEM, EINVAL, EFAULT}},
	[MOVE_PAGES] = {"move_pages", {ENOMEM, EACCES, EFAULT, EPERM}},
	[VM_READV] = {"process_vm_readv", {EPERM, EFAULT, ENOMEM}},
	[VM_WRITEV] = {"process_vm_writev", {EPERM, EFAULT, ENOMEM}},
	[VMSTAT] = {"pread of vmstat", {EIO, EINVAL}},
	[EVENTFD] = {"eventfd", {EMFILE, ENOMEM}},
	[OPENAT] = {"openat", {EMFILE, ENOENT}},
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

static atomic_uint wrath;         /* a set of enum call that fails */
static unsigned int wrath_always; /* a set that fails with ENOMEM besides */
static int wrath_error;
static const struct when *wrath_when;
static atomic_uint nr_met, nr_failed;
static atomic_ulong nr_struck[NR_CALLS], nr_seen[NR_CALLS];
static atomic_int nth_left; /* calls of any kind until one fails; 0: none will */

static int ioctl_call(unsigned long request, const void *arg)
{
	const struct uffdio_move *move = arg;

	switch (request) {
	case UFFDIO_MOVE:
		return vault_overlaps((void *)move->dst, 1) ? TAKE_OUT : PUT_IN;
	case UFFDIO_COPY:
		return COPY;
	case UFFDIO_ZEROPAGE:
		return ZEROPAGE;
	case UFFDIO_WAKE:
		return WAKE;
	case UFFDIO_REGISTER:
		return REGISTER;
	case UFFDIO_UNREGISTER:
		return UNREGISTER;
	case PAGEMAP_SCAN:
		return SCAN;
	case PROCMAP_QUERY:
		return QUERY;
	}
	return -1;
}

static int call_of(long nr, const long args[6])
{
	switch (nr) {
	case SYS_ioctl:
		return ioctl_call((unsigned long)args[1], (const void *)args[2]);
	case SYS_madvise:
		return MADVISE;
	case SYS_mremap:
		return MREMAP;
	case SYS_move_pages:
		return MOVE_PAGES;
	case SYS_process_vm_readv:
		return VM_READV;
	case SYS_process_vm_writev:
		return VM_WRITEV;
	case SYS_pread64:
		return VMSTAT;
	case SYS_eventfd2:
		return EVENTFD;
	case SYS_openat:
		return OPENAT;
	}
	return -1;
}

/*
 * EAGAIN says that an event waits to be read: put-in has to wait for that, so for ever would be for
 * ever.
 */
static bool can_end(unsigned int set, int error, const struct when *when)
{
	return error != EAGAIN || when->times != ALWAYS || when->every > 1 ||
	       !(set & (1U << PUT_IN | 1U << COPY));
}

/* Its turn? */
static bool strikes(int call)
{
	unsigned int nth = atomic_fetch_add(&nr_met, 1) + 1;

	if (nth < wrath_when->first || (nth - wrath_when->first) % wrath_when->every ||
	    atomic_load(&nr_failed) >= wrath_when->times)
		return false;
	atomic_fetch_add(&nr_failed, 1);
	atomic_fetch_add(&nr_struck[call], 1);
	return true;
}

/* A third of the pages are moved, at least one, and the rest is to be asked for again. */
static long move_partly(long nr, const long args[6])
{
	struct uffdio_move *move = (struct uffdio_move *)args[2], part = *move;
	long err;

	part.len = MAX(ALIGN_DOWN(move->len / 3, PAGE_BYTES), PAGE_BYTES);
	err = sys_raw(nr, args[0], args[1], (long)&part, 0, 0, 0);
	move->move = part.move;
	return err ? err : part.len == move->len ? 0 : -EAGAIN;
}

/* Such as end or wait: nothing that could be done without. */
static bool spared(long nr)
{
	return nr == SYS_futex || nr == SYS_munmap || nr == SYS_close || nr == SYS_sched_yield ||
	       nr == SYS_nanosleep || nr == SYS_ppoll || nr == SYS_read || nr == SYS_getpid;
}

static bool hook(long nr, const long args[6], long *ret)
{
	unsigned int set = atomic_load_explicit(&wrath, memory_order_acquire);
	int call, partly;

	if (atomic_load(&nth_left) && !spared(nr) && atomic_fetch_sub(&nth_left, 1) == 1) {
		*ret = -wrath_error;
		return true;
	}
	if (!set)
		return false;
	call = call_of(nr, args);
	if (call < 0)
		return false;
	atomic_fetch_add(&nr_seen[call], 1);
	partly = call == TAKE_OUT ? TAKE_OUT_PARTLY : call == PUT_IN ? PUT_IN_PARTLY : -1;
	if (partly >= 0 && set & 1U << partly && strikes(partly)) {
		*ret = move_partly(nr, args);
		return true;
	}
	*ret = -ENOMEM;
	if (wrath_always & 1U << call)
		return true;
	*ret = -wrath_error;
	return set & 1U << call && strikes(call);
}

static void strike(unsigned int set, int error, const struct when *when)
{
	wrath_error = error;
	wrath_when = when;
	atomic_store(&nr_met, 0);
	atomic_store(&nr_failed, 0);
	atomic_store_explicit(&wrath, set, memory_order_release);
}

static void calm(void)
{
	atomic_store_explicit(&wrath, 0, memory_order_release);
}

/* ---- a thread that writes meanwhile ---- */

static char *mem;
static atomic_bool stop;
static atomic_ulong nr_lost;

/* Its word is the last of each page; the rest has known content. */
static volatile uint64_t *counter(size_t page)
{
	return (volatile uint64_t *)(mem + (page + 1) * PAGE_BYTES - sizeof(uint64_t));
}

static void *write_all(void *arg)
{
	uint64_t round = 0;

	for (size_t page = 0; page < NR_PAGES; page++)
		*counter(page) = 0;
	while (!atomic_load(&stop)) {
		for (size_t page = 0; page < NR_PAGES; page++) {
			if (*counter(page) != round)
				atomic_fetch_add(&nr_lost, 1);
			*counter(page) = round + 1;
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

static bool works(bool huge, const char *what)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};

	if (!move_run(&move) && move.result.nr_moved == NR_PAGES)
		return true;
	print_result(&move.result);
	printf("# %s: what comes after does not work\n", what);
	return false;
}

/* Which errors a submit itself may hand on. */
static bool refuses(unsigned int set, int err)
{
	return set & (1U << EVENTFD | 1U << VM_READV | 1U << MOVE_PAGES | 1U << OPENAT) &&
	       (err == -wrath_error || err == -EFAULT);
}

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
	strike(set, error, when);
	err = move_run(&move);
	calm();
	if (err && !refuses(set, err))
		good = false;
	/* Statuses can't be written without process_vm_writev. */
	if (!err && !(set & 1U << VM_WRITEV))
		good &= statuses_are_true(&move);
	if (!err)
		good &= adds_up(&move.result);
	good &= content_is_right();
	good &= works(huge, what);
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

	mem = memory_new(LEN, huge);
	fill_pages();
	atomic_store(&stop, false);
	atomic_store(&nr_lost, 0);
	pthread_create(&writer, NULL, write_all, NULL);
	for (unsigned int e = 0; e < nr_errors && errors[e]; e++)
		for (unsigned int w = 0; w < nr_whens; w++)
			if (can_end(set, errors[e], &whens[w]))
				good &= try_case(set, errors[e], &whens[w], huge, name);
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	munmap(mem, LEN);
	return good;
}

/* Put-in by the lower ways, and these fail for a while too. */
static bool try_chain(bool huge)
{
	static const int errors[] = {ENOMEM, EINVAL};
	bool good = true;

	atomic_store(&nr_seen[MREMAP], 0);
	wrath_always = 1U << PUT_IN;
	good &= try_set(1U << COPY, errors, 2, huge, "COPY in the place of MOVE", 3);
	wrath_always |= 1U << COPY;
	good &= try_set(1U << MREMAP, errors, 1, huge, "mremap in the place of COPY", 2);
	wrath_always = 0;
	return good && nr_seen[MREMAP];
}

/* ---- the n-th call of any kind ---- */

static void strike_nth(int nth, int error)
{
	wrath_error = error;
	atomic_store(&nth_left, nth);
}

static bool nth_of_a_job(int nth, int error)
{
	struct move move = {.ferry = ferry, .addr = mem, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};
	int err;

	strike_nth(nth, error);
	err = move_run(&move);
	atomic_store(&nth_left, 0);
	return (!err || err == -error || err == -EFAULT || err == -ENOMEM) &&
	       (err || adds_up(&move.result)) && content_is_right() &&
	       works(false, "the n-th call of a job");
}

/* Opening says what is wrong, or leaves a context that works, by whatever mover. */
static bool nth_of_opening(int nth, int error)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct move move = {.addr = mem, .len = LEN};
	int err;

	options.nr_workers = 2;
	options.pool_prefill_bytes = 1 << 20;
	strike_nth(nth, error);
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

	mem = memory_new(LEN, false);
	fill_pages();
	atomic_store(&stop, false);
	atomic_store(&nr_lost, 0);
	pthread_create(&writer, NULL, write_all, NULL);
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

/* Met only in the chain, in opening, or where there are several nodes. */
static const unsigned int rare_calls =
	1U << COPY | 1U << MREMAP | 1U << MADVISE | 1U << VMSTAT | 1U << OPENAT | 1U << UNREGISTER;

int main(void)
{
	bool ok;
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.nr_workers = 2;
	ferry = open_exchanging_context(&options);
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	tap_plan(NR_CALLS + 3);
	for (unsigned int call = 0; call < NR_CALLS; call++) {
		/* Waiters are woken one by one where pages stayed. */
		wrath_always = call == WAKE ? 1U << TAKE_OUT : 0;
		bool good = try_set(1U << call, calls[call].errors, ARRAY_SIZE(calls[call].errors),
				    false, calls[call].name, ARRAY_SIZE(whens));

		good &= try_set(1U << call, calls[call].errors, 2, true, calls[call].name,
				ARRAY_SIZE(whens));
		tap_ok(good && (nr_struck[call] || rare_calls & 1U << call), "%s fails, %lu times",
		       calls[call].name, nr_struck[call]);
	}
	ok = try_chain(false);
	ok = try_chain(true) && ok;
	tap_ok(ok, "put-in has to go all its ways");
	tap_ok(try_each_call(nth_of_a_job, "n-th call of a job"), "each call of a job fails once");
#ifdef __SANITIZE_THREAD__
	(void)nth_of_opening;
	tap_skip("TSan does not survive a pthread_create that fails", "opening");
#else
	tap_ok(try_each_call(nth_of_opening, "n-th call of opening"),
	       "each call of opening fails once");
#endif
	watchdog(60, "ferry_close");
	ferry_close(ferry);
	return tap_done();
}
