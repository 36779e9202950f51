#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Man pages: well formed, one for every public function, and every example compiles and runs.
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh
# shellcheck disable=SC2034  # read by tap.sh
show=$tmp/out

public_functions()
{
	sed -nE 's/^FERRY_API .*[ *](ferry_[a-z_]+)\(.*/\1/p' include/pageferry.h
}

# The complete programs among a page's examples.
examples()
{
	awk -v base="$tmp/$(basename "$1")" '
		/^\.SH/ { section = $2 }
		/^\.EE/ { if (out) close(out); out = "" }
		out { gsub(/\\-/, "-"); gsub(/\\e/, "\\"); gsub(/\\&/, ""); print > out }
		/^\.EX/ && section == "EXAMPLES" { out = base "." ++n ".c" }
	' "$1"
	grep -l '^int main' "$tmp/$(basename "$1")".*.c 2>/dev/null
}

for page in man/*.[1-8]; do
	grep -q '^\.so ' "$page" && continue
	mandoc -T lint -W warning "$page" >"$tmp/out" 2>&1
	verdict $? "$page is well formed"
done

[ "$(public_functions | wc -l)" -eq "$(grep -c '^FERRY_API' include/pageferry.h)" ]
verdict $? "the header's functions are found"
for function in $(public_functions); do
	page=man/$function.3
	alias=$(sed -nE 's/^\.so man3\///p' "$page" 2>"$tmp/out")
	[ -n "$alias" ] && page=man/$alias
	# Named in NAME, and with a prototype.
	sed -n '/^\.SH NAME/,/^\.SH LIBRARY/p' "$page" 2>>"$tmp/out" | grep -qw "$function" &&
		sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$page" | grep -q "$function("
	verdict $? "$function has a page"
done

programs=0
for page in man/*.3; do
	for source in $(examples "$page"); do
		programs=$((programs + 1))
		${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror -Iinclude \
			-o "$tmp/program" "$source" -L"$BUILD" -lpageferry \
			-Wl,-rpath,"$BUILD" >"$tmp/out" 2>&1 &&
			timeout 60 "$tmp/program" >>"$tmp/out" 2>&1
		verdict $? "the example of $page compiles and runs"
	done
done
[ $programs -ge 4 ]
verdict $? "examples are found"

tap_done
