#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One version everywhere, and tools/release changes all places.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

PLACES='Makefile CHANGELOG.md debian/changelog rpm/pageferry.spec man/ferry_get_stats.3'
version=$(sed -n 's/^VERSION := //p' Makefile)

# A copy of what names the version.
fresh_copy()
{
	rm -rf "$tmp/tree" && mkdir -p "$tmp/tree" &&
		cp --parents $PLACES tools/release "$tmp/tree/"
}

try 'all places name one version' tools/release --check
try "migbench is $version" grep -qxF "migbench $version" <("$BUILD/migbench" --version)
try "libpageferry.pc is $version" grep -qxF "Version: $version" "$BUILD/libpageferry.pc"
try "the library's file is named so" test -e "$BUILD/libpageferry.so.$version"

for place in $PLACES; do
	fresh_copy
	sed -i "0,/${version//./\\.}/s//9.8.6/" "$tmp/tree/$place"
	output=$("$tmp/tree/tools/release" --check)
	[[ $? -eq 1 && $output == *9.8.6* ]]
	verdict $? "another version in $place is found" "$output"
done

fresh_copy
try 'a new version is written' "$tmp/tree/tools/release" 9.8.7
try 'to all places' "$tmp/tree/tools/release" --check
for place in $PLACES; do
	try "to $place" grep -qF 9.8.7 "$tmp/tree/$place"
done
try 'what was unreleased is released' \
	test "$(grep -A2 '^## \[Unreleased\]' "$tmp/tree/CHANGELOG.md" | tail -n 1 | cut -c 1-11)" = '## [9.8.7] '
try "Debian's tools read the changelog" test "$(dpkg-parsechangelog -l "$tmp/tree/debian/changelog" \
	-S Version 2>/dev/null)" = 9.8.7

# refuses VERSION TEXT: with this text in the message, and nothing is changed.
refuses()
{
	local output status

	fresh_copy
	output=$("$tmp/tree/tools/release" "$1" 2>&1)
	status=$?
	[[ $status -eq 2 && $output == *"$2"* ]] && (cd "$tmp/tree" && for place in $PLACES; do
		cmp "$place" "$OLDPWD/$place" || exit 1
	done)
	verdict $? "refused: $1" "status $status" "$output"
}
refuses "$version" 'not later'
refuses 0.0.1 'not later'
refuses 1.2 'three numbers'
refuses v1.2.3 'three numbers'
tap_done
