// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Makes random requests of move_pages(2) and of ferry_move_pages, on two arenas of the same layout.
 * Result, errno, statuses and the bytes around them must agree, and no byte of a page may change.
 *
 *	move_pages_fuzz [--time SECONDS] [--seed SEED [--steps N]]
 *
 * Each round of STEPS requests runs in a process of its own. The seed determines a round and is
 * printed when the round fails; --seed runs that round again.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/scene.h"
#include "tests/fuzz/arena.h"

#define STEPS      400
#define MAX_COUNT  2000
#define BUF_BYTES  (MAX_COUNT * sizeof(void *) / PAGE_BYTES * PAGE_BYTES + 2 * PAGE_BYTES)
#define BUFFERS    ((char *)0x200000000000) /* far from where mmap(2) places mappings */
#define BAD_BUFFER ((char *)8)
#define FILL       0xb3 /* initial content of the arrays' mappings */

enum array { PAGES, NODES, STATUS, NR_ARRAYS };

static const size_t entry_bytes[NR_ARRAYS] = {
	[PAGES] = sizeof(void *), [NODES] = sizeof(int), [STATUS] = sizeof(int)};

struct request {
	unsigned long count;
	int pid, flags;
	/* Where each array begins in its buffer; or it is at a bad address, or NULL. */
	size_t offset[NR_ARRAYS];
	bool bad[NR_ARRAYS], null[NR_ARRAYS];
	bool status_is_nodes, status_is_pages, status_read_only;
	unsigned int nr_filled; /* entries that are filled in */
	unsigned int page[MAX_COUNT];
	int node[MAX_COUNT];
};

/* One side: an arena and the buffers that its arrays lie in. */
struct half {
	struct arena arena;
	char *buffer[NR_ARRAYS];
	char *array[NR_ARRAYS]; /* as passed */
	long ret;
	int err;
};

static struct half halves[2];
static struct ferry *ferry;
static pid_t helper;
static int nr_usable_nodes, usable_nodes[8];

/* ---- making requests ------------------------------------------------------------------------ */

static int random_node(struct rng *rng)
{
	static const int odd[] = {-1, 63, 1023, 1024, INT_MAX, INT_MIN, 8};

	if (one_in(rng, 3000))
		return odd[below(rng, ARRAY_SIZE(odd))];
	return usable_nodes[below(rng, (unsigned int)nr_usable_nodes)];
}

static unsigned long random_count(struct rng *rng)
{
	static const unsigned long odd[] = {ULONG_MAX, 1UL << 61, (1UL << 61) + 7,
					    1UL << 63, 1UL << 32, LONG_MAX};

	switch (below(rng, 16)) {
	case 0:
		return 0;
	case 1:
		return odd[below(rng, ARRAY_SIZE(odd))];
	case 2 ... 7:
		return below(rng, 70);
	default:
		return below(rng, MAX_COUNT);
	}
}

static int random_flags(struct rng *rng)
{
	static const int usual[] = {0, MPOL_MF_MOVE, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL,
				    MPOL_MF_MOVE | MPOL_MF_MOVE_ALL};

	if (one_in(rng, 25))
		return (int)rng_next(rng);
	if (one_in(rng, 25))
		return MPOL_MF_STRICT << below(rng, 6);
	return usual[below(rng, ARRAY_SIZE(usual))];
}

static int random_pid(struct rng *rng)
{
	const int odd[] = {-1, 0x7ffffffe, 2, 1, INT_MIN, helper, helper, getpid()};

	return one_in(rng, 5) ? odd[below(rng, ARRAY_SIZE(odd))] : 0;
}

static void place_arrays(struct rng *rng, struct request *r)
{
	for (int a = 0; a < NR_ARRAYS; a++) {
		size_t room = BUF_BYTES / entry_bytes[a], entries = r->nr_filled;

		/* Mostly the array fits; sometimes the mapping ends before it. */
		if (one_in(rng, 12) && entries)
			entries = below(rng, (unsigned int)entries);
		r->offset[a] = (room - entries) * entry_bytes[a];
		if (one_in(rng, 3))
			r->offset[a] =
				below(rng, (unsigned int)(room - entries) + 1) * entry_bytes[a];
		if (one_in(rng, 20) && r->offset[a])
			r->offset[a]--;
		r->bad[a] = one_in(rng, 60);
		r->null[a] = one_in(rng, a == NODES ? 5 : 60);
	}
	r->status_is_nodes = one_in(rng, 20);
	r->status_is_pages = !r->status_is_nodes && one_in(rng, 40);
	r->status_read_only = one_in(rng, 60);
}

static void make_request(struct rng *rng, struct request *r)
{
	unsigned int first = below(rng, ARENA_PAGES), stride = one_in(rng, 3) ? 0 : 1;
	int node = random_node(rng);

	r->count = random_count(rng);
	r->nr_filled = r->count < MAX_COUNT ? (unsigned int)r->count : below(rng, MAX_COUNT);
	r->flags = random_flags(rng);
	r->pid = random_pid(rng);
	for (unsigned int i = 0; i < r->nr_filled; i++) {
		if (one_in(rng, 50))
			first = below(rng, ARENA_PAGES);
		if (one_in(rng, 100) || (!stride && one_in(rng, 3)))
			node = random_node(rng);
		r->page[i] = stride ? (first + i) % ARENA_PAGES : below(rng, ARENA_PAGES);
		/* Page numbers from ARENA_PAGES on stand for addresses outside of user space. */
		if (one_in(rng, 60))
			r->page[i] = ARENA_PAGES + below(rng, NR_ODD_ADDRS);
		r->node[i] = one_in(rng, 3000) ? random_node(rng) : node;
	}
	place_arrays(rng, r);
}

/* ---- calling -------------------------------------------------------------------------------- */

static char *array_of(const struct request *r, struct half *s, enum array a)
{
	if (r->null[a])
		return NULL;
	return r->bad[a] ? BAD_BUFFER : s->buffer[a] + r->offset[a];
}

/* Writes the entries that fit into the buffers, and sets the arrays to be passed. */
static void half_lay_out(struct rng *rng __maybe_unused, const struct request *r, struct half *s)
{
	unsigned int shift = 0;

	for (int a = 0; a < NR_ARRAYS; a++) {
		mprotect(s->buffer[a], BUF_BYTES, PROT_READ | PROT_WRITE);
		memset(s->buffer[a], FILL, BUF_BYTES);
		s->array[a] = array_of(r, s, a);
	}
	for (unsigned int i = 0; i < r->nr_filled; i++) {
		void *page = arena_addr(&s->arena, r->page[i], shift);
		size_t at = r->offset[PAGES] + i * sizeof(void *);

		shift = (shift * 5 + i) & 0xfff;
		if (at + sizeof(void *) <= BUF_BYTES)
			memcpy(s->buffer[PAGES] + at, &page, sizeof(page));
		at = r->offset[NODES] + i * sizeof(int);
		if (at + sizeof(int) <= BUF_BYTES)
			memcpy(s->buffer[NODES] + at, &r->node[i], sizeof(int));
	}
	if (r->status_is_nodes)
		s->array[STATUS] = s->array[NODES];
	if (r->status_is_pages)
		s->array[STATUS] = s->array[PAGES];
	if (r->status_read_only)
		mprotect(s->buffer[STATUS], BUF_BYTES, PROT_READ);
}

static void half_call(const struct request *r, struct half *s, bool kernel)
{
	void **pages = (void **)s->array[PAGES];
	const int *nodes = (const int *)s->array[NODES];
	int *status = (int *)s->array[STATUS];

	if (kernel) {
		s->ret = kernel_result(sys(SYS_move_pages, r->pid, r->count, pages, nodes, status,
					   r->flags),
				       &s->err);
		return;
	}
	errno = 0;
	s->ret = ferry_move_pages(ferry, r->pid, r->count, pages, nodes, status, r->flags);
	s->err = s->ret < 0 ? errno : 0;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static bool report_difference(const char *what, const struct request *r)
{
	printf("%s\n  count %#lx (%u filled in), pid %d%s, flags %#x, pages %s, nodes %s, status "
	       "%s%s%s%s, %s\n",
	       what, r->count, r->nr_filled, r->pid, r->pid == helper ? " (helper)" : "", r->flags,
	       r->null[PAGES]  ? "NULL"
	       : r->bad[PAGES] ? "bad"
			       : "set",
	       r->null[NODES]  ? "NULL"
	       : r->bad[NODES] ? "bad"
			       : "set",
	       r->null[STATUS]  ? "NULL"
	       : r->bad[STATUS] ? "bad"
				: "set",
	       r->status_is_nodes ? " = nodes" : "", r->status_is_pages ? " = pages" : "",
	       r->status_read_only ? " read-only" : "", getuid() ? "nobody" : "root");
	printf("  entries that fit: pages %zu, nodes %zu, status %zu\n",
	       (BUF_BYTES - r->offset[PAGES]) / sizeof(void *),
	       (BUF_BYTES - r->offset[NODES]) / sizeof(int),
	       (BUF_BYTES - r->offset[STATUS]) / sizeof(int));
	for (int i = 0; i < 2; i++)
		printf("  %s: %ld %s\n", i ? "library" : "kernel", halves[i].ret,
		       halves[i].ret < 0 ? strerrorname_np(halves[i].err) : "");
	return false;
}

/*
 * Two differences are allowed if the library's status is true. The kernel may stop early where the
 * library moves further pages. The kernel may call the second address in a folio busy.
 */
static bool status_is_true(const struct request *r, size_t entry, const int status[2])
{
	int where = UNTOUCHED;
	void *page;

	if ((halves[0].ret == 0 && status[0] != -EBUSY) || entry >= r->nr_filled)
		return false;
	page = arena_addr(&halves[1].arena, r->page[entry], 0);
	sys(SYS_move_pages, r->pid, 1, &page, NULL, &where, 0);
	return status[1] >= 0 && status[1] == where;
}

static bool arrays_agree(const struct request *r, enum array a)
{
	const char *k = halves[0].buffer[a], *f = halves[1].buffer[a];
	size_t i = 0, entry, at;
	int status[2];

	for (;;) {
		while (i < BUF_BYTES && k[i] == f[i])
			i++;
		if (i == BUF_BYTES)
			return true;
		entry = (i - r->offset[a]) / sizeof(int);
		at = r->offset[a] + entry * sizeof(int);
		/* The mapping's end may cut an entry in two: some of its bytes may be stored. */
		if (i >= r->offset[a] && at + sizeof(int) > BUF_BYTES)
			return true;
		at = MIN(at, BUF_BYTES - sizeof(int));
		memcpy(&status[0], k + at, sizeof(int));
		memcpy(&status[1], f + at, sizeof(int));
		if (i < r->offset[a] || !status_is_true(r, entry, status))
			break;
		i = at + sizeof(int);
	}
	report_difference("the statuses differ", r);
	printf("  byte %zu, array at %zu, entry %zu: kernel %d, library %d\n", i, r->offset[a],
	       entry, status[0], status[1]);
	if (entry < r->nr_filled)
		printf("  page %u (%s), node %d\n", r->page[entry],
		       arena_kind_name(&halves[1].arena, r->page[entry]), r->node[entry]);
	return false;
}

static bool halves_agree(const struct request *r)
{
	const struct half *k = &halves[0], *f = &halves[1];
	bool fewer_left = k->ret > 0 && f->ret >= 0 && f->ret <= k->ret;

	if ((k->ret != f->ret || k->err != f->err) && !fewer_left)
		return report_difference("the results differ", r);
	if (!arrays_agree(r, NODES) || !arrays_agree(r, STATUS))
		return false;
	if (!arena_intact(&halves[1].arena))
		return report_difference("a page's bytes changed", r);
	return true;
}

/* ---- rounds --------------------------------------------------------------------------------- */

/* An unfinished request may leave its pages on different nodes in both halves: moves all to one. */
static void halves_realign(const struct request *r, int node)
{
	static void *pages[MAX_COUNT];
	static int nodes[MAX_COUNT], status[MAX_COUNT];

	if (nr_usable_nodes == 1 || (!halves[0].ret && !halves[1].ret))
		return;
	for (int h = 0; h < 2; h++) {
		for (unsigned int i = 0; i < r->nr_filled; i++) {
			pages[i] = arena_addr(&halves[h].arena, r->page[i], 0);
			nodes[i] = node;
		}
		sys(SYS_move_pages, r->pid, r->nr_filled, pages, nodes, status, MPOL_MF_MOVE);
	}
}

static void build_arenas(uint64_t seed)
{
	for (int i = 0; i < 2; i++) {
		struct rng rng = {seed};

		if (arena_build(&halves[i].arena, i, &rng)) {
			printf("cannot build arena %d: %s\n", i, strerror(errno));
			exit(2);
		}
	}
}

struct helper {
	uint64_t seed;
	bool nobody;
};

/* Builds the same arenas at the same addresses, in a process of its own. */
static void helper_start(void *arg)
{
	const struct helper *h = arg;

	build_arenas(h->seed);
	if (h->nobody)
		become_nobody();
}

static int round_run(uint64_t seed, unsigned int nr_steps)
{
	static struct request request;
	struct rng rng = {seed * 2 + 1};
	bool nobody = getuid() == 0 && one_in(&rng, 4);

	helper = fork_holder(helper_start, &(struct helper){seed, nobody});
	build_arenas(seed);
	for (int i = 0; i < 2; i++) {
		for (int a = 0; a < NR_ARRAYS; a++) {
			char *p = BUFFERS + (i * NR_ARRAYS + a) * 2 * BUF_BYTES;

			halves[i].buffer[a] =
				mmap(p, BUF_BYTES, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
			if (halves[i].buffer[a] != p)
				return 2;
		}
	}
	if (nobody)
		become_nobody();
	if (ferry_open(&ferry, NULL)) {
		printf("ferry_open: %s\n", ferry_open_error());
		return 2;
	}
	for (unsigned int step = 0; step < nr_steps; step++) {
		uint64_t state;

		make_request(&rng, &request);
		state = rng.state;
		for (int i = 0; i < 2; i++) {
			rng.state = state;
			half_lay_out(&rng, &request, &halves[i]);
			half_call(&request, &halves[i], i == 0);
		}
		if (!halves_agree(&request)) {
			printf("  at step %u\n", step);
			return 1;
		}
		halves_realign(&request, usable_nodes[step % (unsigned int)nr_usable_nodes]);
	}
	ferry_close(ferry);
	return 0;
}

int main(int argc, char **argv)
{
	const struct fuzzer fuzzer = {
		.name = "move_pages_fuzz",
		.steps = "requests",
		.nr_steps = STEPS,
		.hang_s = SIDE_S,
		.round = round_run,
	};

	for (int node = 0; node < MAX_NODES && nr_usable_nodes < 8; node++) {
		if (node_has_memory(node))
			usable_nodes[nr_usable_nodes++] = node;
	}
	if (!nr_usable_nodes)
		nr_usable_nodes = 1;
	printf("%d node%s\n", nr_usable_nodes, nr_usable_nodes > 1 ? "s" : "");
	return fuzzer_run(&fuzzer, argc, argv);
}
