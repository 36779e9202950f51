// SPDX-License-Identifier: LGPL-2.1-or-later
/* Equal requests to the system call and to the library must have equal results. */
#include "tests/contract/migrate.h"

int main(void)
{
	struct answer *answers = new_answers();

#ifdef __SANITIZE_THREAD__
	printf("1..0 # SKIP TSan does not support the forks and mappings of the scenes\n");
	return 0;
#endif
	tap_plan(NR_ARG_TESTS + NR_MOVE_TESTS + NR_MIGRATE_TESTS);
	test_args(answers);
	test_moves(answers, true);
	test_migrate(answers);
	return tap_done();
}
