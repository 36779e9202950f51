/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One case for each kind of page that move_pages(2) treats differently. */
#ifndef CONTRACT_KINDS_H
#define CONTRACT_KINDS_H

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "tests/contract/scene.h"

struct kind {
	const char *name;
	/* Adds entries of the kind, with this destination. */
	void (*add)(struct scene *s, int node);
	bool is_planned_alone; /* without other pages, too, it is no small request */
};

static void add_touched(struct scene *s, int node)
{
	scene_add_touched(s, 3, node);
}

static void add_untouched(struct scene *s, int node)
{
	char *p = map_pages(s, 3);

	p[PAGE_BYTES] = 1;
	for (int i = 0; i < 3; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

static void add_zero_page(struct scene *s, int node)
{
	volatile char *p = map_pages(s, 2);

	(void)(p[0] + p[PAGE_BYTES]);
	scene_add(s, (void *)p, node);
	scene_add(s, (void *)(p + PAGE_BYTES), node);
}

static void add_unaligned(struct scene *s, int node)
{
	char *p = map_touched(s, 3);

	scene_add(s, p + 17, node);
	scene_add(s, p + 2 * PAGE_BYTES - 1, node);
	scene_add(s, p + 2 * PAGE_BYTES + 2048, node);
}

static void add_duplicates(struct scene *s, int node)
{
	char *p = map_touched(s, 2);

	scene_add(s, p, node);
	scene_add(s, p, node);
	scene_add(s, p + PAGE_BYTES, node);
	scene_add(s, p + 1, node);
}

/* The same page to one node and to another, in both orders. */
static void add_there_and_back(struct scene *s, int node)
{
	char *p = map_touched(s, 2);

	scene_add(s, p, node);
	scene_add(s, p, 0);
	scene_add(s, p + PAGE_BYTES, 0);
	scene_add(s, p + PAGE_BYTES, node);
}

static void add_unmapped(struct scene *s, int node)
{
	char *p = map_touched(s, 3);

	munmap(p + PAGE_BYTES, PAGE_BYTES);
	for (int i = 0; i < 3; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

static void add_impossible(struct scene *s, int node)
{
	static const uintptr_t addrs[] = {
		0,
		1,
		0x7ffffffff000,
		0x800000000000,
		0xffffffffff600000,
		0xffff888000000000,
		0xffffffff81000000,
		0xdeadbeefdeadbeef,
		UINTPTR_MAX,
		0x8000000000000000,
	};

	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++)
		scene_add(s, (void *)addrs[i], node);
}

static void add_protected(struct scene *s, int node)
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_EXEC};

	for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
		char *p = map_touched(s, 1);

		mprotect(p, PAGE_BYTES, prots[i]);
		scene_add(s, p, node);
	}
}

static void add_locked(struct scene *s, int node)
{
	char *p = map_touched(s, 3);

	if (mlock(p + PAGE_BYTES, PAGE_BYTES))
		scene_must(s, NULL, "mlock");
	for (int i = 0; i < 3; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

static void add_file(struct scene *s, int node)
{
	FILE *f = tmpfile();
	char *shared, *private;
	int fd;

	scene_must(s, f, "tmpfile");
	fd = fileno(f);
	if (ftruncate(fd, 4 * PAGE_BYTES) || pwrite(fd, "x", 1, 3 * PAGE_BYTES) != 1)
		scene_must(s, NULL, "ftruncate");
	shared = scene_must(
		s, mmap(NULL, 5 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), "mmap");
	private = scene_must(
		s, mmap(NULL, 4 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), "mmap");
	shared[0] = 1;
	private[PAGE_BYTES] = 1;
	(void)*(volatile char *)(private + 3 * PAGE_BYTES);
	scene_add(s, shared, node);
	scene_add(s, shared + PAGE_BYTES, node);
	scene_add(s, shared + 4 * PAGE_BYTES, node); /* beyond the file's end */
	scene_add(s, private + PAGE_BYTES, node);
	scene_add(s, private + 2 * PAGE_BYTES, node);
	scene_add(s, private + 3 * PAGE_BYTES, node);
}

static void add_shm(struct scene *s, int node)
{
	char *p = scene_must(s,
			     mmap(NULL, 3 * PAGE_BYTES, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0),
			     "mmap");

	p[0] = p[2 * PAGE_BYTES] = 1;
	for (int i = 0; i < 3; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

static void add_hugetlb(struct scene *s, int node)
{
	char *p;

	s->answer->old_hugepages = set_hugepages(8);
	p = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	scene_must(s, p, "hugetlb pages");
	p[0] = 1;
	scene_add(s, p, node);
	scene_add(s, p + PAGE_BYTES, node);
	scene_add(s, p + HUGE_BYTES, node);
}

static char *map_huge(struct scene *s)
{
	char *p = map_at(s, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_NORESERVE);

	p = (char *)ALIGN_UP((uintptr_t)p, HUGE_BYTES);
	if (madvise(p, HUGE_BYTES, MADV_HUGEPAGE))
		scene_must(s, NULL, "MADV_HUGEPAGE");
	return p;
}

static void add_thp(struct scene *s, int node)
{
	char *p = map_huge(s), *tail = map_huge(s);

	p[0] = tail[0] = 1;
	scene_add(s, p, node);
	scene_add(s, p + PAGE_BYTES, node);
	scene_add(s, p + HUGE_BYTES - 1, node);
	scene_add(s, tail + 77 * PAGE_BYTES, node);
	scene_add(s, tail, node);
}

static void add_thp_all_pages(struct scene *s, int node)
{
	char *p = map_huge(s);

	p[0] = 1;
	for (unsigned int i = 0; i < PAGES_PER_HUGE; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

/* Six huge pages by one address each, some in the head, some in a tail. Returns the last one. */
static char *add_huge_list(struct scene *s, int node)
{
	char *p = NULL;

	for (int i = 0; i < 6; i++) {
		p = map_huge(s);
		p[0] = 1;
		scene_add(s, p + (i % 3 ? (size_t)i * 50 * PAGE_BYTES + 9 : 0), node);
	}
	return p;
}

static void add_huge_pages(struct scene *s, int node)
{
	add_huge_list(s, node);
}

static void add_huge_backwards(struct scene *s, int node)
{
	unsigned long first = s->count;

	add_huge_list(s, node);
	for (unsigned long i = first, k = s->count - 1; i < k; i++, k--) {
		void *page = s->real_pages[i];

		s->real_pages[i] = s->real_pages[k];
		s->real_pages[k] = page;
	}
}

static void add_huge_and_one_twice(struct scene *s, int node)
{
	scene_add(s, add_huge_list(s, node) + HUGE_BYTES - PAGE_BYTES, node);
}

static void add_huge_and_small(struct scene *s, int node)
{
	add_huge_list(s, node);
	scene_add_touched(s, 1, node);
}

static void add_huge_and_absent(struct scene *s, int node)
{
	add_huge_list(s, node);
	scene_add(s, map_huge(s), node);
}

static void add_huge_some_shared(struct scene *s, int node)
{
	add_huge_list(s, node);
	scene_fork(s, NULL, NULL);
	add_huge_list(s, node);
}

static void add_huge_to_many_nodes(struct scene *s, int node)
{
	add_huge_list(s, node);
	s->real_nodes[3] = 0;
}

static void add_huge_to_a_bad_node(struct scene *s, int node)
{
	add_huge_list(s, node);
	s->real_nodes[4] = MAX_NODES - 1;
}

static void add_huge_zero_page(struct scene *s, int node)
{
	volatile char *p = map_huge(s);

	(void)p[0];
	scene_add(s, (void *)p, node);
	scene_add(s, (void *)(p + 5 * PAGE_BYTES), node);
}

static void add_shared_by_fork(struct scene *s, int node)
{
	char *p = map_touched(s, 4);

	madvise(p + 3 * PAGE_BYTES, PAGE_BYTES, MADV_DONTFORK);
	scene_fork(s, NULL, NULL);
	p[PAGE_BYTES] = 2; /* a copy of its own again */
	for (int i = 0; i < 4; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

static void add_was_shared(struct scene *s, int node)
{
	char *p = map_touched(s, 3);

	scene_fork(s, NULL, NULL);
	kill(s->helpers[s->nr_helpers - 1], SIGKILL);
	waitpid(s->helpers[--s->nr_helpers], NULL, 0);
	for (int i = 0; i < 3; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

/* A pipe refers to the page, so the kernel cannot migrate it. */
static void add_held_by_pipe(struct scene *s, int node)
{
	char *p = map_touched(s, 3);
	struct iovec iov = {.iov_base = p + PAGE_BYTES, .iov_len = PAGE_BYTES};
	int fds[2];

	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != (ssize_t)PAGE_BYTES)
		scene_must(s, NULL, "vmsplice");
	for (int i = 0; i < 3; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

static char in_bss[3 * PAGE_BYTES];

static void add_own_image(struct scene *s, int node)
{
	/* Deep enough for a page that has not been touched before. */
	char *on_stack = __builtin_alloca(256 << 10);

	memset(in_bss, 1, sizeof(in_bss));
	memset(on_stack, 1, PAGE_BYTES);
	(void)*(volatile char *)printf; /* touches its page */
	scene_add(s, in_bss + PAGE_BYTES, node);
	scene_add(s, on_stack, node);
	scene_add(s, (void *)add_own_image, node);
	scene_add(s, (void *)printf, node);
	scene_add(s, s->real_pages, node);
	scene_add(s, s->real_status, node);
	scene_add(s, malloc(100), node);
}

static void add_kernel_made(struct scene *s, int node)
{
	char *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	struct timespec ts;

	if (!vdso)
		scene_must(s, NULL, "no vdso");
	/* Present on both sides: a sanitizer's runtime may read clocks on one of them. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	scene_add(s, vdso, node);
	scene_add(s, vdso - PAGE_BYTES, node);
}

static void add_discarded(struct scene *s, int node)
{
	char *p = map_touched(s, 3);

	madvise(p, PAGE_BYTES, MADV_DONTNEED);
	madvise(p + PAGE_BYTES, PAGE_BYTES, MADV_FREE);
	for (int i = 0; i < 3; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

static void add_grows_down(struct scene *s, int node)
{
	char *p = map_at(s, 4 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_GROWSDOWN);

	memset(p, 1, 4 * PAGE_BYTES);
	for (int i = 0; i < 4; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
	scene_add(s, p - 10 * PAGE_BYTES, node);
}

static long ksm_nr_merged(void)
{
	FILE *f = fopen("/proc/self/ksm_merging_pages", "re");
	long nr = 0;

	if (f && fscanf(f, "%ld", &nr) != 1)
		nr = 0;
	if (f)
		fclose(f);
	return nr;
}

static bool ksm_runs; /* KSM runs during the tests */

/* step: by how much the content of one page differs from that of the next. */
static void add_ksm(struct scene *s, int node, int step)
{
	char *p = map_pages(s, 4);

	for (int i = 0; i < 4; i++) {
		memset(p + i * PAGE_BYTES, 7 + i * step, PAGE_BYTES);
		scene_add(s, p + i * PAGE_BYTES, node);
	}
	if (madvise(p, 4 * PAGE_BYTES, MADV_MERGEABLE))
		scene_must(s, NULL, "KSM");
}

static void add_mergeable(struct scene *s, int node)
{
	add_ksm(s, node, 1);
}

/* One frame with several users, which only MPOL_MF_MOVE_ALL moves. */
static void add_merged(struct scene *s, int node)
{
	long nr = 0;

	add_ksm(s, node, 0);
	if (!ksm_runs)
		scene_skip(s, "KSM does not run");
	for (int i = 0; i < 2000 && nr < 4 && !s->answer->skip[0]; i++) {
		usleep(10000);
		nr = ksm_nr_merged();
	}
	if (nr < 4)
		scene_must(s, NULL, "KSM merges nothing");
}

static void add_bound(struct scene *s, int node)
{
	unsigned long mask[MAX_NODES / 64] = {1};
	char *p = map_pages(s, 3);

	if (sys(SYS_mbind, p, 3 * PAGE_BYTES, MPOL_BIND, mask, MAX_NODES, 0))
		scene_must(s, NULL, "mbind");
	memset(p, 1, 3 * PAGE_BYTES);
	for (int i = 0; i < 3; i++)
		scene_add(s, p + i * PAGE_BYTES, node);
}

static void add_on_other_node(struct scene *s, int node)
{
	char *p = map_pages(s, 6);

	for (int i = 0; i < 6; i++) {
		prefer_node(i % 2 ? s->node_far : 0);
		memset(p + i * PAGE_BYTES, 1, PAGE_BYTES);
		scene_add(s, p + i * PAGE_BYTES, node);
	}
	prefer_node(0);
}

static const struct kind kinds[] = {
	{"touched pages", add_touched, false},
	{"pages never touched", add_untouched, false},
	{"the zero page", add_zero_page, false},
	{"unaligned addresses", add_unaligned, false},
	{"the same page twice", add_duplicates, false},
	{"one page to different nodes", add_there_and_back, false},
	{"unmapped pages", add_unmapped, false},
	{"kernel, vsyscall and non-canonical addresses", add_impossible, false},
	{"PROT_NONE and other protections", add_protected, false},
	{"mlocked pages", add_locked, false},
	{"file pages", add_file, false},
	{"shared memory", add_shm, false},
	{"hugetlb pages", add_hugetlb, false},
	{"a THP's head and tails", add_thp, false},
	{"all pages of a THP", add_thp_all_pages, true},
	{"huge pages by one address each", add_huge_pages, true},
	{"huge pages in reverse order", add_huge_backwards, true},
	{"huge pages, one named twice", add_huge_and_one_twice, true},
	{"huge pages and a small one", add_huge_and_small, true},
	{"huge pages and one never touched", add_huge_and_absent, true},
	{"huge pages, some of them shared", add_huge_some_shared, true},
	{"huge pages to different nodes", add_huge_to_many_nodes, true},
	{"huge pages, one to an invalid node", add_huge_to_a_bad_node, true},
	{"the huge zero page", add_huge_zero_page, false},
	{"pages shared after fork", add_shared_by_fork, false},
	{"pages shared after fork, child has exited", add_was_shared, false},
	{"a page that a pipe refers to", add_held_by_pipe, false},
	{"stack, text, bss, heap and the arrays themselves", add_own_image, false},
	{"vdso and vvar", add_kernel_made, false},
	{"MADV_DONTNEED and MADV_FREE", add_discarded, false},
	{"MAP_GROWSDOWN", add_grows_down, false},
	{"MADV_MERGEABLE", add_mergeable, false},
	{"pages merged by KSM", add_merged, false},
	{"pages bound by mbind", add_bound, false},
	{"pages on mixed nodes", add_on_other_node, false},
};

#endif
