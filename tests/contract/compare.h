/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When two answers are equal. Where the kernel did the whole request, every entry must be the same.
 * Where it stopped in the middle, pages behind that point may have been moved by the library, and
 * the statuses must then be true.
 */
#ifndef CONTRACT_COMPARE_H
#define CONTRACT_COMPARE_H

#include "tests/contract/scene.h"
#include "tests/testlib/tap.h"

static inline const char *error_name(long ret, int err)
{
	return ret < 0 ? strerrorname_np(err) : "-";
}

static inline bool report(const char *what, const struct answer *k, const struct answer *f, long i)
{
	tap_note("%s", what);
	tap_note("  kernel: %ld %s, library: %ld %s", k->ret, error_name(k->ret, k->err), f->ret,
		 error_name(f->ret, f->err));
	if (i >= 0)
		tap_note("  entry %ld of %u (node %d): kernel status %d, page on %d; library "
			 "status %d, page on %d",
			 i, k->nr, k->nodes[i], k->status[i], k->where[i], f->status[i],
			 f->where[i]);
	return false;
}

static inline bool same_result(const struct answer *k, const struct answer *f)
{
	if (k->ret > 0 && f->ret >= 0 && f->ret <= k->ret)
		return true;
	return k->ret == f->ret && k->err == f->err;
}

/* The call ended before it had looked at every entry. */
static inline bool stopped_early(const struct answer *a)
{
	return a->ret != 0;
}

static inline bool same_entry(const struct answer *k, const struct answer *f, unsigned int i)
{
	if (k->status[i] == f->status[i] && k->where[i] == f->where[i])
		return true;
	/*
	 * The second address in a folio meets the first one's isolation, or comes after its move:
	 * that depends on the order. The library need not find it busy where the kernel does.
	 */
	if (k->status[i] == -EBUSY && f->status[i] >= 0)
		return f->status[i] == f->where[i];
	if (!stopped_early(k))
		return false;
	/* Moved beyond the kernel's stop, and it says so. */
	if (f->status[i] >= 0)
		return f->status[i] == f->where[i];
	/* The kernel's page was moved, the library's was not: less than the kernel did. */
	if (k->where[i] >= 0 && k->where[i] == k->nodes[i] && f->where[i] != k->nodes[i])
		return false;
	return k->status[i] == UNTOUCHED || f->status[i] == UNTOUCHED;
}

/* Says what differs, if anything does. */
static inline bool same_answers(const struct answer *k, const struct answer *f)
{
	if (k->bug[0] || f->bug[0]) {
		tap_note("%s: %s", k->bug[0] ? "system call" : "library",
			 k->bug[0] ? k->bug : f->bug);
		return false;
	}
	if (!same_result(k, f))
		return report("the results differ", k, f, -1);
	if (k->nr != f->nr)
		return report("the scenes differ", k, f, -1);
	for (unsigned int i = 0; i < k->nr; i++) {
		if (!same_entry(k, f, i))
			return report("an entry differs", k, f, i);
	}
	return true;
}

/* One answer per side, in memory that the sides' processes share with the test. */
static inline struct answer *new_answers(void)
{
	void *p = mmap(NULL, 2 * sizeof(struct answer), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Both sides, compared. True also if the scene can't be set here: then *skip says why. */
static inline bool run_both(void (*fn)(struct scene *, const void *), const void *arg,
			    struct answer *answers, const char **skip)
{
	struct answer *k = &answers[SIDE_KERNEL], *f = &answers[SIDE_FERRY];

	run_side(SIDE_KERNEL, fn, arg, k);
	*skip = k->skip[0] ? k->skip : NULL;
	if (*skip)
		return true;
	run_side(SIDE_FERRY, fn, arg, f);
	if (f->skip[0])
		snprintf(f->bug, sizeof(f->bug), "scene set for the kernel only: %s", f->skip);
	return same_answers(k, f);
}

#endif
