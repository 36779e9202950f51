#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tools/walls finds what it looks for, and nothing else, in a tree of a few small files.
cd "$(dirname "$0")/../.." || exit 1
WALLS=$(realpath tools/walls)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh
export BUILD=build

# A tree without faults: low/ is used by mid/, both by top/.
plant()
{
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree"/{low,mid,top,tools,docs}
	cd "$tmp/tree" || exit 1
	cat >tools/walls.txt <<'END'
# A comment.
low:
mid: low ; offers mid.h
top: low/low.h mid
END
	printf '%s\n' 'before' '<!-- tools/walls.txt, written by tools/walls --update -->' \
		'<!-- end of tools/walls.txt -->' 'after' >docs/architecture.md
	put low/low.h 'int low(int x);'
	put low/other.h 'int other(int x);'
	put low/low.c '#include "low.h"' 'int low(int x) { return x; }'
	put low/other.c '#include "low/other.h"' 'int other(int x) { return x; }'
	put mid/mid.h 'int mid(int x);'
	put mid/private.h '#include "mid/mid.h"' 'int mid_helper(int x);'
	put mid/mid.c '#include "low/low.h"' '#include "mid/private.h"' \
		'int mid(int x) { return mid_helper(low(x)); }'
	put mid/helper.c '#include "mid/private.h"' 'int mid_helper(int x) { return x; }'
	put top/top.c '#include "low/low.h"' '#include "mid/mid.h"' \
		'int top(int x) { return low(mid(x)); }'
	"$WALLS" --update || exit 1
}

put() { # file, line…
	local file=$1

	shift
	printf '%s\n' "$@" >"$file"
}

# Compiles the tree and checks it; $status and $said are what comes of it.
check()
{
	local source

	rm -rf build
	for source in */*.c; do
		mkdir -p "build/obj/$(dirname "$source")"
		"${CC:-cc}" -I. -c -o "build/obj/${source%.c}.o" "$source" || exit 1
	done
	said=$("$WALLS" "$@" 2>&1)
	status=$?
}

# finds WHAT SENTENCE…: the check fails, and says each of the sentences.
finds()
{
	local what=$1 sentence

	shift
	for sentence in "$@"; do
		if [[ $status -ne 1 || $said != *"$sentence"* ]]; then
			not_ok "$what" "status $status, and not: $sentence" "$said"
			return
		fi
	done
	ok "$what"
}

passes()
{
	[[ $status -eq 0 && -z $said ]]
	verdict $? "$1" "status $status" "$said"
}

plant
check
passes 'what the table allows'
git init -q . && git add .
check
passes 'the same in a git checkout'

plant
put low/low.c '#include "low/low.h"' '' '#include "mid/mid.h"' 'int low(int x) { return x; }'
check
finds 'an include upwards' \
	'low/low.c:3: low may not include mid (mid/mid.h): low may use no other part' \
	'cycle of folders: low -> mid (low/low.c:3) -> low (mid/mid.c:1)'

plant
put top/top.c '#include "mid/private.h"' 'int top(int x) { return mid(x); }'
check
finds 'a private header' \
	'top/top.c:1: top may not include mid/private.h, a private header: mid offers mid.h'

plant
put top/top.c '#include "low/other.h"' 'int top(int x) { return other(x); }'
check
finds 'another header than the one allowed' \
	'top/top.c:1: top may not include low (low/other.h): top may use low/low.h, mid'

plant
put low/low.c 'int mid(int x);' 'int low(int x) { return mid(x); }'
check
finds 'a call upwards without an include' \
	'low/low.c: low may not use mid (mid of mid/mid.c)' \
	'cycle of files: low/low.c -> mid/mid.c (uses mid) -> low/low.c (uses low)'

plant
put mid/mid.h '#include "mid/private.h"' 'int mid(int x);'
sed -i '1i #pragma once' mid/*.h
check
finds 'headers that include each other' \
	'cycle of files: mid/mid.h -> mid/private.h (includes mid/private.h) -> mid/mid.h'

plant
put mid/helper.c '#include "mid/private.h"' 'int mid_helper(int x) { return x ? mid(x - 1) : 0; }'
check
finds 'files that call each other' 'cycle of files: mid/helper.c -> mid/mid.c (uses mid)'
echo 'except mid/helper.c -> mid/mid.c: it recurses' >>tools/walls.txt
"$WALLS" --update
check
passes 'files that call each other, as an exception'
put mid/helper.c '#include "mid/private.h"' 'int mid_helper(int x) { return x; }'
check
finds 'an exception that is not needed' 'tools/walls.txt:5: this exception is not needed any more'

plant
put low/other.c '#include "low/low.h"' '#include "low/other.h"' 'int other(int x) { return x; }'
put low/low.c '#include "low/other.h"' 'int low(int x) { return other(x); }'
check
passes 'a file that uses the header of one that calls it'
check --strict
finds 'the same, strictly' 'cycle of files: low/low -> low/other'

plant
mkdir stray
put stray/stray.c 'int stray;'
check
finds 'a folder that the table lacks' 'stray/stray.c: belongs to no part'

plant
printf '%s\n' 'gone: top low' 'early: late' 'late: low' 'what is this' >>tools/walls.txt
check
finds 'faults of the table' 'tools/walls.txt:5: there is no source in gone' \
	'tools/walls.txt:6: early lists late, which has no line above' \
	'tools/walls.txt:7: there is no source in late' 'tools/walls.txt:8: not understood'

plant
sed -i 's/offers mid.h/offers mid.h private.h/' tools/walls.txt
check
finds 'a document with another table' \
	'docs/architecture.md: the table is not that of tools/walls.txt: run tools/walls --update'
"$WALLS" --update
check
passes 'the document once it is updated'
[[ $(head -n 1 docs/architecture.md) == before && $(tail -n 1 docs/architecture.md) == after ]] &&
	grep -qxF -e '| `mid` | `low` | `mid.h`, `private.h` |' docs/architecture.md
verdict $? 'the document holds the table and what was around it' "$(cat docs/architecture.md)"

plant
rm -rf build
said=$("$WALLS" 2>&1)
[[ $? -eq 2 && $said == *'no object files'* ]]
verdict $? 'a tree that is not built cannot be checked' "$said"

tap_done
