// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Lists the threads of the process and keeps a table of the pages that their exit needs.
 *
 * A thread can be born and die between two looks. The kernel gives thread ids in rising order, so
 * the last one, which ends /proc/loadavg, tells that a thread was born; together with the number of
 * threads it tells that one has died.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/usermem.h"
#include "base/vault.h"
#include "base/wait.h"
#include "lib/nodes/threads.h"

#define PROC_MAGIC 0x9fa0 /* from <linux/magic.h> */

/* Robust lists are followed so far, as the kernel does. */
#define LIST_MAX 2048

/*
 * A thread that has no robust list for so long is taken for one that libc did not start. Increasing
 * this covers threads that wait longer for their first CPU time; decreasing it ends the more
 * frequent looks sooner where a program has such threads.
 */
#define START_NS NS_PER_SEC

/* From the kernel's include/linux/sched.h: the thread is inside exit(2). */
#define PF_EXITING 0x4

struct dirent64 {
	uint64_t ino, offset;
	unsigned short len_bytes;
	unsigned char type;
	char name[];
};

static bool file_is_of_proc(int fd)
{
	struct statfs fs;

	return !sys(SYS_fstatfs, fd, &fs) && fs.f_type == PROC_MAGIC;
}

/* ---- what tells of changes ---- */

/* "0.20 0.18 0.12 1/80 11206": threads of the machine, and the last id. False: unknown. */
static bool threads_look_at(const struct threads *threads, struct threads_look *out)
{
	char text[96];
	const char *at = text;
	int fd = atomic_load(&threads->loadavg.fd);
	long len = fd < 0 ? -ENOENT : sys(SYS_pread64, fd, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	while (*at && *at != '/')
		at++;
	if (!*at++)
		return false;
	out->nr_machine = (long)text_read_number(&at);
	if (*at++ != ' ')
		return false;
	out->last_tid = (long)text_read_number(&at);
	return out->last_tid > 0;
}

/* -1: unknown. */
static long threads_count(const struct threads *threads)
{
	struct stat stat;

	return sys(SYS_fstat, atomic_load(&threads->task.fd), &stat) ? -1 : (long)stat.st_nlink;
}

bool threads_changed(struct threads *threads, const struct threads_look *since)
{
	struct threads_look now;

	if (!threads_look_at(threads, &now) || now.last_tid != since->last_tid)
		return true;
	return now.nr_machine != since->nr_machine && threads_count(threads) != since->nr;
}

/* ---- the table ---- */

/* The index of the first place that is not below addr. */
static unsigned int table_find(const struct threads *threads, uintptr_t addr)
{
	unsigned int low = 0, high = threads->nr_places;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (threads->places[middle] < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void table_add(struct threads *threads, uintptr_t addr)
{
	unsigned int at = table_find(threads, addr);

	if (at < threads->nr_places && threads->places[at] == addr)
		return;
	if (threads->nr_places == ARRAY_SIZE(threads->places)) {
		threads->overflow = true;
		return;
	}
	memmove(&threads->places[at + 1], &threads->places[at],
		(threads->nr_places - at) * sizeof(threads->places[0]));
	threads->places[at] = addr;
	threads->nr_places++;
}

/* Something that lies on the same page or on a neighbour of what is at `beside`. */
static void table_add_other_page(struct threads *threads, uintptr_t beside, uintptr_t addr)
{
	if (ALIGN_DOWN(beside, PAGE_BYTES) != ALIGN_DOWN(addr, PAGE_BYTES))
		table_add(threads, addr);
}

/* A control block of which only the head's place is known is taken to end within a page of it. */
static void table_add_thread(struct threads *threads, uintptr_t head)
{
	uintptr_t tid_addr = head + (uintptr_t)threads->tid_distance;

	table_add(threads, head);
	table_add_other_page(threads, head, head + sizeof(struct robust_list_head) - 1);
	if (threads->tid_known) {
		table_add_other_page(threads, head, tid_addr);
		table_add_other_page(threads, head, tid_addr + sizeof(int) - 1);
	} else {
		table_add(threads, head - PAGE_BYTES);
		table_add(threads, head + PAGE_BYTES);
	}
}

/* An entry of a robust list, and its futex. */
static void table_add_held(struct threads *threads, uintptr_t entry, uintptr_t futex)
{
	table_add(threads, entry);
	table_add_other_page(threads, entry, entry + sizeof(uintptr_t) - 1);
	table_add_other_page(threads, entry, futex);
}

bool threads_know(struct threads *threads, uintptr_t addr)
{
	unsigned int at;
	bool known;

	futex_lock(&threads->lock);
	at = table_find(threads, addr);
	known = at < threads->nr_places && threads->places[at] == addr;
	futex_unlock(&threads->lock);
	return known;
}

/* ---- the threads ---- */

static uintptr_t thread_head(int tid)
{
	uintptr_t head = 0;
	size_t len;

	return sys(SYS_get_robust_list, tid, &head, &len) ? 0 : head;
}

typedef void (*thread_fn)(struct threads *threads, int tid, void *arg);

/*
 * Calls fn for each thread, under the lock. False: not for all. The program may have closed the
 * descriptor, and have a directory of its own under its number.
 */
static bool threads_for_each(struct threads *threads, thread_fn fn, void *arg)
{
	int fd = atomic_load(&threads->task.fd);
	long len;

	if (!file_is_of_proc(fd))
		return false;
	sys(SYS_lseek, fd, 0, SEEK_SET);
	while ((len = sys(SYS_getdents64, fd, threads->names, sizeof(threads->names))) > 0) {
		for (long at = 0; at < len;) {
			const struct dirent64 *entry = (const void *)(threads->names + at);
			const char *name = entry->name;
			int tid = (int)text_read_number(&name);

			if (tid)
				fn(threads, tid, arg);
			at += entry->len_bytes;
		}
	}
	return !len;
}

static void thread_add(struct threads *threads, int tid, void *headless)
{
	uintptr_t head = thread_head(tid);

	if (head)
		table_add_thread(threads, head);
	else
		*(long *)headless += tid;
}

/*
 * A thread that has just started has no robust list yet; some threads never get one. True while
 * one of those without may still get it.
 */
static bool threads_are_starting(struct threads *threads, long headless)
{
	if (headless != threads->headless) {
		threads->headless = headless;
		threads->headless_since_ns = now_ns();
	}
	return headless && now_ns() - threads->headless_since_ns < START_NS;
}

/*
 * The look comes before the list, so a thread that is born after the look makes the next look
 * differ. A table that is full begins again with the threads of now.
 */
static void threads_list(struct threads *threads)
{
	struct threads_look look = {.nr = threads_count(threads)};
	long headless = 0;

	if (!threads_look_at(threads, &look))
		look.last_tid = -1;
	if (threads->nr_places == ARRAY_SIZE(threads->places))
		threads->nr_places = 0;
	threads->overflow = false;
	if (threads->tid_addr)
		table_add(threads, threads->tid_addr);
	if (!threads_for_each(threads, thread_add, &headless)) {
		threads->overflow = true;
		look.last_tid = -1;
	}
	if (threads_are_starting(threads, headless))
		look.last_tid = -1;
	threads->look = look;
}

void threads_update(struct threads *threads, struct threads_look *look)
{
	futex_lock(&threads->lock);
	if (threads_changed(threads, &threads->look))
		threads_list(threads);
	*look = threads->look;
	futex_unlock(&threads->lock);
}

bool threads_need(struct threads *threads, uintptr_t addr, unsigned int nr_pages,
		  struct page_map *map)
{
	bool found;

	futex_lock(&threads->lock);
	found = threads->overflow;
	if (found)
		map_set_range(map, 0, nr_pages);
	for (unsigned int at = table_find(threads, addr);
	     at < threads->nr_places && threads->places[at] - addr < nr_pages * PAGE_BYTES; at++) {
		map_set(map, (unsigned int)((threads->places[at] - addr) / PAGE_BYTES));
		found = true;
	}
	futex_unlock(&threads->lock);
	return found;
}

/* ---- robust mutexes that are held ---- */

struct held {
	unsigned int nr;
	uintptr_t heads[256];
};

static void thread_note_head(struct threads *threads __maybe_unused, int tid, void *arg)
{
	struct held *held = arg;
	uintptr_t head = thread_head(tid);

	if (head && held->nr < ARRAY_SIZE(held->heads))
		held->heads[held->nr++] = head;
}

/* The lowest bit of a link marks a priority-inheriting mutex. */
static uintptr_t link_target(uintptr_t link)
{
	return link & ~(uintptr_t)1;
}

static void threads_add_held(struct threads *threads, uintptr_t head)
{
	uintptr_t words[3], next;

	if (usermem_read(words, (void *)head, sizeof(words)) != (long)sizeof(words))
		return;
	next = link_target(words[0]);
	for (unsigned int i = 0; next && next != head && i < LIST_MAX; i++) {
		futex_lock(&threads->lock);
		table_add_held(threads, next, next + words[1]);
		futex_unlock(&threads->lock);
		if (usermem_read(words, (void *)next, sizeof(next)) != (long)sizeof(next))
			break;
		next = link_target(words[0]);
	}
}

void threads_refresh(struct threads *threads)
{
	struct held held = {0};

	futex_lock(&threads->lock);
	threads_list(threads);
	threads_for_each(threads, thread_note_head, &held);
	futex_unlock(&threads->lock);
	/* Not under the lock: a page may be in flight, and its lane may need the lock to end that.
	 */
	for (unsigned int i = 0; i < held.nr; i++)
		threads_add_held(threads, held.heads[i]);
}

/* ---- threads that exit ---- */

/* Fields of /proc/self/task/TID/stat. */
struct thread_stat {
	char state;
	long flags;
	long mapped_bytes; /* 0: the thread has given up the process's memory */
};

static bool thread_read_stat(const struct threads *threads, int tid, struct thread_stat *out)
{
	char path[32] = "", text[512];
	const char *at = text, *word;
	struct own_fd file;
	long len;

	text_add_number(path, sizeof(path), (uint64_t)tid);
	text_add(path, sizeof(path), "/stat");
	if (own_fd_open(&file, atomic_load(&threads->task.fd), path))
		return false;
	len = sys(SYS_read, file.fd, text, sizeof(text) - 1);
	own_fd_drop(&file);
	text[len > 0 ? len : 0] = '\0';
	/* The name, which may hold anything, ends with the last parenthesis. */
	for (word = text; *word; word++)
		if (*word == ')')
			at = word;
	memset(out, 0, sizeof(*out));
	for (unsigned int field = 2; *at; field++) {
		word = at;
		if (field == 3)
			out->state = *at;
		else if (field == 9)
			out->flags = (long)text_read_number(&word);
		else if (field == 23)
			out->mapped_bytes = (long)text_read_number(&word);
		while (*at && *at++ != ' ')
			;
	}
	return out->state;
}

bool threads_is_dead(struct threads *threads, int tid)
{
	struct thread_stat stat;

	if (sys(SYS_tgkill, sys(SYS_getpid), tid, 0) == -ESRCH)
		return true;
	return thread_read_stat(threads, tid, &stat) && !stat.mapped_bytes;
}

/* Inside exit(2), and the kernel may still need the thread's memory. */
static bool thread_is_exiting(struct threads *threads, int tid)
{
	struct thread_stat stat;

	return thread_read_stat(threads, tid, &stat) && stat.flags & PF_EXITING &&
	       stat.mapped_bytes;
}

struct exiting {
	threads_tid_fn fn;
	void *arg;
	unsigned int nr;
	int tids[64];
};

static void thread_note_exiting(struct threads *threads, int tid, void *arg)
{
	struct exiting *exiting = arg;
	uintptr_t head = thread_head(tid);

	/* The head is 0 before the thread has told it, and in exit(2) after the walk of its list.
	 */
	if (head && threads->tid_known &&
	    !exiting->fn(exiting->arg, head + (uintptr_t)threads->tid_distance))
		return;
	if (exiting->nr < ARRAY_SIZE(exiting->tids) && thread_is_exiting(threads, tid))
		exiting->tids[exiting->nr++] = tid;
}

/* Nothing that is in flight keeps an exiting thread from going on. */
void threads_wait_exiting(struct threads *threads, threads_tid_fn fn, void *arg)
{
	struct exiting exiting = {.fn = fn, .arg = arg};

	do {
		exiting.nr = 0;
		futex_lock(&threads->lock);
		threads_for_each(threads, thread_note_exiting, &exiting);
		futex_unlock(&threads->lock);
		for (unsigned int i = 0; i < exiting.nr; i++)
			for (unsigned int tries = 0; thread_is_exiting(threads, exiting.tids[i]);
			     tries++)
				step_aside(tries);
	} while (exiting.nr == ARRAY_SIZE(exiting.tids));
}

/* More births than this at a time are not looked at one by one. */
#define MAX_BIRTHS 64

/* Was this id given to a thread of this process that is dead now? An id that is free may have been.
 */
static bool tid_may_be_dead(struct threads *threads, int tid)
{
	if (sys(SYS_kill, tid, 0) == -ESRCH)
		return true;
	return !sys(SYS_tgkill, sys(SYS_getpid), tid, 0) && threads_is_dead(threads, tid);
}

bool threads_have_died(struct threads *threads, const struct threads_look *since)
{
	struct threads_look now;

	if (since->last_tid < 0 || !threads_look_at(threads, &now) ||
	    threads_count(threads) != since->nr || now.last_tid < since->last_tid ||
	    now.last_tid - since->last_tid > MAX_BIRTHS)
		return true;
	for (long tid = since->last_tid + 1; tid <= now.last_tid; tid++)
		if (tid_may_be_dead(threads, (int)tid))
			return true;
	return false;
}

/* ---- opening ---- */

/* A loadavg of another file system (lxcfs) answers late. */
void threads_keep_open(struct threads *threads)
{
	kernel_file_keep_open(&threads->task, "/proc/self/task");
	kernel_file_keep_open(&threads->loadavg, "/proc/loadavg");
	if (!file_is_of_proc(atomic_load(&threads->loadavg.fd)))
		kernel_file_close(&threads->loadavg);
}

/*
 * The calling thread shows what libc's control blocks look like. Some kernels do not tell the
 * address of the id (CONFIG_CHECKPOINT_RESTORE). Where libc clears a word of its own instead of one
 * in the control block (musl), that word's page is needed and none but the head's in the block.
 */
static int threads_learn(struct threads *threads)
{
	struct robust_list_head *head = NULL;
	size_t len;
	long err = sys(SYS_get_robust_list, 0, &head, &len);

	if (err)
		return (int)err;
	if (sys(SYS_prctl, PR_GET_TID_ADDRESS, &threads->tid_addr, 0, 0, 0))
		threads->tid_addr = 0;
	if (!head)
		return 0;
	threads->list_word = (uint64_t)head->futex_offset;
	threads->tid_distance = (long)(threads->tid_addr - (uintptr_t)head);
	threads->tid_known = threads->tid_addr && threads->tid_distance > -(long)PAGE_BYTES &&
			     threads->tid_distance < (long)PAGE_BYTES;
	return 0;
}

int threads_open(struct threads **out)
{
	struct threads *threads;
	int err = vault_alloc(sizeof(*threads), (void **)&threads);

	if (err)
		return err;
	threads->task = KERNEL_FILE_NONE;
	threads->loadavg = KERNEL_FILE_NONE;
	threads_keep_open(threads);
	err = file_is_of_proc(atomic_load(&threads->task.fd)) ? threads_learn(threads) : -ENOENT;
	if (err) {
		threads_close(threads);
		return err;
	}
	*out = threads;
	return 0;
}

void threads_close(struct threads *threads)
{
	if (!threads)
		return;
	kernel_file_close(&threads->task);
	kernel_file_close(&threads->loadavg);
	vault_free(threads, sizeof(*threads));
}
