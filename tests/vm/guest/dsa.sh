#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# In the guest: the DSA engine and other clients on the node of dsa_cuse. BUILD-DIRECTORY

# shellcheck source=tests/vm/guest/dsa_lib.sh
. "${0%/*}/dsa_lib.sh"

# 100 ms without an answer are meant for a device, not for one that is emulated twice. No run takes
# as long as this.
engine=dsa:timeout_us=60000000
once="--quiet --total 4M --warmup 0 --min-rounds 1 --min-time 1ms"
copy="$migbench copy $once --folio 4k,256k --threads 1 --kernel generic"
move="$migbench move $once --folio 4k,2M --workers 1 --no-limit --from 0 --to 1"
verify="$migbench verify --quiet --total 4M --writers 2 --requesters 1 --mover exchange"
verify="$verify --folio 4k,2M --chunk 0,64k --with fork,mprotect,discard"

# UFFDIO_MOVE came with 6.8.
mover=exchange
case $(uname -r) in
6.[1-7].*) mover= ;;
esac

has_exchange() { # what
	[ $mover ] && return
	skip "$1" "this kernel has no UFFDIO_MOVE"
	return 1
}

no_breach() {
	verdict $(($(count breaches) + $(count changed_sources) + $(count drops))) "no rule was broken"
}

# Brought along where it is installed.
discovery=sysfs
ls /usr/lib/*/libaccel-config.so.1 >/dev/null 2>&1 && discovery=libaccel-config

make_tree shared

start_daemon
"$migbench" doctor >$out
grep -q "found by $discovery" $out && grep -q 'wq0.0 (shared, 64 entries) by write' $out
verdict $? "doctor finds the queue and sends a NOOP through it"

# What programs take from the tree to find the node.
number=$(printf '%d:%d' "0x$(stat -c %t $node)" "0x$(stat -c %T $node)")
show_tree() {
	echo "node $number, sysfs $(cat ${wq%/*}/cdev_major):$(cat $wq/cdev_minor)"
	ls -l /dev/char ${wq%/*/*}
} >$out 2>&1
show_tree
[ "$(cat ${wq%/*}/cdev_major):$(cat $wq/cdev_minor)" = "$number" ]
verdict $? "sysfs has the numbers of the node"
[ "$(readlink -f "/dev/char/$number")" = $node ] &&
	[ "$(readlink -f /sys/bus/dsa/devices/wq0.0)" = $wq ]
verdict $? "/dev/char leads to the node, and devices/wq0.0 to its queue"

if [ -x /usr/bin/accel-config ]; then
	# It wants to see the module, which the tree has no place for.
	unshare -m sh -c 'mount -t tmpfs none /sys/module && mkdir /sys/module/idxd &&
		accel-config list' >$out 2>&1
	grep -q '"dev":"wq0.0"' $out && grep -q '"mode":"shared"' $out && grep -q '"state":"enabled"' $out
	verdict $? "so does accel-config"
else
	skip "so does accel-config" "not installed where this guest was made"
fi

# As on many machines. The daemon's memory must not get huge pages all the same.
echo always >/sys/kernel/mm/transparent_hugepage/enabled
as_nobody "$client $node"
verdict $? "a client that shares no line with us gets what it may expect"
stop_daemon
verdict "$(count breaches)" "none of which breaks a rule"
[ "$(count invalid)" -ge 3 ] && [ "$(count forks)" -eq 2 ]
verdict $? "what had to be refused was"

start_daemon
as_nobody "$client $node wrong"
verdict $? "three rules broken: the client is told"
stop_daemon
# A client that is gone before its last record is written makes one breach more.
[ "$(count breaches)" -ge 3 ] && [ "$(grep -cE '^breach.(D3|D7|D9) .*: 1$' $stats)" -eq 3 ]
verdict $? "and so are we"

start_daemon
as_nobody "$client $node ops $(cut -d' ' -f1 ${wq%/*}/op_cap)"
verdict $? "op_cap offers what the device can do"
stop_daemon

if [ -e "$shim" ]; then
	start_daemon safe
	as_nobody "$portal $node shared"
	[ $? -eq 1 ] && grep -q 'no portal: No such device' $out
	verdict $? "a client that knows only the portal cannot map it"
	as_nobody "LD_PRELOAD=$shim $portal $node shared"
	verdict $? "with the portal shim it submits by ENQCMD, singles and batches"
	stop_daemon
	[ "$(count batches)" -eq 2 ]
	verdict $? "which arrived as batches"
	no_breach
	start_daemon safe
	as_nobody "LD_PRELOAD=$shim $portal $node shared wrong"
	verdict $? "and learns what went wrong in a batch"
	stop_daemon
	[ "$(grep -cE '^breach.(D9|B1|B2|B3) .*: 1$' $stats)" -eq 4 ] && [ "$(count breaches)" -eq 4 ]
	verdict $? "of which four were rules broken"
	make_tree dedicated
	start_daemon safe,mode=dedicated
	as_nobody "LD_PRELOAD=$shim $portal $node dedicated"
	verdict $? "and by MOVDIR64B to a dedicated queue"
	stop_daemon
	no_breach
	make_tree shared
else
	skip "a client that knows only the portal" "the portal shim is for x86-64"
fi

start_daemon
as_nobody "$copy --engine $engine"
verdict $? "migbench copy, every byte checked"
stop_daemon
# Two folio sizes of at least one round and the check's.
[ "$(count bytes)" -ge $((8 << 20)) ] && [ "$(count batches)" -eq 0 ]
verdict $? "all of it by write() of single descriptors"
no_breach

start_daemon wq_size=16
make_tree shared 16
as_nobody "$copy --engine $engine & $copy --engine $engine && wait \$!"
verdict $? "two of them at once on a short queue"
stop_daemon
[ "$(count bytes)" -ge $((16 << 20)) ]
verdict $? "both by the device"
no_breach
make_tree shared

start_daemon faults=corrupt:50000
as_nobody "$copy --engine $engine"
grep -q 'copied bytes are wrong' $out
verdict $? "a device that lies is found out"
stop_daemon

if has_exchange "migbench move from node 0 to node 1"; then
	start_daemon
	as_nobody "$move --mover $mover --engine $engine"
	verdict $? "migbench move from node 0 to node 1, every page checked"
	stop_daemon
	# There and back, two rounds, two folio sizes.
	[ "$(count bytes)" -ge $((16 << 20)) ]
	verdict $? "the device copied every one"
	no_breach
fi

start_daemon wq_size=16,mode=dedicated
make_tree dedicated 16
as_nobody "exec 9<>$node; exec $client $node"
grep -q 'Device or resource busy' $out
verdict $? "a dedicated queue has one user"
as_nobody "$copy --engine $engine"
verdict $? "migbench copy through a dedicated queue"
stop_daemon
[ "$(count bytes)" -ge $((8 << 20)) ]
verdict $? "all of it by the device"
no_breach
make_tree shared

faults=page:20000+reverse:5000+error:5000+retry:50000+late:5000
start_daemon seed=1,faults=$faults
as_nobody "$copy --engine $engine"
verdict $? "migbench copy with faults"
stop_daemon
[ "$(count fault.page)" -gt 0 ] && [ "$(count fault.error)" -gt 0 ] && [ "$(count retries)" -gt 0 ]
verdict $? "of which there were some"
no_breach

# How much a device gets to do in a given time is the machine's affair: verify runs again until the
# condition holds. The number of runs only detects a device that never gets there.
verify_until() { # condition, timeout of the engine in us, arguments of start_daemon
	condition=$1 timeout_us=$2
	shift 2
	for _ in $(seq 20); do
		start_daemon "$@"
		as_nobody "$verify --time 5s --engine dsa:timeout_us=$timeout_us"
		verified=$?
		cp $out /tmp/dsa_verified
		stop_daemon
		if [ $verified -ne 0 ]; then
			cp /tmp/dsa_verified $out
			return 1
		fi
		$condition && return
	done
	# The next verdict reports it.
	return 0
}

met_pages() {
	[ "$(count bytes)" -gt 0 ] && [ "$(count fault.page)" -gt 0 ]
}

met_hangs() {
	[ "$(count fault.hang)" -gt 0 ]
}

# It writes no counters when it kills itself.
is_gone() {
	[ ! -e $stats ]
}

# Frequent enough to be met by a few dozen descriptors.
faults=page:200000+reverse:50000+error:50000+retry:100000+late:50000
if has_exchange "migbench verify with faults"; then
	verify_until met_pages 60000000 seed=2,faults=$faults
	verdict $? "migbench verify with faults: no update lost"
	met_pages
	verdict $? "the device took part"
	no_breach

	verify_until met_hangs 1000000 seed=3,faults=hang:500000
	verdict $? "migbench verify, and the device hangs: no update lost"
	met_hangs
	verdict $? "it did"
	# Sources may change once a device is given up: what it reads then is not used.
	verdict $(($(count breaches) + $(count drops))) "no rule was broken"

	# Behind those with which the engine tries the queue.
	verify_until is_gone 1000000 seed=4 20
	verdict $? "migbench verify, and the device is gone half-way: no update lost"
	is_gone
	verdict $? "it was"
fi
tap_done
