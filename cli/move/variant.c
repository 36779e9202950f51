// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which ways of moving there are to measure. */
#include "cli/common/common.h"
#include "cli/move/internal.h"

const char *way_name(enum way way)
{
	static const char *const names[] = {
		[WAY_SYSCALL] = "syscall",   [WAY_CALL] = "call", [WAY_KERNEL] = "kernel",
		[WAY_EXCHANGE] = "exchange", [WAY_AUTO] = "auto",
	};

	return names[way];
}

/* Can it be had at all? The kernel has nothing to move from a node to itself. */
static bool serves(enum way way, bool fresh)
{
	if (fresh)
		return way == WAY_EXCHANGE;
	return way != WAY_EXCHANGE || !move_options.other_process;
}

static int check_other_process(bool fresh)
{
	if (move_options.fresh)
		return cli_usage_error("--other-process: not with --fresh: only a process itself "
				       "can put its pages into other frames of a node");
	if (move_options.stall)
		return cli_usage_error("--other-process: not with --stall");
	if (move_options.movers.nr && text_list_has(&move_options.movers, way_name(WAY_EXCHANGE)))
		return cli_usage_error("--other-process: not with --mover exchange, which moves "
				       "pages of the own process only");
	if (!fresh)
		return CLI_OK;
	cli_error("--other-process: needs a second node with memory; use tools/numa-vm");
	return CLI_UNSUPPORTED;
}

int move_choose_ways(struct report *report, const int node[2], enum way *ways,
		     unsigned int *nr_ways)
{
	bool fresh = node[0] == node[1];
	int code = move_options.other_process ? check_other_process(fresh) : CLI_OK;

	if (code)
		return code;
	for (enum way way = 0; way < NR_WAYS; way++) {
		if (move_options.movers.nr && !text_list_has(&move_options.movers, way_name(way)))
			continue;
		if (serves(way, fresh))
			ways[(*nr_ways)++] = way;
		else if (move_options.movers.nr)
			report_note(report, "Left out: %s has nothing to move on one node.",
				    way_name(way));
	}
	if (move_options.other_process)
		report_note(report, "The memory is another process's, which holds it meanwhile.");
	if (fresh)
		report_note(
			report,
			"Within node %d, into other frames of it: the kernel's move_pages() has "
			"nothing to do there. `tools/numa-vm` shows both on two nodes.",
			node[0]);
	if (*nr_ways)
		return CLI_OK;
	cli_error("on one node only --mover exchange can be measured: choose another --to, or use "
		  "tools/numa-vm");
	return CLI_UNSUPPORTED;
}
