/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Short texts without libc's stdio and locales, which have memory of their own that may be in
 * flight: for threads that pages in flight wait for.
 */
#ifndef FERRY_TEXT_H
#define FERRY_TEXT_H

#include "base/base.h"

/* Appends to the text in `text`. What does not fit is left out, and the result is false. */
bool text_add(char *text, size_t text_bytes, const char *more);
bool text_add_number(char *text, size_t text_bytes, uint64_t number);

/* Reads decimal digits and advances *at behind them; 0 if there are none. */
uint64_t text_read_number(const char **at);
/* The number that the text begins with, after blanks; 0 if there is none. */
uint64_t text_number(const char *text);

#endif
