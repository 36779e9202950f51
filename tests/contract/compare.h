/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares the answers of the two sides. If the kernel completed the request, every entry must be
 * equal. If it stopped in the middle, the library may have moved pages after that point, and its
 * statuses must then be correct.
 */
#ifndef CONTRACT_COMPARE_H
#define CONTRACT_COMPARE_H

#include "tests/contract/scene.h"
#include "tests/testlib/tap.h"

static inline const char *error_name(long ret, int err)
{
	return ret < 0 ? strerrorname_np(err) : "-";
}

static inline bool answers_report(const char *what, const struct answer *k, const struct answer *f,
				  long i)
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

static inline bool answers_same_result(const struct answer *k, const struct answer *f)
{
	if (k->ret > 0 && f->ret >= 0 && f->ret <= k->ret)
		return true;
	return k->ret == f->ret && k->err == f->err;
}

/* True if the call ended before it had processed every entry. */
static inline bool answer_stopped_early(const struct answer *a)
{
	return a->ret != 0;
}

static inline bool answers_same_entry(const struct answer *k, const struct answer *f,
				      unsigned int i)
{
	if (k->status[i] == f->status[i] && k->where[i] == f->where[i])
		return true;
	/*
	 * For a second address in a folio the kernel returns -EBUSY while the folio is isolated for
	 * the first address, but not after the folio has moved: the order of the entries decides.
	 * The library need not return -EBUSY in these cases.
	 */
	if (k->status[i] == -EBUSY && f->status[i] >= 0)
		return f->status[i] == f->where[i];
	if (!answer_stopped_early(k))
		return false;
	/* The library moved the page after the point where the kernel stopped. */
	if (f->status[i] >= 0)
		return f->status[i] == f->where[i];
	/* The kernel moved the page, the library did not. */
	if (k->where[i] >= 0 && k->where[i] == k->nodes[i] && f->where[i] != k->nodes[i])
		return false;
	return k->status[i] == UNTOUCHED || f->status[i] == UNTOUCHED;
}

/* Prints the first difference. */
static inline bool answers_equal(const struct answer *k, const struct answer *f)
{
	if (k->bug[0] || f->bug[0]) {
		tap_note("%s: %s", k->bug[0] ? "system call" : "library",
			 k->bug[0] ? k->bug : f->bug);
		return false;
	}
	if (!answers_same_result(k, f))
		return answers_report("the results differ", k, f, -1);
	if (k->nr != f->nr)
		return answers_report("the scenes differ", k, f, -1);
	for (unsigned int i = 0; i < k->nr; i++) {
		if (!answers_same_entry(k, f, i))
			return answers_report("an entry differs", k, f, i);
	}
	return true;
}

/* One answer per side, in memory that the test shares with the processes of the sides. */
static inline struct answer *new_answers(void)
{
	void *p = mmap(NULL, 2 * sizeof(struct answer), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * Runs fn on both sides and compares the answers. Also true if the scene cannot be built on this
 * machine: then *skip says why, otherwise it is NULL.
 */
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
		snprintf(f->bug, sizeof(f->bug), "scene built for the kernel only: %s", f->skip);
	return answers_equal(k, f);
}

#endif
