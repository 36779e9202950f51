#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# In the guest: migbench move between two nodes, of its own memory and of another process's; every
# byte and place is checked by it. MIGBENCH

migbench=$1
show='/tmp/out /tmp/csv'

# shellcheck source=tests/testlib/tap.sh
. "${0%/*}/../../testlib/tap.sh"

# shellcheck disable=SC2317  # called by what $migbench holds
as_nobody() {
	su nobody -s /bin/sh -c "$*"
}

moves() { # value of the column `process`, options…
	process=$1
	shift
	$migbench move --folio 4k,2M --total 8M --workers 1,4 --min-rounds 2 --min-time 0 \
		--warmup 1 --no-limit --quiet --csv - "$@" >/tmp/csv 2>/tmp/out
	verdict $? "move $*"
	# Columns by name: those that were moved in part say so in moved_part.
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
# Who may not know frame numbers asks the kernel where pages are.
echo 1 >/proc/sys/vm/unprivileged_userfaultfd
frames() {
	$migbench doctor --csv - 2>/tmp/out >/tmp/csv
	grep -q '^mover/exchange,no,' /tmp/csv || grep "^kernel/page-frames,$1," /tmp/csv | grep -q "$2"
	verdict $? "frames are shown: $1"
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
	verdict $? "lists of huge pages are exchanged $order"
done
# Another process's memory is not this one's: it can't be exchanged, whoever asks.
$migbench move --other-process --mover exchange >/tmp/out 2>&1
[ $? -eq 2 ] && grep -q 'not with --mover exchange' /tmp/out
verdict $? "exchange of another process's memory is refused"
tap_done
