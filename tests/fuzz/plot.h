/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plot is a stretch of addresses that one thread owns. The thread does to it whatever a program
 * may do to memory of its own, and notes after each call what every page must hold from then on.
 */
#ifndef FUZZ_PLOT_H
#define FUZZ_PLOT_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/base.h"
#include "tests/fuzz/rounds.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

#define PLOT_PAGES 512
#define PLOT_BYTES (PLOT_PAGES * PAGE_BYTES)
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))
#define MOST_PAGES 40   /* that a step touches */
#define NR_NOTED   4096 /* steps that are remembered */
#define NR_SHOWN   12   /* of those, and of those that touch a page, when it is wrong */

struct plot_page {
	uint32_t tag; /* what the content is made of; 0: zeros */
	bool mapped, guard;
	bool maybe_zero; /* MADV_FREE: the kernel may have thrown the content away */
	bool dont_fork, wipe_on_fork;
	uint8_t prot;
};

struct plot_step {
	const char *name;
	unsigned int first, nr, to;
	int err;
};

struct plot {
	char *base;
	struct rng rng;
	uint32_t last_tag;
	int pipe[2];
	bool failed;
	bool inherited; /* by a child of clone, whose pages may be poisoned */
	bool poisoned;  /* the kernel has met such a page */
	struct plot_step noted[NR_NOTED];
	unsigned int nr_steps;
	struct plot_page pages[PLOT_PAGES];
};

static inline char *plot_addr(const struct plot *plot, unsigned int page)
{
	return plot->base + (size_t)page * PAGE_BYTES;
}

static inline uint64_t plot_word(uint32_t tag, uint64_t word)
{
	uint64_t x = ((uint64_t)tag << 32 | (word + 1)) * 0x9e3779b97f4a7c15ULL;

	return tag ? x ^ x >> 29 : 0;
}

/* By write(2): in a child of a bare clone(2) stdio's locks may be taken for good. */
__attribute__((format(printf, 1, 2))) static inline void plot_print(const char *fmt, ...)
{
	char line[256];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (len > 0 && write(1, line, MIN((size_t)len, sizeof(line) - 1)) < 0)
		return;
}

static inline bool step_touches(const struct plot_step *step, unsigned int page)
{
	return (page >= step->first && page < step->first + step->nr) ||
	       (!strncmp(step->name, "mremap", 6) && page >= step->to &&
		page < step->to + step->nr);
}

/* The latest steps first; of all, or of those that touch the page. */
static inline void plot_print_steps(const struct plot *plot, const unsigned int *page)
{
	unsigned int nr = MIN(plot->nr_steps, (unsigned int)NR_NOTED);

	for (unsigned int i = 0, nr_shown = 0; i < nr && nr_shown < NR_SHOWN; i++) {
		const struct plot_step *s = &plot->noted[(plot->nr_steps - 1 - i) % NR_NOTED];

		if (page && !step_touches(s, *page))
			continue;
		nr_shown++;
		plot_print("  -%u  %s %u+%u to %u: %d\n", i, s->name, s->first, s->nr, s->to,
			   s->err);
	}
}

static inline void plot_fail(struct plot *plot, const char *where, unsigned int page, size_t word,
			     uint64_t expected, uint64_t found)
{
	const struct plot_page *p = &plot->pages[page];

	if (plot->failed)
		return;
	plot->failed = true;
	plot_print("%s: page %u of the plot at %p, word %zu: expected %#" PRIx64 ", found %#" PRIx64
		   "\n  tag %u%s%s%s%s, protection %d; the latest steps:\n",
		   where, page, (void *)plot->base, word, expected, found, p->tag,
		   p->mapped ? "" : ", unmapped", p->maybe_zero ? ", maybe zero" : "",
		   p->dont_fork ? ", DONTFORK" : "", p->wipe_on_fork ? ", WIPEONFORK" : "",
		   p->prot);
	plot_print_steps(plot, NULL);
	plot_print("  and those that touch the page:\n");
	plot_print_steps(plot, &page);
}

/* ---- looking ---- */

static inline bool page_is_readable(const struct plot_page *p)
{
	return p->mapped && !p->guard && p->prot & PROT_READ;
}

static inline bool page_is_writable(const struct plot_page *p)
{
	return page_is_readable(p) && p->prot & PROT_WRITE;
}

static inline bool plot_check_words(struct plot *plot, const char *where, unsigned int page,
				    const volatile uint64_t *words, bool wiped)
{
	const struct plot_page *p = &plot->pages[page];
	uint32_t tag = wiped ? 0 : p->tag;

	/* Freed pages are thrown away as a whole. */
	if (p->maybe_zero && !words[0])
		tag = 0;
	for (size_t w = 0; w < PAGE_WORDS; w++) {
		uint64_t found = words[w];

		if (found != plot_word(tag, w)) {
			plot_fail(plot, where, page, w, plot_word(tag, w), found);
			return false;
		}
	}
	return true;
}

static inline void plot_check(struct plot *plot, const char *where, unsigned int first,
			      unsigned int nr)
{
	for (unsigned int i = first; i < first + nr && !plot->failed; i++)
		if (page_is_readable(&plot->pages[i]))
			plot_check_words(plot, where, i, (const uint64_t *)plot_addr(plot, i),
					 false);
}

/*
 * In a child: what its parent's advice says of it. A bare clone(2) may bring the content of pages
 * that were in flight into memory that was to be wiped: pageferry(7) says so.
 */
static inline void plot_check_child(struct plot *plot, const char *where, bool bare)
{
	unsigned char there;

	for (unsigned int i = 0; i < PLOT_PAGES && !plot->failed; i++) {
		const struct plot_page *p = &plot->pages[i];
		bool mapped = !mincore(plot_addr(plot, i), PAGE_BYTES, &there);

		if (mapped != (p->mapped && !p->dont_fork))
			plot_fail(plot, mapped ? "mapped in the child" : "not mapped in the child",
				  i, 0, 0, 0);
		if (!p->dont_fork && !(bare && p->wipe_on_fork) && page_is_readable(p))
			plot_check_words(plot, where, i, (const uint64_t *)plot_addr(plot, i),
					 p->wipe_on_fork);
	}
}

/* In a child of fork: the plot becomes the child's own. */
static inline void plot_inherit(struct plot *plot)
{
	plot->inherited = true;
	for (unsigned int i = 0; i < PLOT_PAGES; i++) {
		struct plot_page *p = &plot->pages[i];

		if (p->dont_fork)
			*p = (struct plot_page){0};
		else if (p->wipe_on_fork)
			p->maybe_zero = p->tag != 0;
	}
}

/* ---- steps ---- */

static inline void plot_note(struct plot *plot, const char *name, unsigned int first,
			     unsigned int nr, unsigned int to, int err)
{
	plot->noted[plot->nr_steps++ % NR_NOTED] = (struct plot_step){name, first, nr, to, err};
}

static inline void step_write(struct plot *plot, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++) {
		volatile uint64_t *words = (volatile uint64_t *)plot_addr(plot, i);
		struct plot_page *p = &plot->pages[i];

		if (!page_is_writable(p))
			continue;
		p->tag = ++plot->last_tag;
		p->maybe_zero = false;
		for (size_t w = 0; w < PAGE_WORDS; w++)
			words[w] = plot_word(p->tag, w);
	}
	plot_note(plot, "write", first, nr, 0, 0);
}

/* The pipe is the parent's, too, so nothing must stay in it. */
static inline void plot_is_poisoned(struct plot *plot, bool wrote)
{
	char page[PAGE_BYTES];

	plot->poisoned = !wrote || read(plot->pipe[0], page, sizeof(page)) == sizeof(page);
}

/* The kernel reads one page and writes to another. */
static inline void step_pipe(struct plot *plot, unsigned int first, unsigned int nr)
{
	struct plot_page *from = &plot->pages[first], *to = &plot->pages[first + nr - 1];
	bool wrote;
	ssize_t n;

	if (!page_is_readable(from) || from->maybe_zero || !page_is_writable(to))
		return;
	n = write(plot->pipe[1], plot_addr(plot, first), PAGE_BYTES);
	wrote = n == (ssize_t)PAGE_BYTES;
	if (wrote)
		n = read(plot->pipe[0], plot_addr(plot, first + nr - 1), PAGE_BYTES);
	plot_note(plot, "pipe", first, nr, 0, n == (ssize_t)PAGE_BYTES ? 0 : errno);
	if (n < 0 && errno == EFAULT && plot->inherited)
		plot_is_poisoned(plot, wrote);
	if (plot->poisoned)
		return;
	if (n != (ssize_t)PAGE_BYTES) {
		plot_fail(plot, "read or write of a pipe", first, 0, PAGE_BYTES, (uint64_t)n);
		return;
	}
	to->tag = from->tag;
	to->maybe_zero = false;
}

static inline bool pages_are_mapped(const struct plot *plot, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++)
		if (!plot->pages[i].mapped)
			return false;
	return true;
}

static inline void pages_become(struct plot *plot, unsigned int first, unsigned int nr,
				struct plot_page page)
{
	for (unsigned int i = first; i < first + nr; i++)
		plot->pages[i] = page;
}

static inline void step_mmap(struct plot *plot, unsigned int first, unsigned int nr)
{
	const struct plot_page fresh = {.mapped = true, .prot = PROT_READ | PROT_WRITE};
	int populate = one_in(&plot->rng, 4) ? MAP_POPULATE : 0;
	char *at = plot_addr(plot, first);
	void *got = mmap(at, nr * PAGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | populate, -1, 0);

	plot_note(plot, "mmap", first, nr, 0, got == at ? 0 : errno);
	if (got != at)
		plot_fail(plot, "mmap", first, 0, 0, (uint64_t)errno);
	pages_become(plot, first, nr, fresh);
}

static inline void step_munmap(struct plot *plot, unsigned int first, unsigned int nr)
{
	int err = munmap(plot_addr(plot, first), nr * PAGE_BYTES) ? errno : 0;

	plot_note(plot, "munmap", first, nr, 0, err);
	if (err)
		plot_fail(plot, "munmap", first, 0, 0, (uint64_t)err);
	pages_become(plot, first, nr, (struct plot_page){0});
}

/* Where a call has failed half way, the model cannot know the pages: they are mapped anew. */
static inline void step_mremap(struct plot *plot, unsigned int first, unsigned int nr)
{
	unsigned int to = below(&plot->rng, PLOT_PAGES - nr);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	bool stays = one_in(&plot->rng, 2);
	void *got;

	if (one_in(&plot->rng, 2))
		nr = MIN(nr, 2U);
	/* What becomes of the target's pages where the source has a hole depends on the kernel. */
	if ((to < first + nr && first < to + nr) || !pages_are_mapped(plot, first, nr))
		return;
	if (stays)
		flags |= MREMAP_DONTUNMAP;
	got = mremap(plot_addr(plot, first), nr * PAGE_BYTES, nr * PAGE_BYTES, flags,
		     plot_addr(plot, to));
	plot_note(plot, stays ? "mremap DONTUNMAP" : "mremap", first, nr, to,
		  got == MAP_FAILED ? errno : 0);
	if (got == MAP_FAILED) {
		step_mmap(plot, first, nr);
		step_mmap(plot, to, nr);
		return;
	}
	for (unsigned int i = 0; i < nr; i++) {
		struct plot_page *source = &plot->pages[first + i];

		plot->pages[to + i] = *source;
		source->tag = 0;
		source->mapped = stays;
		source->guard = source->maybe_zero = false;
	}
}

static inline void step_shrink(struct plot *plot, unsigned int first, unsigned int nr)
{
	unsigned int keep = 1 + below(&plot->rng, nr);
	void *got = mremap(plot_addr(plot, first), nr * PAGE_BYTES, keep * PAGE_BYTES, 0);

	plot_note(plot, "mremap shrink", first, nr, keep, got == MAP_FAILED ? errno : 0);
	if (got != MAP_FAILED)
		pages_become(plot, first + keep, nr - keep, (struct plot_page){0});
	else
		step_mmap(plot, first, nr);
}

static inline void step_discard(struct plot *plot, unsigned int first, unsigned int nr)
{
	bool free = one_in(&plot->rng, 3);
	int err = madvise(plot_addr(plot, first), nr * PAGE_BYTES, free ? MADV_FREE : MADV_DONTNEED)
			  ? errno
			  : 0;

	plot_note(plot, free ? "MADV_FREE" : "MADV_DONTNEED", first, nr, 0, err);
	for (unsigned int i = first; i < first + nr; i++) {
		struct plot_page *p = &plot->pages[i];

		/* Locked memory is refused, maybe after a part of the range. */
		if (free || err)
			p->maybe_zero |= p->tag != 0;
		else
			p->tag = 0;
		p->maybe_zero &= p->tag != 0;
	}
}

/* Advice that changes no content, and a child's at most. */
static inline void step_advise(struct plot *plot, unsigned int first, unsigned int nr)
{
	static const struct {
		int advice;
		const char *name;
	} all[] = {
		{MADV_DONTFORK, "MADV_DONTFORK"},
		{MADV_DOFORK, "MADV_DOFORK"},
		{MADV_WIPEONFORK, "MADV_WIPEONFORK"},
		{MADV_KEEPONFORK, "MADV_KEEPONFORK"},
		{MADV_HUGEPAGE, "MADV_HUGEPAGE"},
		{MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE"},
		{MADV_COLLAPSE, "MADV_COLLAPSE"},
		{MADV_POPULATE_WRITE, "MADV_POPULATE_WRITE"},
		{MADV_COLD, "MADV_COLD"},
		{MADV_PAGEOUT, "MADV_PAGEOUT"},
		{MADV_DONTDUMP, "MADV_DONTDUMP"},
		{MADV_MERGEABLE, "MADV_MERGEABLE"},
	};
	unsigned int which = below(&plot->rng, ARRAY_SIZE(all));
	int err;

	if (all[which].advice == MADV_COLLAPSE) {
		first = 0;
		nr = PLOT_PAGES;
	}
	err = madvise(plot_addr(plot, first), nr * PAGE_BYTES, all[which].advice) ? errno : 0;
	plot_note(plot, all[which].name, first, nr, 0, err);
	for (unsigned int i = first; i < first + nr; i++) {
		struct plot_page *p = &plot->pages[i];

		/* ENOMEM: there were holes; the advice is in force on the rest. */
		if (!p->mapped || (err && err != ENOMEM))
			continue;
		if (all[which].advice == MADV_DONTFORK || all[which].advice == MADV_DOFORK)
			p->dont_fork = all[which].advice == MADV_DONTFORK;
		if (all[which].advice == MADV_WIPEONFORK || all[which].advice == MADV_KEEPONFORK)
			p->wipe_on_fork = all[which].advice == MADV_WIPEONFORK;
	}
}

/* Only where all pages are mapped: the call stops at the first hole. */
static inline void step_protect(struct plot *plot, unsigned int first, unsigned int nr)
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				    PROT_READ | PROT_WRITE};
	int prot = prots[below(&plot->rng, ARRAY_SIZE(prots))], err;

	if (!pages_are_mapped(plot, first, nr))
		return;
	err = mprotect(plot_addr(plot, first), nr * PAGE_BYTES, prot) ? errno : 0;
	plot_note(plot, "mprotect", first, nr, (unsigned int)prot, err);
	if (err)
		plot_fail(plot, "mprotect", first, 0, 0, (uint64_t)err);
	for (unsigned int i = first; i < first + nr; i++)
		plot->pages[i].prot = (uint8_t)prot;
}

static inline void step_lock(struct plot *plot, unsigned int first, unsigned int nr)
{
	/* By syscall(): the sanitizers' own mlock does nothing. */
	long err = syscall(one_in(&plot->rng, 3) ? SYS_mlock : SYS_munlock, plot_addr(plot, first),
			   nr * PAGE_BYTES);

	plot_note(plot, "mlock or munlock", first, nr, 0, err ? errno : 0);
}

typedef void (*plot_step_fn)(struct plot *plot, unsigned int first, unsigned int nr);

/* Takes a step that changes only the plot. */
static inline void plot_step(struct plot *plot)
{
	static const plot_step_fn steps[] = {
		step_write,   step_write,   step_write,   step_write,  step_mmap,   step_mmap,
		step_munmap,  step_mremap,  step_mremap,  step_mremap, step_shrink, step_discard,
		step_discard, step_advise,  step_advise,  step_pipe,   step_lock,   step_protect,
		step_protect, step_protect, step_discard, step_mmap,
	};
	unsigned int nr = 1 + below(&plot->rng, one_in(&plot->rng, 3) ? MOST_PAGES : 6);
	unsigned int first = below(&plot->rng, PLOT_PAGES - nr);

	/* Otherwise the plot becomes a patchwork that no mover is interested in. */
	if (one_in(&plot->rng, 60)) {
		step_mmap(plot, 0, PLOT_PAGES);
		step_write(plot, 0, PLOT_PAGES);
	}
	steps[below(&plot->rng, ARRAY_SIZE(steps))](plot, first, nr);
	plot_check(plot, "after a step", first, nr);
	plot_check(plot, "a page elsewhere", below(&plot->rng, PLOT_PAGES - 4), 4);
}

#endif
