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

# CUSE chooses the numbers; /dev/char is udev's work.
name_node() {
	major=$(printf %d "0x$(stat -c %t $node)")
	minor=$(printf %d "0x$(stat -c %T $node)")
	mkdir -p /dev/char
	ln -sf ../dsa/wq0.0 "/dev/char/$major:$minor"
	[ -d $wq ] || return 0
	echo "$major" >${wq%/*}/cdev_major
	echo "$minor" >$wq/cdev_minor
}

make_tree() { # as dsa_tree.sh
	sh "$here/dsa_tree.sh" "$@"
	[ ! -c $node ] || name_node
}

start_daemon() { # dials, descriptors until it dies
	rm -f $stats
	"$build/vm/dsa_cuse" dsa/wq0.0 $stats "$1" "${2:-0}" &
	daemon=$!
	for _ in $(seq 600); do
		[ -c $node ] && chmod 666 $node && name_node && return
		sleep 0.1
	done
	echo "Bail out! no $node: is the module cuse there?"
	exit 1
}

# Its counters are in $stats afterwards.
stop_daemon() {
	kill -TERM $daemon 2>/dev/null
	wait $daemon
	cp $stats $out 2>/dev/null
}

count() { # counter
	awk -v name="$1" '$1 == name { print $2 }' $stats
}
