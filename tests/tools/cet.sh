#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Built with -fcf-protection, every object of the drop-in is marked for indirect branch tracking and
# shadow stacks. The linker marks the library only if all are.
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

if [ "$(uname -m)" != x86_64 ]; then
	echo "1..0 # SKIP the marks are those of x86-64"
	exit 0
fi

compile()
{
	"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -I. -O2 -fPIC -fcf-protection=full -c -o "$2" "$1"
}

# The only file with assembly outside functions, and one without any.
for source in preload/syscall.c preload/preload.c; do
	object=$tmp/$(basename "$source" .c).o
	compile "$source" "$object" && readelf -n "$object" | grep -q 'IBT, SHSTK'
	verdict $? "$source is marked"
done

objdump -d "$tmp/syscall.o" | sed -n '/<syscall>:/{n;p;}' | grep -q endbr64
verdict $? 'syscall begins with a target of indirect branches'

# Each .S file would need a note of its own.
[ -z "$(git ls-files '*.S' '*.s')" ]
verdict $? 'no assembly without a compiler, which writes the note'
tap_done
