#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tools/lib/tree.sh copies what belongs to the tree, in a checkout and without git.
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh
# shellcheck source=tools/lib/tree.sh
. tools/lib/tree.sh

# copies NAME EXPECTED: the files of a copy of this directory.
copies()
{
	local found

	rm -rf "$tmp/copy"
	tree_copy "$tmp/copy"
	found=$(cd "$tmp/copy" && find . -type f | sort | xargs -d '\n')
	[[ $found == "$2" ]]
	verdict $? "$1" "copied: $found"
}

mkdir -p "$tmp/tree/sub" "$tmp/tree/build"
cd "$tmp/tree" || exit 1
echo ignored >.gitignore
echo build >>.gitignore
touch kept 'sub/with space' new deleted ignored build/product
chmod 755 kept
touch -d 2001-02-03 kept
git init -q . && git add .gitignore kept sub deleted && rm deleted
copies 'a checkout: tracked and new files, without deleted, ignored and built ones' \
	'./.gitignore ./kept ./new ./sub/with space'
[[ $(stat -c '%a %Y' kept) == $(stat -c '%a %Y' "$tmp/copy/kept") ]]
verdict $? 'modes and times are kept'
rm -rf .git
copies 'without git: all but what was built' './.gitignore ./ignored ./kept ./new ./sub/with space'
tap_done
