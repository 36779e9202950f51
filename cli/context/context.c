// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "cli/common/common.h"
#include "cli/context/context.h"

int context_open(const struct ferry_options *options, struct ferry **out)
{
	int err = ferry_open(out, options);

	if (!err)
		return CLI_OK;
	cli_error("%s%s", ferry_open_error(),
		  options->engine ? " (--engine; `migbench doctor` says more)" : "");
	if (err == -ENODEV)
		return CLI_UNSUPPORTED;
	return cli_is_spec_error(err) ? CLI_USAGE : CLI_FAILED;
}
