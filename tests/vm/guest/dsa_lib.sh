# shellcheck shell=dash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests of the DSA engine on a device node, whose argument is the build directory.
# shellcheck disable=SC2034  # several variables are used by the scripts that source this

here=${0%/*}
build=$1
migbench=$build/migbench
client=$build/vm/dsa_client
portal=$build/vm/dsa_portal
shim=$build/dsa-portal-shim.so
node=/dev/dsa/wq0.0
wq=/sys/bus/dsa/devices/dsa0/wq0.0
out=/tmp/dsa_out
stats=/tmp/dsa_stats
daemon=
show=$out
# Everything runs unprivileged, as the user nobody, who must not map portals.
echo 1 >/proc/sys/vm/unprivileged_userfaultfd

# shellcheck source=tests/testlib/tap.sh
. "$here/../../testlib/tap.sh"

as_nobody() { # command
	su -s /bin/sh nobody -c "$*" </dev/null >$out 2>&1
}

start_daemon() { # dials
	rm -f $stats
	"$build/vm/dsa_cuse" dsa/wq0.0 $stats "$1" &
	daemon=$!
	for _ in $(seq 100); do
		[ -c $node ] && chmod 666 $node && return
		sleep 0.1
	done
	echo "Bail out! no $node: is the module cuse there?"
	exit 1
}

# Its counters are in $stats afterwards.
stop_daemon() {
	kill -TERM $daemon
	wait $daemon
	cp $stats $out
}

count() { # counter
	awk -v name="$1" '$1 == name { print $2 }' $stats
}
