// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "cli/common/common.h"
#include "cli/machine/machine.h"
#include "cli/profile/reach.h"

enum profile_reach profile_reach_between(const int node[2])
{
	struct machine *machine = cli_alloc(1, sizeof(*machine));
	unsigned int at[2] = {0, 0};
	enum profile_reach reach;

	machine_read(machine);
	for (unsigned int i = 0; i < machine->nr; i++)
		for (int side = 0; side < 2; side++)
			if (machine->v[i].id == node[side])
				at[side] = i;
	reach = profile_reach_of(
		node[0] == node[1] ? 10 : MAX((unsigned int)machine->distance[at[0]][at[1]], 11U),
		machine->v[at[0]].has_cpus && machine->v[at[1]].has_cpus);
	free(machine);
	return reach;
}
