// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/common/common.h"
#include "cli/verify/forker.h"
#include "cli/verify/words.h"

/* Pages shared with a child cannot be exchanged: some time must pass without one. */
#define PAUSE_NS (20 * NS_PER_MS)

struct forker {
	uint32_t *floors[WRITERS_MAX];
	struct mismatch *bad; /* shared with the child */
};

static struct forker *forker_open(struct actor *actor)
{
	struct forker *forker = cli_alloc(1, sizeof(*forker));

	for (unsigned int w = 0; w < verify_options.nr_writers; w++)
		forker->floors[w] = cli_alloc(actor->verify->nr_main_pages, sizeof(uint32_t));
	forker->bad =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return forker;
}

void forker_close(struct actor *actor)
{
	struct forker *forker = actor->private;

	if (!forker)
		return;
	for (unsigned int w = 0; w < WRITERS_MAX; w++)
		free(forker->floors[w]);
	if (forker->bad != MAP_FAILED)
		munmap(forker->bad, PAGE_BYTES);
	free(forker);
}

static void forker_note_floors(struct actor *actor, struct forker *forker)
{
	for (unsigned int w = 0; w < verify_options.nr_writers; w++) {
		for (uint32_t page = 0; page < actor->verify->nr_main_pages; page++)
			forker->floors[w][page] = __atomic_load_n(&actor->verify->counters[w][page],
								  __ATOMIC_RELAXED);
	}
}

bool forker_step(struct actor *actor)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct forker *forker = actor->private;
	int status;
	pid_t pid;

	if (!forker)
		actor->private = forker = forker_open(actor);
	if (forker->bad == MAP_FAILED)
		return false;
	forker_note_floors(actor, forker);
	pid = fork();
	if (!pid)
		_exit(!words_check(actor->verify, forker->floors, forker->bad));
	if (pid < 0) {
		verify_fail(actor->verify, NULL, "fork: %s", strerror(errno));
		return false;
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		verify_fail(actor->verify, NULL, "a forked child died of signal %d",
			    WTERMSIG(status));
		return false;
	}
	if (WEXITSTATUS(status)) {
		verify_fail(actor->verify, forker->bad, "a forked child has wrong memory");
		return false;
	}
	verify_count(actor->verify, TALLY_FORKS, 1);
	nanosleep(&pause, NULL);
	return true;
}
