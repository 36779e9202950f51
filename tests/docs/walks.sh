#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The walks in docs/ can be followed: in a copy of the tree the blocks of a document are taken in
# order. ```sh is run, ```diff applied, ```c PATH is written to PATH. Tables of "file, function" name
# functions that are defined in that file.
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh
# shellcheck source=tools/lib/tree.sh
. tools/lib/tree.sh
build=${BUILD:-build}
[[ $build == /* ]] || build=$root/$build

# Writes block N of a document to $tmp/block, its info string to $tmp/info; 1 if there is none.
block()
{
	awk -v n="$2" -v info="$tmp/info" '
		/^```/ && !inside { inside = 1; nr++; if (nr == n) print substr($0, 4) > info; next }
		/^```/ { inside = 0; next }
		inside && nr == n { print; found = 1 }
		END { exit !found }' "$1" >"$tmp/block"
}

run_block()
{
	bash -e -o pipefail "$tmp/block"
}

write_block()
{
	mkdir -p "$(dirname "$1")" && cp "$tmp/block" "$1"
}

apply_block()
{
	git apply "$tmp/block"
}

# A copy of the tracked files and of the build: only what a walk changes is built again.
fresh_copy()
{
	rm -rf "$tmp/tree" && tree_copy "$tmp/tree" &&
		mkdir "$tmp/tree/build" && cp -rp "$build/obj" "$build/hook" "$tmp/tree/build/"
}

walk()
{
	local document=$1 n info kind path

	try "$document: a copy of the tree" fresh_copy
	cd "$tmp/tree" || exit 1
	for ((n = 1; ; n++)); do
		block "$document" "$n" || break
		read -r info <"$tmp/info"
		read -r kind path <<<"$info"
		case $kind in
		sh) try "$document: $(head -n 1 "$tmp/block" | cut -c 1-60)" run_block ;;
		diff) try "$document: the patch applies" apply_block ;;
		c) try "$document: $path" write_block "$path" ;;
		esac
	done
	cd "$root" || exit 1
}

# Each row `FILE` | `FUNCTION` of the tables.
functions()
{
	local file name missing=0

	while read -r file name; do
		grep -qE "^[a-z].*\b$name\(" "$file" 2>/dev/null && continue
		echo "$1: $file has no $name()"
		missing=1
	done < <(sed -nE 's/^\| `([^`]+\.c)` \| `([a-z_]+)` \|.*/\1 \2/p' "$1")
	return $missing
}

try "docs/walks/follow-move_pages.md: functions are in their files" functions docs/walks/follow-move_pages.md
walk docs/walks/follow-move_pages.md
if grep -qw avx2 /proc/cpuinfo; then
	walk docs/walks/add-a-copy-kernel.md
else
	skip "docs/walks/add-a-copy-kernel.md" "this CPU has no AVX2"
fi
walk docs/walks/add-an-engine.md

tap_done
