// SPDX-License-Identifier: LGPL-2.1-or-later
/* The program handles faults by its own userfaultfd on half of the pages that it moves. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "victim.h"

static int uffd;
static atomic_int nr_faults;

static void *handle_faults(void *arg __maybe_unused)
{
	static unsigned char fill[PAGE];
	struct uffd_msg msg;

	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_copy copy = {
			.dst = msg.arg.pagefault.address & ~(PAGE - 1),
			.src = (unsigned long)fill,
			.len = PAGE,
		};

		memset(fill, 0x5a, PAGE);
		nr_faults++;
		ioctl(uffd, UFFDIO_COPY, &copy);
	}
	return NULL;
}

int main(void)
{
	static struct arena a;
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	pthread_t thread;
	int bad = 0;

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api)) {
		printf("no userfaultfd\n");
		return 0;
	}
	arena_make(&a, 0);
	/* Pages from 256 on are registered; the last 16 of them are absent. */
	madvise(a.base + 496 * PAGE, 16 * PAGE, MADV_DONTNEED);
	area.range.start = (unsigned long)(a.base + 256 * PAGE);
	area.range.len = 256 * PAGE;
	if (ioctl(uffd, UFFDIO_REGISTER, &area))
		die("UFFDIO_REGISTER");
	pthread_create(&thread, NULL, handle_faults, NULL);

	for (int i = 0; i < 10; i++) {
		long ret = arena_move(&a, i & 1 ? 0 : last_node());

		if (ret < 0)
			printf("move %d: %ld %d\n", i, ret, errno);
	}
	printf("faults taken by moving: %d\n", nr_faults);
	printf("status of absent pages: %d %d\n", a.status[496], a.status[511]);
	for (int i = 0; i < 496; i++)
		bad += a.base[i * PAGE + 7] != (i & 0xff);
	for (int i = 496; i < NR_PAGES; i++)
		bad += a.base[i * PAGE + 7] != 0x5a;
	printf("damaged %d, faults %d\n", bad, nr_faults);
	return 0;
}
