/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several engines as one, which splits each batch among them. */
#ifndef FERRY_SPLIT_OPEN_H
#define FERRY_SPLIT_OPEN_H

#include "engines/engine.h"
#include "policy/split.h"

/*
 * Makes an engine of 2 to SPLIT_PARTS open ones, which it closes. Its counters carry their names,
 * cut to fit. 0 or -ENOMEM: the parts stay open.
 */
int __must_check split_open(struct engine *const *parts, const char *const *names,
			    unsigned int nr_parts, struct engine **out);

#endif
