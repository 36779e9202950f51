// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writers and readers hammer all pages while they move. Other threads do everything that a program
 * may do to its memory, each to a lot of its own in the same mapping. Every writer keeps a private
 * copy of what it wrote and checks each word before it writes it again, so that the test notices
 * every lost update.
 *
 * FERRY_TEST_SECONDS=N runs all phases for N seconds; the default is half a second per phase.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "base/uapi.h"
#include "base/vault.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/random.h"
#include "tests/testlib/tap.h"

#define NR_WRITERS   3
#define WRITTEN_LEN  (8UL << 20)
#define NR_WRITTEN   (WRITTEN_LEN / PAGE_BYTES)
#define LOT_LEN      (1UL << 20)
#define PIECE_LEN    (64UL << 10)
#define WORDS        (PAGE_BYTES / sizeof(uint64_t))
#define STATIC_WORDS 64 /* from this word on, a written page never changes */

enum lot {
	LOT_UNMAP,
	LOT_PROTECT,
	LOT_REMAP,
	LOT_DISCARD,
	LOT_LOCK,
	LOT_DIRECT,
	LOT_REMOTE,
	NR_LOTS
};

static const char *const lot_names[] = {"munmap", "mprotect", "mremap",    "MADV_DONTNEED",
					"mlock",  "O_DIRECT", "process_vm"};

#define ARENA_LEN (WRITTEN_LEN + 8 * LOT_LEN)

static struct {
	char *arena;
	struct ferry *ferry[2];
	atomic_bool stop;
	atomic_bool failed;
	atomic_ulong rounds[NR_LOTS], updates, moved, forks;
	atomic_ulong met; /* discards of pages in flight */
	atomic_uint discarding;
	bool discards_must_meet; /* otherwise it depends on luck */
	uint64_t chunk_bytes;
} h;

static void report_failure(const char *what, const void *at, uint64_t expected, uint64_t found)
{
	if (!atomic_exchange(&h.failed, true))
		printf("# %s: at %p (arena + %#lx): expected %#llx, found %#llx\n", what, at,
		       (unsigned long)((const char *)at - h.arena), (unsigned long long)expected,
		       (unsigned long long)found);
}

static bool test_goes_on(void)
{
	return !atomic_load_explicit(&h.stop, memory_order_relaxed) &&
	       !atomic_load_explicit(&h.failed, memory_order_relaxed);
}

static bool check_content(const char *what, const char *at, size_t len, uint64_t seed)
{
	long wrong = first_wrong(at, len, seed);
	const uint64_t *word = (const uint64_t *)(at + wrong);

	if (wrong >= 0)
		report_failure(what, word, content(seed, (uint64_t)wrong / 8), *word);
	return wrong < 0;
}

/* ---- the written part ---- */

static uint64_t *word_of(size_t page, size_t word)
{
	return (uint64_t *)(h.arena + page * PAGE_BYTES) + word;
}

static void *writer_run(void *arg)
{
	size_t me = (size_t)arg;
	uint64_t *expected = calloc(NR_WRITTEN, sizeof(*expected)), state = me + 1;
	unsigned long nr = 0;

	while (test_goes_on()) {
		size_t page = next_random(&state) % NR_WRITTEN;
		volatile uint64_t *word = word_of(page, me);
		uint64_t found = *word;

		if (found != expected[page])
			report_failure("lost update", (const void *)word, expected[page], found);
		*word = ++expected[page];
		nr++;
	}
	for (size_t page = 0; page < NR_WRITTEN; page++)
		if (*word_of(page, me) != expected[page])
			report_failure("lost update", word_of(page, me), expected[page],
				       *word_of(page, me));
	atomic_fetch_add(&h.updates, nr);
	free(expected);
	return NULL;
}

static bool check_static(size_t page, const char *what)
{
	for (size_t w = STATIC_WORDS; w < WORDS; w++) {
		uint64_t expected = content(page, w), found = *word_of(page, w);

		if (found != expected) {
			report_failure(what, word_of(page, w), expected, found);
			return false;
		}
	}
	return true;
}

static void *reader_run(void *arg __maybe_unused)
{
	uint64_t state = 99;

	while (test_goes_on())
		check_static(next_random(&state) % NR_WRITTEN, "reader");
	return NULL;
}

static void *forker_run(void *arg __maybe_unused)
{
	while (test_goes_on()) {
		int status = 0;
		pid_t child = fork();

		if (!child) {
			for (size_t page = 0; page < NR_WRITTEN; page += 3)
				if (!check_static(page, "forked child"))
					_exit(1);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			report_failure("child", NULL, 0, (uint64_t)status);
		atomic_fetch_add(&h.forks, 1);
		usleep(20000);
	}
	return NULL;
}

/* ---- what threads do to their lots, piece by piece ---- */

static void unmap_piece(char *at, uint64_t seed)
{
	munmap(at, PIECE_LEN);
	if (mmap(at, PIECE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != at)
		report_failure("mmap", at, 0, (uint64_t)errno);
	for (size_t i = 0; i < PIECE_LEN; i += PAGE_BYTES)
		if (*(uint64_t *)(at + i))
			report_failure("new mapping", at + i, 0, *(uint64_t *)(at + i));
	fill(at, PIECE_LEN, seed);
}

static void protect_piece(char *at, uint64_t seed)
{
	fill(at, PIECE_LEN, seed);
	if (mprotect(at, PIECE_LEN, PROT_READ))
		report_failure("mprotect", at, 0, (uint64_t)errno);
	check_content("read-only", at, PIECE_LEN, seed);
	mprotect(at, PIECE_LEN, PROT_NONE);
	mprotect(at, PIECE_LEN, PROT_READ | PROT_WRITE);
}

static void carry_page(char *from, char *to)
{
	if (mremap(from, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		   to) == MAP_FAILED)
		report_failure("mremap", from, 0, (uint64_t)errno);
}

/*
 * One call per page: while part of a mapping is registered the kernel splits it in two, and mremap
 * takes only one. Without DONTUNMAP another thread's mapping could take the place that became free.
 */
static void remap_piece(char *at, uint64_t seed)
{
	static char *aside;

	if (!aside)
		aside = mmap(NULL, PIECE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	fill(at, PIECE_LEN, seed);
	for (size_t i = 0; i < PIECE_LEN; i += PAGE_BYTES)
		carry_page(at + i, aside + i);
	check_content("after mremap", aside, PIECE_LEN, seed);
	for (size_t i = 0; i < PIECE_LEN; i += PAGE_BYTES)
		carry_page(aside + i, at + i);
}

/*
 * A discard keeps the mover away from its range for a while, so that one after another would never
 * meet a page in flight. So each waits until its piece has been taken out, and the put-in of that
 * piece waits for the discard.
 */
enum { DISCARD_NONE, DISCARD_AWAITS, DISCARD_MEETS };

static char *_Atomic awaited_piece;

static bool move_touches(uint64_t start, uint64_t len, const char *piece)
{
	return start < (uintptr_t)piece + PIECE_LEN && (uintptr_t)piece < start + len;
}

static bool delay_put_in(long nr, const long args[6], long *ret)
{
	const struct uffdio_move *move = (const struct uffdio_move *)args[2];
	const char *piece = atomic_load(&awaited_piece);
	unsigned int awaits = DISCARD_AWAITS;

	if (nr != SYS_ioctl || (unsigned long)args[1] != UFFDIO_MOVE || !piece)
		return false;
	if (vault_overlaps((void *)move->dst, 1)) {
		if (atomic_load(&h.discarding) == awaits &&
		    move_touches(move->src, move->len, piece)) {
			*ret = sys_raw(nr, args[0], args[1], args[2], 0, 0, 0);
			if (!*ret)
				atomic_compare_exchange_strong(&h.discarding, &awaits,
							       DISCARD_MEETS);
			return true;
		}
		return false;
	}
	/* EAGAIN: an event waits to be read. The lane makes way for the watcher, and tries again.
	 */
	*ret = -EAGAIN;
	return atomic_load(&h.discarding) == DISCARD_MEETS &&
	       move_touches(move->dst, move->len, piece);
}

/*
 * Pages that are shared with a forked child are refused until they have been written again, so this
 * writes them again and again, but never while they are out: their put-in waits for this thread.
 */
static void discard_await_flight(char *at, uint64_t seed)
{
	unsigned int awaits, tries = 0;

	atomic_store(&awaited_piece, at);
	do {
		fill(at, PIECE_LEN, seed);
		atomic_store(&h.discarding, DISCARD_AWAITS);
		for (int i = 0; i < 50 && atomic_load(&h.discarding) == DISCARD_AWAITS; i++)
			usleep(200);
		awaits = DISCARD_AWAITS;
	} while (atomic_compare_exchange_strong(&h.discarding, &awaits, DISCARD_NONE) &&
		 (h.discards_must_meet || ++tries < 4) && test_goes_on());
}

static void discard_piece(char *at, uint64_t seed)
{
	discard_await_flight(at, seed);
	if (madvise(at, PIECE_LEN, MADV_DONTNEED))
		report_failure("madvise", at, 0, (uint64_t)errno);
	if (atomic_exchange(&h.discarding, DISCARD_NONE) == DISCARD_MEETS)
		atomic_fetch_add(&h.met, 1);
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < PIECE_LEN; i += 8)
			if (*(volatile uint64_t *)(at + i))
				report_failure("discarded memory came back", at + i, 0,
					       *(uint64_t *)(at + i));
		usleep(200);
	}
	fill(at, PIECE_LEN, seed);
}

static void lock_piece(char *at, uint64_t seed)
{
	fill(at, PIECE_LEN, seed);
	if (syscall(SYS_mlock, at, PIECE_LEN) && errno != ENOMEM && errno != EPERM)
		report_failure("mlock", at, 0, (uint64_t)errno);
	check_content("locked", at, PIECE_LEN, seed);
	syscall(SYS_munlock, at, PIECE_LEN);
}

/* Writes to a file and reads from it past the page cache, by DMA from and to the pages. */
static void direct_piece(char *at, uint64_t seed)
{
	static int fd = -2;

	if (fd == -2)
		fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_DIRECT, 0600);
	fill(at, PIECE_LEN, seed);
	if (fd < 0)
		return;
	if (pwrite(fd, at, PIECE_LEN, 0) != (ssize_t)PIECE_LEN)
		report_failure("O_DIRECT write", at, 0, (uint64_t)errno);
	fill(at, PIECE_LEN, seed + 1);
	if (pread(fd, at, PIECE_LEN, 0) != (ssize_t)PIECE_LEN)
		report_failure("O_DIRECT read", at, 0, (uint64_t)errno);
}

static void remote_piece(char *at, uint64_t seed)
{
	static char copy[PIECE_LEN];
	struct iovec here = {copy, PIECE_LEN}, there = {at, PIECE_LEN};

	fill(copy, PIECE_LEN, seed);
	if (process_vm_writev(getpid(), &here, 1, &there, 1, 0) != (ssize_t)PIECE_LEN)
		report_failure("process_vm_writev", at, 0, (uint64_t)errno);
	memset(copy, 0, sizeof(copy));
	if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)PIECE_LEN)
		report_failure("process_vm_readv", at, 0, (uint64_t)errno);
	if (first_wrong(copy, PIECE_LEN, seed) >= 0)
		report_failure("process_vm_readv", at, 0, 1);
}

static void (*const lot_pieces[NR_LOTS])(char *, uint64_t) = {
	[LOT_UNMAP] = unmap_piece,     [LOT_PROTECT] = protect_piece, [LOT_REMAP] = remap_piece,
	[LOT_DISCARD] = discard_piece, [LOT_LOCK] = lock_piece,       [LOT_DIRECT] = direct_piece,
	[LOT_REMOTE] = remote_piece,
};

/* Each piece keeps its content until its next turn, which begins with a check. */
static void *lot_run(void *arg)
{
	size_t lot = (size_t)arg;
	char *base = h.arena + WRITTEN_LEN + lot * LOT_LEN;
	uint64_t seeds[LOT_LEN / PIECE_LEN] = {0}, state = lot, seed = 1;

	while (test_goes_on()) {
		size_t piece = next_random(&state) % (LOT_LEN / PIECE_LEN);
		char *at = base + piece * PIECE_LEN;

		if (seeds[piece] && !check_content(lot_names[lot], at, PIECE_LEN, seeds[piece]))
			break;
		seeds[piece] = seed += 2;
		lot_pieces[lot](at, seed);
		if (!check_content(lot_names[lot], at, PIECE_LEN, seed))
			break;
		atomic_fetch_add(&h.rounds[lot], 1);
	}
	return NULL;
}

/* ---- the movers ---- */

static void *mover_run(void *arg)
{
	uint64_t state = (uint64_t)(uintptr_t)arg + 7;
	struct ferry *ferry = h.ferry[(size_t)arg % 2];

	while (test_goes_on()) {
		static const unsigned int lanes[] = {0, FERRY_MOVE_TOGETHER, FERRY_MOVE_APART};
		size_t len = next_random(&state) % 2 ? ARENA_LEN : WRITTEN_LEN;
		size_t from = next_random(&state) % (len / PAGE_BYTES) * PAGE_BYTES;
		struct move move = {
			.ferry = ferry,
			.addr = h.arena,
			.len = len,
			.mover = next_random(&state) % 4 ? FERRY_MOVER_EXCHANGE : FERRY_MOVER_AUTO,
			.chunk_bytes = h.chunk_bytes,
			.flags = lanes[next_random(&state) % ARRAY_SIZE(lanes)],
			.nr_workers = (unsigned int)(next_random(&state) % 4),
		};
		int err;

		if (next_random(&state) % 2) {
			move.addr = h.arena + from;
			move.len = MIN(len - from, (1 + next_random(&state) % 1024) << 12);
		}
		err = move_run(&move);
		if (err || !adds_up(&move.result))
			report_failure("job", move.addr, 0, (uint64_t)-err);
		atomic_fetch_add(&h.moved, exchanged(&move));
	}
	return NULL;
}

/* ---- phases ---- */

static const struct phase {
	const char *engine;
	uint64_t chunk_bytes;
	bool huge, two_contexts;
} phases[] = {
	{"cpu", 0, false, false},
	{"cpu", 4096, false, true},
	{"cpu", 65536, false, false},
	{"cpu", 128 << 10, false, true},
	{"cpu", 0, true, true},
	{"fault:every=7,what=mix,inner=cpu", 0, false, false},
	{"fault:every=3,what=mix,inner=cpu", 16384, false, false},
	{"fault:every=7,what=mix,inner=cpu", 512 << 10, true, false},
	{"dsa:model", 0, false, true},
	{"dsa:model", 1 << 20, true, false},
	{"sdxi:model", 256 << 10, false, false},
	{"cpu+dsa:model,devices=2+sdxi:model", 0, true, true},
	{"fault:every=7,what=mix,inner=cpu+fault:every=5,what=mix,inner=dsa:model", 0, false,
	 false},
};

static bool phase_open_contexts(const struct phase *phase)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	options.engine = phase->engine;
	options.nr_workers = 4;
	h.ferry[1] = NULL;
	if (ferry_open(&h.ferry[0], &options))
		return false;
	options.engine = "cpu";
	if (!phase->two_contexts || ferry_open(&h.ferry[1], &options))
		h.ferry[1] = h.ferry[0];
	return true;
}

static void phase_set_up(const struct phase *phase)
{
	h.arena = memory_new(ARENA_LEN, phase->huge);
	for (size_t page = 0; page < NR_WRITTEN; page++)
		for (size_t w = STATIC_WORDS; w < WORDS; w++)
			*word_of(page, w) = content(page, w);
	h.chunk_bytes = phase->chunk_bytes;
	h.discards_must_meet = phase == &phases[0];
	atomic_store(&h.stop, false);
	atomic_store(&h.updates, 0);
	atomic_store(&h.moved, 0);
	atomic_store(&h.forks, 0);
	atomic_store(&h.met, 0);
	for (unsigned int lot = 0; lot < NR_LOTS; lot++)
		atomic_store(&h.rounds[lot], 0);
}

static void phase_run(const struct phase *phase, double seconds)
{
	pthread_t threads[NR_WRITERS + NR_LOTS + 4];
	unsigned int nr = 0;

	phase_set_up(phase);
	for (size_t i = 0; i < NR_WRITERS; i++)
		pthread_create(&threads[nr++], NULL, writer_run, (void *)i);
	for (size_t i = 0; i < NR_LOTS; i++)
		pthread_create(&threads[nr++], NULL, lot_run, (void *)i);
	for (size_t i = 0; i < 2; i++)
		pthread_create(&threads[nr++], NULL, mover_run, (void *)i);
	pthread_create(&threads[nr++], NULL, reader_run, NULL);
	pthread_create(&threads[nr++], NULL, forker_run, NULL);
	/* On a busy machine it may take a while until the first page has moved or was discarded. */
	for (double left = seconds; (left > 0 || !atomic_load(&h.moved) ||
				     (h.discards_must_meet && !atomic_load(&h.met))) &&
				    test_goes_on();
	     left -= 0.05)
		usleep(50000);
	atomic_store(&h.stop, true);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	for (size_t page = 0; page < NR_WRITTEN; page++)
		check_static(page, "at the end");
	munmap(h.arena, ARENA_LEN);
}

static void phase_note_counts(void)
{
	printf("# %lu pages exchanged, %lu updates, %lu forks, %lu discards of pages in flight",
	       h.moved, h.updates, h.forks, h.met);
	for (unsigned int lot = 0; lot < NR_LOTS; lot++)
		printf(", %lu %s", h.rounds[lot], lot_names[lot]);
	printf("\n");
}

int main(void)
{
	double seconds = test_seconds(0.5 * ARRAY_SIZE(phases)) / ARRAY_SIZE(phases);

	tap_plan(ARRAY_SIZE(phases));
	__atomic_store_n(&sys_hook, delay_put_in, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < ARRAY_SIZE(phases); i++) {
		const struct phase *phase = &phases[i];
		const char *lack;

		watchdog(90 + (unsigned int)(3 * seconds), phase->engine);
		if (!phase_open_contexts(phase)) {
			tap_skip(ferry_open_error(), "%s", phase->engine);
			continue;
		}
		lack = no_exchange(h.ferry[0]);
		if (lack) {
			tap_skip(lack, "%s", phase->engine);
		} else {
			atomic_store(&h.failed, false);
			phase_run(phase, seconds);
			phase_note_counts();
			tap_ok(!h.failed && h.moved && h.updates,
			       "%s, %s pages, chunks of %llu: nothing is lost", phase->engine,
			       phase->huge ? "huge" : "small",
			       (unsigned long long)phase->chunk_bytes);
		}
		if (h.ferry[1] != h.ferry[0])
			ferry_close(h.ferry[1]);
		ferry_close(h.ferry[0]);
	}
	return tap_done();
}
