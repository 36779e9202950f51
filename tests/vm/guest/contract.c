// SPDX-License-Identifier: LGPL-2.1-or-later
/* The contract tests on a machine with a second node that has CPUs, and one that has none. */
#include "tests/contract/migrate.h"

int main(void)
{
	struct answer *answers = new_answers();
	FILE *ksm = fopen("/sys/kernel/mm/ksm/run", "w");

	if (ksm)
		ksm_runs = fputs("1", ksm) >= 0 && !fclose(ksm);
	if (!find_node(true) || !find_node(false)) {
		printf("Bail out! needs a second node with CPUs, and one without\n");
		return 1;
	}
	tap_plan(NR_ARG_TESTS + NR_MOVE_TESTS + NR_MIGRATE_TESTS);
	test_args(answers);
	test_moves(answers, false);
	test_migrate(answers);
	return tap_done();
}
