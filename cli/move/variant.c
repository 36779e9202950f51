// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/common/common.h"
#include "cli/move/options.h"
#include "cli/move/variant.h"

const char *variant_name(enum variant variant)
{
	static const char *const names[] = {
		[VARIANT_SYSCALL] = "syscall", [VARIANT_CALL] = "call",
		[VARIANT_KERNEL] = "kernel",   [VARIANT_EXCHANGE] = "exchange",
		[VARIANT_AUTO] = "auto",
	};

	return names[variant];
}

/* Within a node the kernel moves nothing; only exchange uses other frames. */
static bool variant_is_usable(enum variant variant, bool fresh)
{
	if (fresh)
		return variant == VARIANT_EXCHANGE;
	return variant != VARIANT_EXCHANGE || !move_options.other_process;
}

static int check_other_process(bool fresh)
{
	if (move_options.fresh)
		return cli_usage_error("--other-process: not with --fresh: only a process itself "
				       "can move its pages to other frames of a node");
	if (move_options.stall)
		return cli_usage_error("--other-process: not with --stall");
	if (text_list_has(&move_options.movers, variant_name(VARIANT_EXCHANGE)))
		return cli_usage_error("--other-process: not with --mover exchange, which moves "
				       "only pages of its own process");
	if (!fresh)
		return CLI_OK;
	cli_error("--other-process: needs a second node with memory; use tools/numa-vm");
	return CLI_UNSUPPORTED;
}

static void note_conditions(struct report *report, const int node[2])
{
	if (move_options.other_process)
		report_note(report, "The memory belongs to another process, which keeps using it.");
	if (node[0] == node[1])
		report_note(report,
			    "Pages move to other frames of node %d: within a node the kernel's "
			    "move_pages() does nothing. `tools/numa-vm` runs both on two nodes.",
			    node[0]);
}

int variants_choose(struct report *report, const int node[2], struct variant_list *out)
{
	bool fresh = node[0] == node[1];
	int code = move_options.other_process ? check_other_process(fresh) : CLI_OK;

	if (code)
		return code;
	out->nr = 0;
	for (enum variant variant = 0; variant < NR_VARIANTS; variant++) {
		const char *name = variant_name(variant);

		if (move_options.movers.nr && !text_list_has(&move_options.movers, name))
			continue;
		if (variant_is_usable(variant, fresh))
			out->v[out->nr++] = variant;
		else if (move_options.movers.nr)
			report_note(report, "Not measured: %s moves nothing within one node.",
				    name);
	}
	note_conditions(report, node);
	if (out->nr)
		return CLI_OK;
	cli_error("on one node, only --mover exchange can be measured; choose another --to, or use "
		  "tools/numa-vm");
	return CLI_UNSUPPORTED;
}
