#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A thread enters a gate by a store and a load, and a processor may carry out the load first. This
# looks for the instruction that prevents it, because whether a run shows the error is luck
# (tests/host/gate.c tries).

cd "$(dirname "$0")/../.." || exit 1
CC=${CC:-cc}
. tests/testlib/tap.sh

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# True if the compiler's code for $1 has an instruction that matches the pattern.
ordered() { # compiler, function, body, pattern
	printf '#include "base/gate.h"\n%s\n{\n%s\n}\n' "$2" "$3" >"$tmp/gate.c"
	"$1" -std=gnu17 -O2 -D_GNU_SOURCE -I. -S -o "$tmp/gate.s" "$tmp/gate.c" &&
		grep -Eq "$4" "$tmp/gate.s"
}

enter='bool enter(struct gate *gate)'
bar='void bar(struct gate *gate)'
case $(uname -m) in
x86_64)
	try 'a thread that enters has a fence between its store and its load' \
		ordered "$CC" "$enter" 'return gate_try_enter(gate, 0);' \
		'^[[:space:]]*(xchg|mfence|lock)'
	try 'a thread that bars has one between its store and its look at the doors' \
		ordered "$CC" "$bar" 'gate_bar(gate); gate_await_leavers(gate);' \
		'^[[:space:]]*(xchg|mfence|lock)'
	;;
*)
	skip 'a fence between store and load' 'the test knows the instructions of x86-64 only'
	;;
esac
tap_done
