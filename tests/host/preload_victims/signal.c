// SPDX-License-Identifier: LGPL-2.1-or-later
/* A signal handler makes the first call; later it interrupts calls of the main program. */
#include <signal.h>
#include <sys/time.h>

#include "victim.h"

#define NR_TICKS 200

static struct arena in_main, in_handler;
static volatile sig_atomic_t nr_ticks, nr_bad;
static int ticks_wanted;
static int node;

/* One shot, armed again by the handler: a period could be shorter than the handler takes. */
static const struct itimerval soon = {.it_value.tv_usec = 1000};

static void on_signal(int sig)
{
	int saved_errno = errno;

	if (arena_move(&in_handler, sig == SIGUSR1 ? node
				    : nr_ticks & 1 ? 0
						   : node) ||
	    arena_misplaced(&in_handler))
		nr_bad++;
	nr_ticks++;
	if (sig == SIGALRM && nr_ticks < ticks_wanted)
		setitimer(ITIMER_REAL, &soon, NULL);
	errno = saved_errno;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	long failed = 0;

	node = last_node();
	ticks_wanted = repetitions(NR_TICKS);
	arena_make(&in_main, 0);
	arena_make(&in_handler, 0);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);

	raise(SIGUSR1);
	printf("first call in a handler: bad %d damaged %d\n", (int)nr_bad,
	       arena_damage(&in_handler));

	nr_ticks = 0;
	setitimer(ITIMER_REAL, &soon, NULL);
	for (int i = 0; nr_ticks < ticks_wanted; i++) {
		void *churn = malloc(100000);

		failed += arena_move(&in_main, i & 1 ? node : 0) != 0;
		failed += arena_misplaced(&in_main) != 0;
		free(churn);
	}
	printf("interrupted calls: failed %ld bad %d damaged %d %d\n", failed, (int)nr_bad,
	       arena_damage(&in_main), arena_damage(&in_handler));
	return 0;
}
