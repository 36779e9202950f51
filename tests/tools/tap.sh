#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The shell tests' TAP library says the same under every shell, and tools/lib/tap.awk counts it.
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

cat >"$tmp/script" <<'END'
. tests/testlib/tap.sh
ok 'as it is: \n'
skip two 'no reason'
verdict 0 three 'not shown'
verdict 4 four 'first line' 'second \n'
try five sh -c 'echo out; echo err >&2'
try six sh -c 'echo out; echo err >&2; exit 3'
show="$1 /no/such/file"
not_ok seven
tap_done
END
echo shown >"$tmp/shown"
cat >"$tmp/expected" <<'END'
ok 1 - as it is: \n
ok 2 - two # SKIP no reason
ok 3 - three
not ok 4 - four
# first line
# second \n
ok 5 - five
not ok 6 - six
# out
# err
not ok 7 - seven
# shown
1..7
END
for shell in bash dash 'busybox sh'; do
	if ! command -v "${shell%% *}" >/dev/null; then
		skip "$shell" "not installed"
		continue
	fi
	$shell "$tmp/script" "$tmp/shown" >"$tmp/out" 2>&1
	[ $? -eq 1 ] && diff "$tmp/expected" "$tmp/out" >"$tmp/diff"
	verdict $? "$shell" "$(cat "$tmp/diff")"
done

counts() { # what, exit status, expected first line, log line…
	local counted

	counted=$(printf '%s\n' "${@:4}" | awk -v status="$2" -v limit=9 -f tools/lib/tap.awk)
	[ "${counted%%$'\n'*}" = "$3" ]
	verdict $? "$1" "$counted"
}

mapfile -t lines <"$tmp/expected"
counts 'passed, failed, skipped' 1 '3 3 1' "${lines[@]}"
counts 'all passed' 0 '2 0 0' '1..2' 'ok 1 - a' 'ok 2 - b'
counts 'fewer tests than planned' 0 '1 1 0' '1..2' 'ok 1 - a'
counts 'more tests than planned' 0 '2 1 0' '1..1' 'ok 1 - a' 'ok 2 - b'
counts 'no plan' 0 '1 1 0' 'ok 1 - a'
counts 'an exit status that no test explains' 3 '1 1 0' '1..1' 'ok 1 - a'
counts 'a signal' 139 '1 1 0' '1..1' 'ok 1 - a'
counts 'the time limit' 124 '1 1 0' '1..1' 'ok 1 - a'
counts 'Bail out!' 0 '1 1 0' '1..1' 'ok 1 - a' 'Bail out! no'
counts 'a skip of everything' 77 '0 0 1' '1..0 # SKIP no'

tap_done
