#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tools/demo-picture draws the main part of what ./demo printed, and nothing if that is missing.
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh
# shellcheck disable=SC2034  # read by tap.sh
show=$tmp/text

cat >"$tmp/demo.txt" <<'END'
Building …

What can be used here
---------------------
  yes  mover/kernel: move_pages(2) works

How fast pages move
-------------------
Some words, a < b & c.

$ build/migbench move --folio 4k
MOVER    FOLIO       GB/s
exchange    4K 4.13 ±0.10

Pages move to other frames of node 0: a note.

How to read it: a folio is …

Is every byte right?
--------------------

$ build/migbench verify --time 10s
FOLIO MADE OF  SECONDS
   4K 4k           3.7

PASS: no update lost, no wrong byte.

What next
---------
END
cat >"$tmp/expected" <<'END'
How fast pages move
-------------------
Some words, a &lt; b &amp; c.
$ build/migbench move --folio 4k
MOVER    FOLIO       GB/s
exchange    4K 4.13 ±0.10
Is every byte right?
--------------------
$ build/migbench verify --time 10s
…
PASS: no update lost, no wrong byte.
END

try 'it draws' tools/demo-picture --from "$tmp/demo.txt" "$tmp/demo.svg"
try 'the picture is well-formed' xmllint --noout "$tmp/demo.svg"
sed -n 's/<text[^>]*>\(.*\)<\/text>/\1/p' "$tmp/demo.svg" >"$tmp/text"
try 'it shows the main part' diff "$tmp/expected" "$tmp/text"
try 'columns count characters, not bytes' grep -q 'textLength="195".*>exchange' "$tmp/demo.svg"
echo 'demo: the build failed' >"$tmp/failed.txt"
! tools/demo-picture --from "$tmp/failed.txt" "$tmp/none.svg" >"$tmp/text" 2>&1 && [ ! -e "$tmp/none.svg" ]
verdict $? 'it draws nothing of a run that failed'
! tools/demo-picture --from "$tmp/nonesuch" "$tmp/none.svg" >"$tmp/text" 2>&1
verdict $? 'it refuses a file that is not there'
try "the tree's picture is well-formed" xmllint --noout docs/figures/demo.svg
tap_done
