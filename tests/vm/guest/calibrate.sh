#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage, in the guest: calibrate.sh MIGBENCH
# A calibration between two nodes measures the kernel's call, and root's profile holds for all. A
# profile that makes one mover cheap decides which mover the library takes.

migbench=$1
profile=/var/cache/pageferry/profile
show='/tmp/out /tmp/csv'

# shellcheck source=tests/testlib/tap.sh
. "${0%/*}/../../testlib/tap.sh"

$migbench calibrate --seconds 1 --quiet --csv - >/tmp/csv 2>/tmp/out
verdict $? 'calibrate'
grep -q '^kernel\.[a-z]*\.4k\.ns_per_byte,[0-9.]*[1-9]' /tmp/csv
verdict $? "the kernel's call between the nodes is measured"
grep -q '^cpu\.same\.4k\.ns_per_byte,' /tmp/csv && grep -q '^cpu\.[^s][a-z]*\.4k\.ns_per_byte,' /tmp/csv
verdict $? 'copying within a node and between nodes is measured'
[ -s $profile ] && [ -s $profile.json ]
verdict $? "root's profile is where all users find it"
for user in root nobody; do
	su $user -s /bin/sh -c "$migbench doctor --csv -" 2>/tmp/out >/tmp/csv
	grep -q "^machine/profile,yes,.*$profile holds" /tmp/csv
	verdict $? "it holds for $user"
done

# Sets numbers of the profile: NAME VALUE, where NAME is a regular expression…
with() {
	cp $profile /tmp/profile
	sed -i 's/\.confidence .*/.confidence 1.0/' /tmp/profile
	while [ $# -gt 0 ]; do
		sed -i "s/^\($1\) .*/\1 $2/" /tmp/profile
		shift 2
	done
}

# Prints how many pages the exchange mover moved for --mover auto.
exchanged() {
	PAGEFERRY_PROFILE=/tmp/profile $migbench move --mover auto --folio 4k --total 16M \
		--workers 0 --min-rounds 2 --min-time 0 --warmup 1 --no-limit --quiet --csv - \
		>/tmp/csv 2>/tmp/out
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
		NR == 2 { print $at["pages_by_exchange"] + 0; exit }' /tmp/csv
}

# Only where the library follows the model: UFFDIO_MOVE, with one TLB flush for a call.
$migbench doctor --csv - >/tmp/csv 2>/tmp/out
if grep -q '^kernel/uffdio-move,yes,' /tmp/csv && ! grep -q 'one lane' /tmp/csv; then
	with 'kernel.*\.ns_per_byte' 500.0
	[ "$(exchanged)" -gt 0 ]
	verdict $? 'a profile with a dear kernel: pages are exchanged'
	with 'kernel.*\.ns_per_byte' 0.001 'kernel.*\.fixed_ns' 10.0 'cpu.*\.ns_per_byte' 500.0
	[ "$(exchanged)" = 0 ]
	verdict $? 'a profile with a cheap kernel: the kernel moves them'
	with 'topology' 'some other machine' 'kernel.*\.ns_per_byte' 0.001 \
		'cpu.*\.ns_per_byte' 500.0
	[ "$(exchanged)" -gt 0 ]
	verdict $? "another machine's profile is ignored"
else
	skip 'a profile with a dear kernel' 'the library follows the rules on this kernel'
fi
tap_done
