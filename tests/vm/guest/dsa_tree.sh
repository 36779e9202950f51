#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Creates the /sys/bus/dsa that the idxd driver has for one device with one user work queue:
# dsa_tree.sh [shared|dedicated [SIZE]]. No files can be created in sysfs, so /sys/bus becomes a
# tmpfs with the other buses bind-mounted: call it as root, in a mount namespace or in a guest.
# Tests edit the files afterwards to break the tree, and enter the numbers of their node.
set -e

mode=${1:-shared}
size=${2:-64}

if ! grep -q '^dsa_tree /sys/bus ' /proc/mounts; then
	mkdir -p /run/dsa_tree
	mount --bind /sys/bus /run/dsa_tree
	mount -t tmpfs dsa_tree /sys/bus
	for bus in /run/dsa_tree/*; do
		mkdir "/sys/bus/${bus##*/}"
		mount --bind "$bus" "/sys/bus/${bus##*/}"
	done
	umount -l /run/dsa_tree
fi

# Names and values: the rest of the lines as they are.
put() { # directory
	mkdir -p "$1"
	while read -r name value; do
		echo "$value" >"$1/$name"
	done
}

device=/sys/bus/dsa/devices/dsa0
mkdir -p /sys/bus/dsa/drivers/idxd /sys/bus/dsa/drivers/user

put $device <<END
version 0x100
state enabled
cmd_status 0x0
clients 0
configurable 1
pasid_enabled 1
numa_node 0
max_groups 4
max_work_queues 8
max_work_queues_size 128
max_engines 4
max_batch_size 1024
max_transfer_size 2147483648
max_read_buffers 96
max_tokens 96
read_buffer_limit 0
token_limit 0
ims_size 2048
gen_cap 0x40915f0107
op_cap 0x10003027f 0x0 0x0 0x0
errors 0x0 0x0 0x0 0x0
cdev_major 238
END
put $device/wq0.0 <<END
state enabled
type user
mode $mode
group_id 0
size $size
threshold $([ "$mode" = shared ] && echo "$size" || echo 0)
priority 10
block_on_fault 0
max_batch_size 32
max_transfer_size 2097152
name ferry
driver_name user
cdev_minor 0
ats_disable 0
prs_disable 0
occupancy 0
clients 0
op_config 0x10003027f 0x0 0x0 0x0
END
put $device/group0.0 <<END
engines engine0.0
work_queues wq0.0
read_buffers_reserved 0
read_buffers_allowed 8
use_read_buffer_limit 0
tokens_reserved 0
tokens_allowed 8
use_token_limit 0
traffic_class_a 0
traffic_class_b 1
desc_progress_limit 0
batch_progress_limit 0
END
put $device/engine0.0 <<END
group_id 0
END
# All of them are devices of the bus.
for name in wq0.0 group0.0 engine0.0; do
	ln -sfn dsa0/$name /sys/bus/dsa/devices/$name
done
ln -sfn ../../devices/dsa0 /sys/bus/dsa/drivers/idxd/dsa0
ln -sfn ../../devices/wq0.0 /sys/bus/dsa/drivers/user/wq0.0
