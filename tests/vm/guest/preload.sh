#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage, in the guest: preload.sh DROP-IN VICTIMS-DIRECTORY
# The programs of tests/host/preload_victims with the drop-in, on pages that change node.

preload=$1
victims=$2
export VICTIM_BRIEF=1
show='/tmp/plain /tmp/ferried /tmp/stats'

# shellcheck source=tests/testlib/tap.sh
. "${0%/*}/../../testlib/tap.sh"

for name in calls constructor preinit signal fork_storm vfork_exec threads exit_busy own_uffd \
	raw_syscall raw_clone malloc_hook zerocopy; do
	rm -f /tmp/stats
	timeout 300 "$victims/$name" >/tmp/plain 2>&1
	plain=$?
	LD_PRELOAD=$preload PAGEFERRY_STATS=/tmp/stats timeout 300 "$victims/$name" >/tmp/ferried 2>&1
	ferried=$?
	[ $plain -eq $ferried ] && cmp -s /tmp/plain /tmp/ferried
	verdict $? "$name: same output and status with the drop-in"
	grep -h "program=$name " /tmp/stats >>/tmp/all
done

cp /tmp/all /tmp/stats
# UFFDIO_MOVE came with 6.8.
if [ "$(uname -r | cut -d. -f1)" -ge 7 ] || [ "$(uname -r | cut -d. -f2)" -ge 12 ]; then
	grep -q 'program=threads .* exchange_pages=[1-9]' /tmp/all
	verdict $? "the exchange mover moved pages"
else
	grep -q 'program=threads .* kernel_pages=[1-9][0-9]* exchange_pages=0' /tmp/all
	verdict $? "the kernel mover moved pages"
fi
tap_done
