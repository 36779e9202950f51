#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# In the guest: the DSA engine and other clients on the node of dsa_cuse. BUILD-DIRECTORY

# shellcheck source=tests/vm/guest/dsa_lib.sh
. "${0%/*}/dsa_lib.sh"

# 100 ms without an answer are meant for a device, not for one that is emulated twice.
engine=dsa:timeout_us=20000000
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

sh "$here/dsa_tree.sh" shared

start_daemon
"$migbench" doctor >$out
grep -q "found by $discovery" $out && grep -q 'wq0.0 (shared, 64 entries) by write' $out
verdict $? "doctor finds the queue and sends a NOOP through it"

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
[ "$(count invalid)" -ge 3 ] && [ "$(count forks)" -eq 1 ]
verdict $? "what had to be refused was"

start_daemon
as_nobody "$client $node wrong"
verdict $? "three rules broken: the client is told"
stop_daemon
# A client that is gone before its last record is written makes one breach more.
[ "$(count breaches)" -ge 3 ] && [ "$(grep -cE '^breach.(D3|D7|D9) .*: 1$' $stats)" -eq 3 ]
verdict $? "and so are we"

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
	sh "$here/dsa_tree.sh" dedicated
	start_daemon safe,mode=dedicated
	as_nobody "LD_PRELOAD=$shim $portal $node dedicated"
	verdict $? "and by MOVDIR64B to a dedicated queue"
	stop_daemon
	no_breach
	sh "$here/dsa_tree.sh" shared
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
sh "$here/dsa_tree.sh" shared 16
as_nobody "$copy --engine $engine & $copy --engine $engine && wait \$!"
verdict $? "two of them at once on a short queue"
stop_daemon
[ "$(count bytes)" -ge $((16 << 20)) ]
verdict $? "both by the device"
no_breach
sh "$here/dsa_tree.sh" shared

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
sh "$here/dsa_tree.sh" dedicated 16
as_nobody "exec 9<>$node; exec $client $node"
grep -q 'Device or resource busy' $out
verdict $? "a dedicated queue has one user"
as_nobody "$copy --engine $engine"
verdict $? "migbench copy through a dedicated queue"
stop_daemon
[ "$(count bytes)" -ge $((8 << 20)) ]
verdict $? "all of it by the device"
no_breach
sh "$here/dsa_tree.sh" shared

faults=page:20000+reverse:5000+error:5000+retry:50000+late:5000
start_daemon seed=1,faults=$faults
as_nobody "$copy --engine $engine"
verdict $? "migbench copy with faults"
stop_daemon
[ "$(count fault.page)" -gt 0 ] && [ "$(count fault.error)" -gt 0 ] && [ "$(count retries)" -gt 0 ]
verdict $? "of which there were some"
no_breach

# How much a device gets to do in a given time is the machine's affair: a few dozen descriptors
# where it is crowded. So every fault is frequent enough to be met by those.
faults=page:200000+reverse:50000+error:50000+retry:100000+late:50000
if has_exchange "migbench verify with faults"; then
	start_daemon seed=2,faults=$faults
	as_nobody "$verify --time 10s --engine $engine"
	verdict $? "migbench verify with faults: no update lost"
	stop_daemon
	[ "$(count bytes)" -gt 0 ] && [ "$(count fault.page)" -gt 0 ]
	verdict $? "the device took part"
	no_breach

	start_daemon seed=3,faults=hang:500000
	as_nobody "$verify --time 5s --engine dsa:timeout_us=200000"
	verdict $? "migbench verify, and the device hangs: no update lost"
	stop_daemon
	[ "$(count fault.hang)" -gt 0 ]
	verdict $? "it did"
	# Sources may change once a device is given up: what it reads then goes where nobody looks.
	verdict $(($(count breaches) + $(count drops))) "no rule was broken"

	start_daemon
	(sleep 4; kill -KILL $daemon) &
	as_nobody "$verify --time 8s --engine dsa:timeout_us=200000"
	verdict $? "migbench verify, and the device is gone half-way: no update lost"
	wait $daemon
fi
tap_done
