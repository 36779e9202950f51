#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage, in the guest: move.sh MIGBENCH
# migbench move between two nodes, of its own memory and of another process's. migbench checks every
# byte and the node of every page.

migbench=$1
show='/tmp/out /tmp/csv'

# shellcheck source=tests/testlib/tap.sh
. "${0%/*}/../../testlib/tap.sh"

# shellcheck disable=SC2317  # called as $migbench
as_nobody() {
	su nobody -s /bin/sh -c "$*"
}

moves() { # value of the column `process`, options…
	process=$1
	shift
	$migbench move --folio 4k,2M --total 8M --workers 1,4 --min-rounds 2 --min-time 0 \
		--warmup 1 --no-limit --quiet --csv - "$@" >/tmp/csv 2>/tmp/out
	verdict $? "move $*"
	# The columns are found by name.
	awk -F, -v process="$process" '
		!NF { exit } # what follows is the next table
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
		NR > 1 { rows++; if ($at["process"] != process) bad++
			if (process == "other" && $at["pages_by_exchange"] > 0) bad++ }
		END { exit !rows || bad }' /tmp/csv
	verdict $? "of memory of the $process process"
}

moves own
moves other --other-process
moves other --other-process --scattered
moves other --other-process --batch 4k,64k,4M
# A process that may not see frame numbers asks the kernel for the node of each page.
echo 1 >/proc/sys/vm/unprivileged_userfaultfd
frames() {
	$migbench doctor --csv - 2>/tmp/out >/tmp/csv
	grep -q '^mover/exchange,no,' /tmp/csv || grep "^kernel/page-frames,$1," /tmp/csv | grep -q "$2"
	verdict $? "frame numbers are visible: $1"
}
frames yes ''
migbench="as_nobody $migbench"
frames no CAP_SYS_ADMIN
moves own
migbench=$1
# One address for each huge page.
for order in '' --scattered; do
	# shellcheck disable=SC2086  # none, or one word
	$migbench move --mover call --folio 2M --total 16M --min-rounds 2 --min-time 0 --warmup 1 \
		--no-limit --quiet --stats $order >/tmp/out 2>&1 &&
		{
			$migbench doctor --csv - >/tmp/csv 2>>/tmp/out
			grep -q '^mover/exchange,no,' /tmp/csv ||
				grep -q 'pages_by_mover.exchange  *[1-9]' /tmp/out
		}
	verdict $? "the exchange mover moves lists of huge pages $order"
done
# Another process's memory cannot be exchanged, whatever the caller's privileges.
$migbench move --other-process --mover exchange >/tmp/out 2>&1
[ $? -eq 2 ] && grep -q 'not with --mover exchange' /tmp/out
verdict $? "migbench refuses to exchange another process's memory"
tap_done
