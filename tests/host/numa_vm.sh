#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tools/numa-vm hears from its guest, a serial line that writes letter by letter.

cd "$(dirname "$0")/../.." || exit 1
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
# shellcheck disable=SC2034  # hear's
QEMU_PID=$$ ACCEL_USED=tcg
# shellcheck source=/dev/null
. <(sed -n '/^hear()/,/^}/p' tools/numa-vm)

# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

heard() { # what, expected
	hear "$((${EPOCHREALTIME/./} + 5000000))" && [ "$LINE" = "$2" ]
	verdict $? "$1" "heard: $LINE"
}

silent() { # what, hear's answer, µs
	hear "$((${EPOCHREALTIME/./} + $3))"
	[ $? -eq "$2" ]
	verdict $? "$1"
}

mkfifo "$WORK/ctl"
exec {CTL}<>"$WORK/ctl"
{
	printf 'up\nru'
	sleep 0.5
	printf 'n\nex'
	sleep 0.3
	printf 'it'
	sleep 0.3
	printf ' 77\n'
} >&"$CTL" &
heard 'a word at once' up
heard 'a word in two parts' run
heard 'a word in three parts' 'exit 77'
silent 'silence ends when the time is up' 2 300000

sh -c : &
QEMU_PID=$!
wait "$QEMU_PID"
printf 'exit 0\n' >&"$CTL"
heard 'what was said last, by a guest that has gone' 'exit 0'
silent 'a guest that has gone says no more' 1 5000000
tap_done
