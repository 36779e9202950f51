#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# In the guest: breaks every link between a program and a DSA queue in turn. migbench doctor has to
# name it and its remedy, and to stop there. BUILD-DIRECTORY

# shellcheck source=tests/vm/guest/dsa_lib.sh
. "${0%/*}/dsa_lib.sh"

device=${wq%/*}

# The line of the table with "no", as CSV: subject,usable,detail,remedy.
doctor() { # user
	su -s /bin/sh "$1" -c "$migbench doctor --csv -" </dev/null 2>&1 | grep '^"\?dsa/' >$out
}

# The "no" is the last line: links after a broken one are not checked.
broken() { # link, in the detail, in the remedy, what was broken
	tail -n 1 $out | grep -q "^\"\?dsa/$1\"\?,no,.*$2.*,.*$3"
	verdict $? "$4: $3"
	[ "$(grep -c ',no,' $out)" -eq 1 ]
	verdict $? "$4: the only link found broken"
}

set_to() { # file, value
	echo "$2" >"$1"
}

start_daemon

doctor root
broken 'driver idxd' 'not loaded' 'modprobe idxd' "no module"

make_tree shared
mv "$device" /run/dsa0
doctor root
broken 'DSA devices' 'no DSA device' 'enable DSA in the firmware' "no device"
mv /run/dsa0 "$device"

set_to "$device/state" disabled
doctor root
broken 'device enabled' 'dsa0 is disabled' 'accel-config enable-device dsa0' "device disabled"
set_to "$device/state" enabled

set_to "$device/pasid_enabled" 0
doctor root
broken 'shared virtual memory' 'no shared virtual memory' 'intel_iommu=on,sm_on' "no SVA"
set_to "$device/pasid_enabled" 1

set_to $wq/state disabled
doctor root
broken 'work queue enabled' 'wq0.0 is disabled' 'accel-config enable-wq dsa0/wq0.0' "queue disabled"
set_to $wq/state enabled

set_to $wq/type kernel
doctor root
broken 'work queue of type user' 'not of type user' 'config-wq dsa0/wq0.0 --type=user' "wrong type"
set_to $wq/type user

set_to $wq/size 0
doctor root
broken 'work queue size' 'no entries' '--wq-size=16' "queue without entries"
set_to $wq/size 64

mv $node /dev/dsa/elsewhere
doctor root
broken 'device node' 'wq0.0 has no node' 'udevadm trigger' "no node"
mv /dev/dsa/elsewhere $node

chmod 600 $node
doctor nobody
broken 'permission of the node' 'Permission denied' "setfacl -m u:.*:rw $node" "no permission"
doctor root
grep -q '^"\?dsa/a NOOP through the queue"\?,yes,' $out
verdict $? "root needs none"
chmod 666 $node

doctor nobody
# Batches need a portal and ENQCMD for a shared queue, MOVDIR64B for a dedicated one.
case " $(grep -m 1 -w flags /proc/cpuinfo) " in
*' enqcmd '*) remedy='setcap cap_sys_rawio' ;;
*' movdir64b '*) remedy='--mode=dedicated.*lacks ENQCMD.*setcap cap_sys_rawio' ;;
*) remedy='none: without ENQCMD and MOVDIR64B' ;;
esac
broken 'batches' 'batch: Invalid argument' "$remedy" "no batches"
grep -q '^"\?dsa/a NOOP through the queue"\?,yes,"\?wq0.0 (shared. 64 entries) by write' $out
verdict $? "and all else is well"
stop_daemon

start_daemon faults=retry:1000000
doctor root
broken 'a NOOP through the queue' 'write: the queue accepts nothing' 'dmesg' "queue that accepts nothing"
stop_daemon

tap_done
