#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# migbench report: a short run, and the pages of results that were measured before.

cd "$(dirname "$0")/../.." || exit 1
MIGBENCH=$(realpath "${MIGBENCH:-${BUILD:-build}/migbench}")
MEASURED=tests/host/migbench_parts/report.json
LIMIT_S=120

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh
# shellcheck disable=SC2034  # read by tap.sh
show="$tmp/out $tmp/err"

# Sets $rc, and writes $tmp/out and $tmp/err.
report() {
	timeout "$LIMIT_S" "$MIGBENCH" report "$@" >"$tmp/out" 2>"$tmp/err"
	rc=$?
}

ends() { # name, expected status
	[ "$rc" -eq "$2" ]
	verdict $? "$1" "exit status $rc, expected $2"
}

holds() { # name, jq filter, file
	jq -e "$2" "$3" >"$tmp/jq" 2>&1
	verdict $? "$1" "jq: $2" "$(head -c 600 "$tmp/jq")"
}

says() { # name, text, file
	grep -qF -e "$2" "$3"
	verdict $? "$1" "missing: $2" "$(head -c 1000 "$3")"
}

silent() { # name, text, file
	! grep -F -e "$2" "$3"
	verdict $? "$1" "there is: $2"
}

# Refused with a message, and nothing is made. The directory does not exist.
refuses() { # text in the message, arguments…
	local text=$1
	shift
	report "$@"
	[ "$rc" -eq 2 ] && grep -qF -e "$text" "$tmp/err" && [ ! -s "$tmp/out" ] && [ ! -e "$tmp/no" ]
	verdict $? "refused: ${*//$tmp\//}" "exit status $rc"
}

# All rows of each table have as many cells as its heading, and a line of dashes follows that.
markdown_tables() {
	awk '
		{ line = $0; gsub(/\\\|/, "", line) }
		line !~ /^\|/ { nr_cells = 0; next }
		!nr_cells { nr_cells = gsub(/\|/, "", line); nr_tables++; wants_dashes = 1; next }
		wants_dashes && line !~ /^\|[-:|]+\|$/ { print "no dashes: " $0; bad = 1 }
		{ wants_dashes = 0 }
		gsub(/\|/, "", line) != nr_cells { print "other number of cells: " $0; bad = 1 }
		END { exit bad || !nr_tables }' "$1"
}

# Nothing is loaded: no scripts, and no reference but to names of XML.
self_contained() {
	! grep -niE '<(script|link|img|iframe)|src=|href=|url\(|@import' "$1"
}

short_lines() {
	sed 's/[^ -~]\{1,\}/?/g' "$1" | awk '!/^\|/ && length > 76 { print; bad = 1 } END { exit bad }'
}

good_page() { # directory
	try "$2: HTML is well-formed" xmllint --noout "$1/report.html"
	try "$2: HTML is one file" self_contained "$1/report.html"
	try "$2: Markdown has whole tables" markdown_tables "$1/report.md"
	try "$2: Markdown has short lines" short_lines "$1/report.md"
	holds "$2: JSON has schema, environment and steps" '.schema == "migbench/1" and
		.command == "report" and (.env.kernel | length) > 0 and (.steps | length) > 2' \
		"$1/report.json"
}

# ---- options ----

"$MIGBENCH" report --help >"$tmp/help"
sed -n 's/^  --\([a-z-]*\).*/\1/p' "$tmp/help" | grep -vE '^(json|csv|plot)$' | sort >"$tmp/options"
sed -n 's/^\.BI\{0,1\} \\-\\-\([a-z\\-]*\) \{0,1\}.*/\1/p' man/migbench-report.1 | tr -d '\\' |
	grep -vx json | sort -u >"$tmp/documented"
try 'the man page has each option and no other' diff "$tmp/options" "$tmp/documented"
[ "$(awk '{ print length }' "$tmp/help" | sort -n | tail -1)" -le 80 ]
verdict $? '--help fits 80 columns'
says '--help names the directory' '[OPTION]... DIR' "$tmp/help"

echo '{"schema": "migbench/1", "command": "move", "env": {}, "results": []}' >"$tmp/move.json"
echo '{"schema": ' >"$tmp/broken.json"
refuses 'DIR is missing'
refuses 'unexpected argument' "$tmp/no" another
refuses '--nonsense' "$tmp/no" --nonsense
refuses 'from' "$tmp/no" --time 10ms
refuses 'power of two' "$tmp/no" --folio 5k
refuses '--json' "$tmp/no" --json x.json
refuses '--plot' "$tmp/no" --plot x.svg
refuses 'No such file' "$tmp/no" --compare "$tmp/nonesuch.json"
refuses 'no valid JSON' "$tmp/no" --compare "$tmp/broken.json"
refuses 'not the report.json' "$tmp/no" --compare "$tmp/move.json"
refuses 'not the report.json' "$tmp/no" --results "$tmp/move.json"
report "$tmp/no/deep" --results "$MEASURED"
ends 'a directory that cannot be made' 1
says 'the message names it' "$tmp/no/deep: No such file" "$tmp/err"
report "$tmp/broken.json" --results "$MEASURED"
ends 'a file instead of a directory' 1

# ---- a short run ----

report "$tmp/run" --time 15s --total 4M --folio 4k --quiet
ends 'a short run' 0
good_page "$tmp/run" 'a short run'
holds 'each step has its JSON, or the reason why not' '[.steps[] | (has("output") and
	(.output.command == .command) and (.output | has("env") | not) and .exit_status == 0) or
	(.error | length) > 0] | all' "$tmp/run/report.json"
holds 'topo, doctor, move and copy' '[.steps[].command] == ["topo", "doctor", "move", "copy"]' \
	"$tmp/run/report.json"
holds 'the environment has the kernel settings' '.env | has("max_map_count") and has("thp")
	or (has("cpu_model") | not)' "$tmp/run/report.json"

# More steps than the time has room for.
folios=$(printf '4k,%.0s' {1..63})4k
report "$tmp/late" --time 5s --total 128M --folio "$folios" --quiet
ends 'a run whose time is over' 0
good_page "$tmp/late" 'a run whose time is over'
holds 'steps that did not begin say so' \
	'[.steps[] | select((.error // "") | contains("ran out before it began"))] | length > 10' \
	"$tmp/late/report.json"
says 'so does the page' 'Not measured: ' "$tmp/late/report.md"
holds 'what measures nothing is not ended' '[.steps[:2][] | has("output")] | all' \
	"$tmp/late/report.json"

# ---- results that were measured before ----

report "$tmp/page" --results "$MEASURED"
ends 'the page of old results' 0
good_page "$tmp/page" 'old results'
try 'the results are the same' diff <(jq -S . "$MEASURED") <(jq -S . "$tmp/page/report.json")
silent 'no comparison without --compare' 'Comparison' "$tmp/page/report.md"
for heading in 'Moving pages' Copying 'What the figures mean' Machine 'Kernel settings that matter' \
	'What pageferry can use here' 'How it was measured'; do
	says "Markdown has: $heading" "## $heading" "$tmp/page/report.md"
	says "HTML has: $heading" "<h2>$heading</h2>" "$tmp/page/report.html"
done
says 'the fastest move is at the top' 'GB/s by exchange' <(head -n 12 "$tmp/page/report.md")
if command -v gnuplot >/dev/null; then
	[ "$(grep -c '<svg' "$tmp/page/report.html")" -eq 4 ]
	verdict $? 'two plots, each for wide and narrow screens'
else
	skip 'two plots' 'no gnuplot here'
fi
mkdir "$tmp/empty"
PATH=$tmp/empty /usr/bin/timeout "$LIMIT_S" "$MIGBENCH" report "$tmp/plain" --results "$MEASURED" \
	>"$tmp/out" 2>"$tmp/err"
rc=$?
ends 'without gnuplot' 0
says 'the message has the remedy' 'apt install gnuplot-nox' "$tmp/err"
silent 'there are no plots' '<svg' "$tmp/plain/report.html"

# What a file says is text, not markup.
jq '.env.cpu_model = "<script>alert(1)</script> | *x*" | .env.kernel = 5 |
	.steps[0].output.nodes = "none" | .steps[1].output.findings = [{"subject": 7}]' \
	"$MEASURED" >"$tmp/odd.json"
report "$tmp/odd" --results "$tmp/odd.json" --compare "$MEASURED"
ends 'odd results' 0
good_page "$tmp/odd" 'odd results'

# ---- comparisons ----

rows() { sed -n '/^## Comparison/,/^## Moving/p' "$tmp/$1/report.md" | grep -cE -e "$2"; }

report "$tmp/same" --results "$MEASURED" --compare "$MEASURED"
ends 'compared with itself' 0
good_page "$tmp/same" 'compared with itself'
nr_rates=$(jq '[.steps[] | select(.command == "move" or .command == "copy") |
	.output.results | length] | add + 2' "$MEASURED") # two folio sizes have a limit
[ "$(rows same '\| no difference +\|$')" -eq "$nr_rates" ]
verdict $? "no difference in $nr_rates rates" "$(cat "$tmp/same/report.md")"
[ "$(rows same '\| (faster|slower|too few rounds) +\|$')" -eq 0 ]
verdict $? 'and no other verdict'
silent 'all rates have a counterpart' 'no counterpart' "$tmp/same/report.md"

changed() { # jq filter of a row
	jq ".steps[] |= (if (.command == \"move\" or .command == \"copy\") then
		.output.results[] |= ($1) else . end)" "$MEASURED"
}
changed '.gb_per_s *= 100 | .limit_gb_per_s *= 100' >"$tmp/fast.json"
report "$tmp/fast" --results "$tmp/fast.json" --compare "$MEASURED"
[ "$(rows fast '\| faster +\|$')" -eq "$nr_rates" ]
verdict $? 'all rates are a hundred times as high' "$(cat "$tmp/fast/report.md")"
report "$tmp/slow" --results "$MEASURED" --compare "$tmp/fast.json"
[ "$(rows slow '\| slower +\|$')" -eq "$nr_rates" ]
verdict $? 'and the other way round' "$(cat "$tmp/slow/report.md")"
changed '.rounds = 1' >"$tmp/few.json"
report "$tmp/few" --results "$MEASURED" --compare "$tmp/few.json"
[ "$(rows few '\| too few rounds +\|$')" -eq "$nr_rates" ]
verdict $? 'a single round says nothing' "$(cat "$tmp/few/report.md")"
changed 'if .workers == 2 then .workers = 64 else . end' | jq '.env.kernel = "9.9"' >"$tmp/big.json"
report "$tmp/big" --results "$MEASURED" --compare "$tmp/big.json"
[ "$(rows big 'all: 2, 64.*no difference')" -eq "$(jq '[.steps[].output.results[]? |
	select(.workers == 2)] | length' "$MEASURED")" ]
verdict $? 'all workers of two machines match' "$(cat "$tmp/big/report.md")"
[ "$(rows big '^\| kernel +\|.*\| 9.9 ')" -eq 1 ]
verdict $? 'the environment that differs is listed' "$(cat "$tmp/big/report.md")"
changed 'if .workers == 2 then .folio_bytes = 65536 else . end' >"$tmp/other.json"
report "$tmp/other" --results "$MEASURED" --compare "$tmp/other.json"
says 'rates without a counterpart are counted' 'no counterpart' "$tmp/other/report.md"

tap_done
