#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# While pages are in flight, a thread that they wait for must not touch memory that may be among
# them: not the heap, nor what libc keeps in .bss and thread-local storage for stdio, locales and
# locks. Whether a run meets such a page is luck, so this looks at which functions of libc the parts
# call that work then.

cd "$(dirname "$0")/../.." || exit 1
. tests/testlib/tap.sh
objects=${BUILD:-build}/obj

# These only read and write what their arguments point to.
anywhere='clock_gettime|mem(cmp|cpy|move|set)|str(chr|cmp|len|ncmp|rchr|spn|str|tok_r)'
# The compiler's own.
compiler='__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__popcountdi2|__cpu_(indicator_init|model)|__aarch64_.*'
# What else a file may call, because it does so only while a context is opened or closed, or by
# threads that have nothing in flight (log, pools), or because no job uses it (profiles).
exceptions='base/apart.o: getauxval
base/kernel.o: uname|__isoc(99|23)_sscanf
base/log.o: vsnprintf|__errno_location
base/thread.o: pthread_.*|sigfillset
policy/profile.o: snprintf
policy/profile_text.o: memchr|snprintf
lib/nodes/memory_blocks.o: .*
lib/pool/pools.o: strerror'

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
find "$objects" -name '*.o' -exec nm --defined-only {} + 2>/dev/null |
	awk 'NF == 3 { print $3 }' | sort -u >"$tmp/own"

# Prints what the object file calls that it should not.
strangers() { # file
	extra=$(printf '%s\n' "$exceptions" | sed -n "s|^$1: ||p")
	nm -u "$objects/$1" | awk '{ print $2 }' | sort -u | comm -23 - "$tmp/own" |
		grep -Ev "^($compiler|$anywhere${extra:+|$extra})\$"
}

for part in base copy policy lib/core lib/exchange lib/job lib/kernel lib/nodes lib/pool lib/uffd; do
	found=$(find "$objects/$part" -name '*.o' 2>/dev/null | sort | while read -r file; do
		file=${file#"$objects/"}
		strangers "$file" | sed "s|^|$file calls |"
	done)
	[ -z "$found" ] || printf '%s\n' "$found" | sed 's/^/# /'
	try "$part calls nothing that has memory of its own" test -d "$objects/$part" -a -z "$found"
done
tap_done
