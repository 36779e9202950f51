/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares ferry_move_pages() with the system call on memory that consists of folios. */
#ifndef FERRY_TEST_MTHP_CALL_H
#define FERRY_TEST_MTHP_CALL_H

#include "tests/contract/compare.h"
#include "tests/testlib/random.h"
#include "tests/vm/guest/folios.h"

/* Which pages the call names, and in which order. */
enum naming {
	NAME_ALL,
	NAME_MIDDLE, /* from the middle of a folio to the middle of another */
	NAME_ONE_OF_EACH,
	NAME_SHUFFLED,
	NAME_MISPLACED, /* all, after a remap by one page: no folio is aligned to its size */
	NR_NAMINGS,
};

static const char *const naming_names[] = {
	"all pages",
	"from mid-folio to mid-folio",
	"one page of each folio",
	"all pages in random order",
	"all pages, at odd addresses",
};

struct call_case {
	size_t folio_bytes;
	enum naming naming;
};

static void shuffle(void **pages, unsigned long nr)
{
	uint64_t state = 1;

	for (unsigned long i = nr; i > 1; i--) {
		void *swap = pages[i - 1];
		unsigned long j = next_random(&state) % i;

		pages[i - 1] = pages[j];
		pages[j] = swap;
	}
}

static void name_pages(struct scene *s, const struct call_case *c, char *base)
{
	size_t half = c->folio_bytes / 2, first = 0, end = SCENE_BYTES;
	size_t step = c->naming == NAME_ONE_OF_EACH ? c->folio_bytes : PAGE_BYTES;

	if (c->naming == NAME_MIDDLE || c->naming == NAME_ONE_OF_EACH)
		first = half;
	if (c->naming == NAME_MIDDLE)
		end -= half;
	for (size_t at = first; at < end; at += step)
		scene_add(s, base + at, s->node_far);
	if (c->naming == NAME_SHUFFLED)
		shuffle(s->real_pages, s->count);
}

/* Moves the mapping by one page. Folios stay whole; the huge page is mapped by small entries. */
static char *misplace(struct scene *s, char *base)
{
	char *to = map_at(s, SCENE_BYTES + PAGE_BYTES, PROT_NONE, 0) + PAGE_BYTES;

	return scene_must(s,
			  mremap(base, SCENE_BYTES, SCENE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to),
			  "mremap");
}

static void set_call(struct scene *s, const void *arg)
{
	const struct call_case *c = arg;
	char *base = map_at(s, SCENE_BYTES, PROT_READ | PROT_WRITE, 0);
	struct folio_files files;

	s->real_pages = map_shared(s, MAX_PAGES * sizeof(void *));
	s->real_nodes = map_shared(s, MAX_PAGES * sizeof(int));
	s->real_status = map_shared(s, MAX_PAGES * sizeof(int));
	make_tiles(base, c->folio_bytes);
	fill_tiles(base, c->folio_bytes);
	if (c->naming == NAME_MISPLACED)
		base = misplace(s, base);
	name_pages(s, c, base);
	s->pages = s->real_pages;
	s->nodes = s->real_nodes;
	s->status = s->real_status;
	s->flags = MPOL_MF_MOVE;
	for (unsigned int i = 0; i < MAX_PAGES; i++)
		s->status[i] = UNTOUCHED;
	if (!folio_files_open(&files) || !all_folios_whole(&files, base, c->folio_bytes))
		scene_skip(s, "the kernel allocated no folios");
	ask_move(s);
	s->answer->nr = (unsigned int)s->count;
	memcpy(s->answer->nodes, s->nodes, s->count * sizeof(int));
	memcpy(s->answer->status, s->status, s->count * sizeof(int));
	sys(SYS_move_pages, 0, s->count, s->pages, NULL, s->answer->where, 0);
	if (!all_folios_whole(&files, base, c->folio_bytes))
		snprintf(s->answer->bug, sizeof(s->answer->bug), "folios came apart");
	if (!tiles_intact(base, c->folio_bytes))
		snprintf(s->answer->bug, sizeof(s->answer->bug), "wrong content");
}

static void test_call(struct answer *answers, size_t folio_bytes, enum naming naming)
{
	struct call_case c = {folio_bytes, naming};
	const char *skip;
	bool same = run_both(set_call, &c, answers, &skip);

	/* Not a skip: the kernels under test have folios. */
	if (skip)
		tap_note("%s", skip);
	tap_ok(same && !skip, "%zu KiB, the call: %s", kib(folio_bytes), naming_names[naming]);
}

#endif
