// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/interval.h"

static uint64_t interval_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static bool interval_is_before(const struct interval *a, const struct interval *b)
{
	return a->low < b->low || (a->low == b->low && a->number < b->number);
}

static void interval_include(struct interval *node, const struct interval *below)
{
	if (!below)
		return;
	node->max_high = MAX(node->max_high, below->max_high);
	node->min_number = MIN(node->min_number, below->min_number);
	node->max_number = MAX(node->max_number, below->max_number);
}

static void interval_sum_up(struct interval *node)
{
	node->max_high = node->high;
	node->min_number = node->number;
	node->max_number = node->number;
	interval_include(node, node->left);
	interval_include(node, node->right);
}

/* Splits a tree into the nodes before `at` and the others. */
static void interval_split(struct interval *node, const struct interval *at,
			   struct interval **before, struct interval **others)
{
	if (!node) {
		*before = NULL;
		*others = NULL;
		return;
	}
	if (interval_is_before(node, at)) {
		interval_split(node->right, at, &node->right, others);
		*before = node;
	} else {
		interval_split(node->left, at, before, &node->left);
		*others = node;
	}
	interval_sum_up(node);
}

/* All nodes of `left` are before those of `right`. */
static struct interval *interval_join(struct interval *left, struct interval *right)
{
	struct interval *top;

	if (!left || !right)
		return left ? left : right;
	if (left->priority > right->priority) {
		top = left;
		top->right = interval_join(left->right, right);
	} else {
		top = right;
		top->left = interval_join(left, right->left);
	}
	interval_sum_up(top);
	return top;
}

static void interval_insert(struct interval **link, struct interval *interval)
{
	struct interval *node = *link;

	if (!node || interval->priority > node->priority) {
		interval_split(node, interval, &interval->left, &interval->right);
		*link = interval;
	} else {
		interval_insert(interval_is_before(interval, node) ? &node->left : &node->right,
				interval);
	}
	interval_sum_up(*link);
}

void interval_add(struct interval **set, struct interval *interval)
{
	interval->priority = interval_mix(interval->number);
	interval_insert(set, interval);
}

void interval_remove(struct interval **set, struct interval *interval)
{
	struct interval *node = *set;

	if (node == interval) {
		*set = interval_join(node->left, node->right);
		return;
	}
	interval_remove(interval_is_before(interval, node) ? &node->left : &node->right, interval);
	interval_sum_up(node);
}

/* *best: the latest so far, or NULL. */
static void interval_search(struct interval *node, uintptr_t low, uintptr_t high, uint64_t number,
			    struct interval **best)
{
	if (!node || node->max_high <= low || node->min_number >= number ||
	    (*best && node->max_number <= (*best)->number))
		return;
	if (node->low < high)
		interval_search(node->right, low, high, number, best);
	if (node->low < high && node->high > low && node->number < number &&
	    (!*best || node->number > (*best)->number))
		*best = node;
	interval_search(node->left, low, high, number, best);
}

struct interval *interval_latest(struct interval *set, uintptr_t low, uintptr_t high,
				 uint64_t number)
{
	struct interval *best = NULL;

	interval_search(set, low, high, number, &best);
	return best;
}
