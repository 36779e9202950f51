#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage, in the guest: mthp.sh BUILD-DIRECTORY
# Library, drop-in and migbench move folios between 4 KiB and 2 MiB.

build=$1
show=/tmp/out

# shellcheck source=tests/testlib/tap.sh
. "${0%/*}/../../testlib/tap.sh"

allow() { # KiB, word
	echo "$2" >"/sys/kernel/mm/transparent_hugepage/hugepages-$1kB/enabled"
}

"$build/vm/mthp" >/tmp/out 2>&1
verdict $? "calls and jobs, byte by byte"

"$build/vm/mthp" --plain >/tmp/out 2>&1
verdict $? "a program's own calls, without the drop-in"
rm -f /tmp/stats
LD_PRELOAD="$build/libpageferry-preload.so" PAGEFERRY_STATS=/tmp/stats \
	"$build/vm/mthp" --plain >/tmp/out 2>&1
verdict $? "a program's own calls, with the drop-in"
cat /tmp/stats >>/tmp/out
grep -q 'program=mthp .*kernel_pages=[1-9].* exchange_pages=[1-9]' /tmp/stats
verdict $? "the drop-in has moved pages by both movers"

for kib in 16 64 1024; do
	for other in 16 64 1024; do
		allow $other never
	done
	allow $kib madvise
	"$build/migbench" verify --time 3s --folio ${kib}k --total 16M >/tmp/out 2>&1
	verdict $? "migbench verify --folio ${kib}k"
	grep -q " mthp " /tmp/out
	verdict $? "migbench verify had folios of $kib KiB"
	"$build/migbench" move --folio ${kib}k --total 16M --min-rounds 2 --min-time 1ms --warmup 0 \
		--no-limit >/tmp/out 2>&1
	verdict $? "migbench move --folio ${kib}k"
	grep -q " mthp " /tmp/out
	verdict $? "migbench move had folios of $kib KiB"
done
tap_done
