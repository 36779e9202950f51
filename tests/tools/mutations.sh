#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each patch of tests/mutations/ still applies, says what it breaks, and names tests that exist.
# (tools/mutate runs them.)
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

test_exists()
{
	[[ -e tests/$1 && $1 == *.sh ]] || [[ -e tests/$1.c ]]
}

check_patch()
{
	local patch=$1 sentence tests test

	sentence=$(sed '/^[a-z]*: \|^--- /,$d' "$patch")
	[[ $sentence == *. ]] || { echo "no sentence that says what is broken" && return 1; }
	tests=$(sed -n '/^--- /q; s/^tests: *//p' "$patch")
	[[ $tests ]] || { echo "no line \"tests: …\"" && return 1; }
	for test in $tests; do
		test_exists "$test" || { echo "no such test: $test" && return 1; }
	done
	patch -p1 -F0 -f -s --dry-run <"$patch"
}

for patch in tests/mutations/*.patch; do
	why=$(check_patch "$patch" 2>&1)
	verdict $? "${patch##*/}" "$why"
done

list=$(tools/mutate --list | wc -l)
[ "$list" -ge 60 ]
verdict $? "tools/mutate lists them" "$list patches"
tap_done
