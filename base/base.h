/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Macros and constants that all parts share. */
#ifndef FERRY_BASE_H
#define FERRY_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES     4096UL
#define PAGE_SHIFT     12
#define HUGE_BYTES     (2UL << 20)
#define HUGE_SHIFT     21
#define PAGES_PER_HUGE (HUGE_BYTES / PAGE_BYTES)

/* Above every node number: CONFIG_NODES_SHIFT is at most 10. */
#define MAX_NODES 1024

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)              ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)                ALIGN_DOWN((x) + (__typeof__(x))(a)-1, a)
#define MIN(a, b)                     ((a) < (b) ? (a) : (b))
#define MAX(a, b)                     ((a) > (b) ? (a) : (b))
#define DIV_ROUND_UP(n, d)            (((n) + (d)-1) / (d))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define CACHELINE           64
#define __cacheline_aligned __attribute__((aligned(CACHELINE)))
#define __maybe_unused      __attribute__((unused))
#define __must_check        __attribute__((warn_unused_result))
/*
 * Puts a variable into .data, which is a mapping of a file, as .bss is not: its page is never in
 * flight. For what a thread needs before pages in flight can come back.
 */
#define __never_in_flight __attribute__((section(".data")))
#define __printf(f, a)    __attribute__((format(printf, f, a)))

#endif
