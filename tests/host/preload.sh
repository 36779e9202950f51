#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs each victim with and without the drop-in. Its output and exit status must be the same.
#
#	tests/host/preload.sh            BUILD=build PRELOAD=$BUILD/libpageferry-preload.so
#	tests/host/preload.sh --build    only compiles the victims

cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
PRELOAD=$(realpath "${PRELOAD:-$BUILD/libpageferry-preload.so}")
VICTIMS=$(realpath -m "$BUILD")/tests/host/preload_victims
SOURCES=tests/host/preload_victims
CC=${CC:-cc}
LIMIT_S=120
MAN=man/libpageferry-preload.7

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

build() { # name, compiler flags…
	local name=$1 out=$VICTIMS/$1
	shift
	[ "$out" -nt "$SOURCES/${SOURCE:-$name}.c" ] && [ "$out" -nt "$SOURCES/victim.h" ] && return
	mkdir -p "$VICTIMS"
	$CC -std=gnu17 -O2 -g -Wall -Wextra -D_GNU_SOURCE -o "$out" \
		"$SOURCES/${SOURCE:-$name}.c" "$@" -lpthread -ldl
}

# Runs one command with the drop-in.
ferried() { env LD_PRELOAD="$PRELOAD" PAGEFERRY_STATS="$tmp/stats" "$@"; }

# The value of a key in the statistics of a program, summed over its processes; 0 if there is none.
stat_of() { # program, key
	awk -v program="program=$1" -v key="$2" '
		$0 ~ " " program " " { for (i = 1; i <= NF; i++)
			if (index($i, key "=") == 1) sum += substr($i, length(key) + 2) }
		END { print sum + 0 }' "$tmp/stats" 2>/dev/null || echo 0
}

same() { # what, command…
	local what=$1 plain ferried
	shift
	rm -f "$tmp/stats"
	timeout $LIMIT_S "$@" >"$tmp/plain" 2>"$tmp/plain.err" </dev/null
	plain=$?
	timeout $LIMIT_S env LD_PRELOAD="$PRELOAD" PAGEFERRY_STATS="$tmp/stats" "$@" \
		>"$tmp/ferried" 2>"$tmp/ferried.err" </dev/null
	ferried=$?
	if [ $plain -ge 124 ]; then
		not_ok "$what" "its exit status is $plain even without the drop-in"
	elif [ $plain -ne $ferried ]; then
		not_ok "$what" "exit status $plain without, $ferried with the drop-in" \
			"$(tail -3 "$tmp/ferried.err")"
	elif ! cmp -s "$tmp/plain" "$tmp/ferried" || ! cmp -s "$tmp/plain.err" "$tmp/ferried.err"; then
		not_ok "$what" "output differs:"
		diff "$tmp/plain" "$tmp/ferried" | sed 's/^/# /'
		diff "$tmp/plain.err" "$tmp/ferried.err" | sed 's/^/# /'
	else
		ok "$what"
	fi
}

# After same(): compares a value of the statistics.
counted() { # program, key, test operator, number
	local value
	value=$(stat_of "$1" "$2")
	test "$value" "$3" "$4"
	verdict $? "$1: $2 $3 $4" "it is $value" "$(cat "$tmp/stats" 2>&1)"
}

for name in constructor preinit fork_storm vfork_exec threads exit_busy dlopen own_uffd \
	raw_syscall raw_clone malloc_hook zerocopy signal unmapped odd; do
	build $name || { echo "Bail out! can't compile $SOURCES/$name.c"; exit 1; }
done
build calls -lnuma || { echo "Bail out! can't compile $SOURCES/calls.c"; exit 1; }
build plugin -shared -fPIC || { echo "Bail out! can't compile $SOURCES/plugin.c"; exit 1; }
[ "$1" = --build ] && exit 0

echo "# drop-in: $PRELOAD"
[ -e "$PRELOAD" ] || { echo "Bail out! $PRELOAD does not exist: run make"; exit 1; }

same "all functions, valid and invalid arguments" "$VICTIMS/calls"
counted calls served -ge 15
counted calls plain_query -eq 2
same "a call before all constructors" "$VICTIMS/preinit"
counted preinit plain_early -eq 1
same "calls before and after main" "$VICTIMS/constructor"
counted constructor served -eq 2
same "calls from signal handlers" "$VICTIMS/signal"
counted signal plain_signal -ge 1
counted signal served -ge 100
same "fork while a thread moves pages" "$VICTIMS/fork_storm"
counted fork_storm served -ge 40
same "vfork, exec and posix_spawn" "$VICTIMS/vfork_exec"
counted vfork_exec plain_thread -ge 20
same "threads that come and go" "$VICTIMS/threads"
counted threads served -ge 100
same "exit while threads move pages" "$VICTIMS/exit_busy"
same "dlopen of libnuma, and of a library whose constructor moves pages" "$VICTIMS/dlopen" \
	"$VICTIMS/plugin"
counted dlopen served -eq 3
same "the program's own userfaultfd" "$VICTIMS/own_uffd"
same "syscall() passes all other numbers to the kernel" "$VICTIMS/raw_syscall"
same "threads and processes by raw clone" "$VICTIMS/raw_clone"
counted raw_clone plain_thread -eq 4
same "calls from malloc" "$VICTIMS/malloc_hook"
same "pages passed to a pipe by reference" "$VICTIMS/zerocopy"
for nr in 8 16 64 1024 65536; do
	same "$nr pages that were unmapped just before the first call" "$VICTIMS/unmapped" $nr
done

# The statistics' file may be out of reach at that moment, so there is none.
odd() { # moment, what
	local plain ferried
	plain=$(timeout $LIMIT_S "$VICTIMS/odd" "$1" "$tmp/root" 2>&1; echo "status $?")
	ferried=$(timeout $LIMIT_S env LD_PRELOAD="$PRELOAD" "$VICTIMS/odd" "$1" "$tmp/root" 2>&1
		echo "status $?")
	[ "$plain" = "$ferried" ]
	verdict $? "the first call $2" "with the drop-in: $ferried" "without: $plain"
}

mkdir "$tmp/root"
odd tiny "in a thread with the smallest stack"
odd undumpable "of a process that must not be dumped"
odd seccomp "under a filter that refuses system calls"
odd nofile "with no descriptor left"
odd stdio "without standard files, whose numbers stay free"
odd unshare "after unshare(2) of descriptors and directories"
if [ "$(id -u)" -eq 0 ]; then
	odd chroot "in an empty root directory"
	odd setuid "after the user has changed"
	odd nproc "with no thread left"
else
	skip "the first call in a chroot, after setuid, with no thread left" "needs root"
fi

if SOURCE=threads build threads_static -static 2>/dev/null; then
	same "a static program" "$VICTIMS/threads_static"
	[ ! -e "$tmp/stats" ] || ! grep -q program=threads_static "$tmp/stats"
	verdict $? "a static program is not affected by the drop-in"
else
	skip "a static program" "no static libc"
	skip "a static program is not affected by the drop-in" "no static libc"
fi

if command -v migratepages >/dev/null; then
	sleep 60 &
	sleeper=$!
	same "migratepages of another process" migratepages $sleeper 0 0
	counted migratepages served -eq 1
	same "migratepages: no such process" migratepages 2147483646 0 0
	kill $sleeper
	wait $sleeper 2>/dev/null
	same "numactl --show" numactl --show
	same "numactl --membind, and the program it starts" numactl --membind=0 "$VICTIMS/calls"
	counted calls served -ge 15
else
	skip "migratepages and numactl" "numactl is not installed"
fi

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	install -m 4755 "$VICTIMS/calls" "$tmp/setuid"
	chmod 777 "$tmp"
	same "a setuid program started by an ordinary user" \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$tmp/setuid"
	same "an ordinary user" \
		setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$VICTIMS/calls"
else
	skip "a setuid program started by an ordinary user" "needs root"
	skip "an ordinary user" "needs root"
fi

# ---- settings -----------------------------------------------------------------------------------

rm -f "$tmp/stats"
ferried PAGEFERRY_DISABLE=1 "$VICTIMS/calls" >/dev/null
counted calls served -eq 0
counted calls plain_off -ge 15

rm -f "$tmp/stats"
ferried PAGEFERRY_MIN_PAGES=100000 "$VICTIMS/threads" >/dev/null
counted threads plain_small -eq 160

for bad in PAGEFERRY_DISABLE=yes PAGEFERRY_MOVER=fast PAGEFERRY_WORKERS=-1 PAGEFERRY_WORKERS=64 \
	PAGEFERRY_CHUNK=3M PAGEFERRY_CHUNK=4M PAGEFERRY_STALL_US=1ms PAGEFERRY_POOL_CAP=1X PAGEFERRY_MIN_PAGES= \
	PAGEFERRY_LOG=loud PAGEFERRY_FRESH_FRAMES=2 PAGEFERRY_PROFILE=/nowhere PAGEFERRY_ENGINE=nonesuch; do
	said=$(env LD_PRELOAD="$PRELOAD" "$bad" "$VICTIMS/constructor" 2>&1 >"$tmp/ferried")
	if [ "$bad" = PAGEFERRY_MIN_PAGES= ]; then
		[ -z "$said" ]
		verdict $? "an empty value is ignored" "$said"
		continue
	fi
	[ "$(wc -l <<<"$said")" -eq 1 ] && [[ $said == "pageferry: $bad: "*"using the default" ]] &&
		grep -q 'after main: 0 misplaced 0 damaged 0' "$tmp/ferried"
	verdict $? "$bad: one message, and the default" "$said"
done

for good in PAGEFERRY_MOVER=kernel PAGEFERRY_MOVER=exchange PAGEFERRY_WORKERS=2 PAGEFERRY_CHUNK=64K \
	PAGEFERRY_STALL_US=500 PAGEFERRY_POOL_CAP=64m PAGEFERRY_FRESH_FRAMES=1 PAGEFERRY_ENGINE=cpu \
	PAGEFERRY_PROFILE=none PAGEFERRY_LOG=error; do
	said=$(env LD_PRELOAD="$PRELOAD" "$good" "$VICTIMS/constructor" 2>&1)
	[ "$(grep -c 'main: 0 misplaced 0 damaged 0' <<<"$said")" -eq 2 ] &&
		[ "$(wc -l <<<"$said")" -eq 2 ]
	verdict $? "$good" "$said"
done

said=$(env LD_PRELOAD="$PRELOAD" PAGEFERRY_STATS=1 "$VICTIMS/constructor" 2>&1 >/dev/null)
[[ $said == "pageferry: pid="*" program=constructor calls=2 served=2 plain=0 kernel_pages="* ]]
verdict $? "PAGEFERRY_STATS=1: the line is on stderr" "$said"

missing=$(sed -n 's/^.*{"\(PAGEFERRY_[A-Z_]*\)".*/\1/p' preload/settings.c | while read -r name; do
	grep -q "^\.B[IR]* .*$name" "$MAN" || echo "$name"
done)
[ "$(grep -c '{"PAGEFERRY_' preload/settings.c)" -ge 11 ] && [ -z "$missing" ]
verdict $? "the man page names every setting" "missing: $missing"

exports=$(nm -D --defined-only "$PRELOAD" | awk '{ print $3 }' | sort | xargs)
[ "$exports" = "migrate_pages move_pages setsockopt syscall vmsplice" ]
verdict $? "the drop-in exports only the interposed functions" "$exports"

tap_done
