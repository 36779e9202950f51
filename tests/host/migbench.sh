#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs migbench and checks what it prints, the files that it writes, and its exit status.
#
#	tests/host/migbench.sh            BUILD=build MIGBENCH=$BUILD/migbench

cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
MIGBENCH=$(realpath "${MIGBENCH:-$BUILD/migbench}")
MAN=man/migbench.1
COMMANDS='topo doctor copy move verify explain calibrate'
LIMIT_S=120
# Few bytes and few rounds: this tests the tool, not the speed.
QUICK='--warmup 1 --min-rounds 2 --min-time 0 --quiet'

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/testlib/tap.sh
. tests/testlib/tap.sh

# Runs migbench; sets $rc, and writes $tmp/out and $tmp/err.
run() {
	timeout "$LIMIT_S" "$MIGBENCH" "$@" > "$tmp/out" 2> "$tmp/err"
	rc=$?
}

# Checks the exit status of the last run: name, expected status
ends() {
	if [ "$rc" -eq "$2" ]; then ok "$1"; else not_ok "$1" "exit status $rc, expected $2" \
		"$(head -c 600 "$tmp/err")" "$(head -c 600 "$tmp/out")"; fi
}

# Checks a JSON file: name, jq filter, file
holds() {
	if jq -e "$2" "$3" > /dev/null 2> "$tmp/jq"; then ok "$1"; else not_ok "$1" "jq: $2" \
		"$(cat "$tmp/jq")" "$(head -c 600 "$3")"; fi
}

# Checks that a file contains a text: name, text, file
says() {
	if grep -qF -e "$2" "$3"; then ok "$1"; else not_ok "$1" "missing: $2" \
		"$(head -c 600 "$3")"; fi
}

# Checks that migbench exits with CLI_USAGE, names the mistake, and prints nothing else.
refuses() { # text in the error message, arguments…
	local text=$1
	shift
	run "$@"
	if [ "$rc" -ne 2 ]; then
		not_ok "refused: $*" "exit status $rc"
	elif ! grep -qF -e "$text" "$tmp/err" || ! grep -q "Try 'migbench" "$tmp/err"; then
		not_ok "refused: $*" "missing '$text' in: $(cat "$tmp/err")"
	elif [ -s "$tmp/out" ]; then
		not_ok "refused: $*" "it printed $(head -c 300 "$tmp/out")"
	else
		ok "refused: $*"
	fi
}

# The options in a command's --help.
options_of() { "$MIGBENCH" "$1" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p'; }

# The options under a heading of the man page.
documented_under() {
	sed -n "/^\.SS $1\$/,/^\.S[SH] /p" "$MAN" |
		sed -n 's/^\.BI\{0,1\} \\-\\-\([a-z\\-]*\).*/\1/p' | tr -d '\\'
}

has_exchange() { [ "$exchange" = yes ]; }

# ---- help, usage ----

for args in --help -h; do
	run $args
	ends "migbench $args" 0
done
for command in $COMMANDS report; do
	says "--help names $command" "  $command" "$tmp/out"
done
run --version
ends 'migbench --version' 0
run
ends 'without a command' 2
run nonsense
ends 'an unknown command' 2

for command in $COMMANDS; do
	run "$command" --help
	ends "$command --help" 0
	if [ "$(awk '{ print length }' "$tmp/out" | sort -n | tail -1)" -le 80 ]; then
		ok "$command --help fits 80 columns"
	else
		not_ok "$command --help fits 80 columns" "$(awk 'length > 80' "$tmp/out")"
	fi

	options_of "$command" | sort > "$tmp/options"
	{ documented_under "$command"; documented_under 'Every command'; } | sort -u > "$tmp/documented"
	if [ -s "$tmp/options" ] && diff "$tmp/options" "$tmp/documented" > "$tmp/diff"; then
		ok "the man page has each option of $command and no other"
	else
		not_ok "the man page has each option of $command and no other" "$(cat "$tmp/diff")"
	fi
	refuses '--nonsense' "$command" --nonsense
	refuses 'needs a value' "$command" --json
	refuses 'unexpected argument' "$command" stray
	refuses '.svg or .png' "$command" --plot picture.gif
	refuses 'only one' "$command" --json - --csv -
done
run topo --quiet=yes
ends 'a value for an option that takes none' 2

refuses 'power of two' copy --folio 4k,5k
refuses 'not understood' copy --folio 4kk
refuses 'not understood' copy --folio ''
refuses 'from 4K to 2M' copy --folio 4M
refuses 'from 4K to 2M' move --folio 2k
refuses 'too large' copy --total 99999999999T
refuses 'not understood' copy --threads 4-1
refuses 'too many' copy --threads 1-100
refuses 'from 1 to' copy --threads 0
refuses 'not understood' copy --min-time 1h
refuses 'unknown' move --mover exchange,teleport
refuses 'empty' move --mover exchange,,auto
refuses 'unknown' verify --with fork,spoon
refuses 'not with --fresh' move --other-process --fresh
refuses 'not with --stall' move --other-process --stall
refuses 'not with --mover exchange' move --other-process --mover auto,exchange
refuses 'power of two' verify --chunk 5k
refuses 'no such node' move --from 999
refuses '--kernel warp: unknown' copy --kernel warp
refuses 'hwloc' topo --synthetic 'no such machine'
refuses 'nothing to draw' topo --plot "$tmp/x.svg"
run copy --engine nonesuch $QUICK --total 2M
ends 'an unknown engine' 2
says 'the message names it' nonesuch "$tmp/err"
run move --engine cpu:warp=9 $QUICK --total 2M
ends "an engine's unknown parameter" 2

# ---- topo, doctor ----

run topo
ends topo 0
says 'topo shows nodes' 'NUMA nodes' "$tmp/out"
run topo --json "$tmp/topo.json" --quiet
ends 'topo --json' 0
holds 'schema and command' '.schema == "migbench/1" and .command == "topo"' "$tmp/topo.json"
holds 'environment' '.env | .kernel and .library and .nr_cpus >= 1 and
	(.nodes | length) >= 1 and (.distances | length) == (.nodes | length) and
	(.under_emulation | type) == "boolean"' "$tmp/topo.json"
holds 'each node has memory, class and distances' \
	'[.nodes[] | .total_gib >= 0 and (.class | length) > 0 and (.distances | length) > 0] | all' \
	"$tmp/topo.json"
run topo --synthetic 'pack:2 l3:4 core:2 pu:2' --json -
ends 'topo --synthetic' 0
holds 'one worker per L3 first, then cores, SMT last' \
	'(.places | length) == 32 and (.l3_domains | length) == 8 and
	([.places[:8][].l3] | unique | length) == 8 and
	([.places[:16][].smt] | unique) == [0] and ([.places[16:][].smt] | unique) == [1]' \
	"$tmp/out"
run topo --csv -
ends 'topo --csv' 0
says 'CSV has keys as headings' 'node,class,total_gib,free_gib' "$tmp/out"

run doctor --json "$tmp/doctor.json"
ends doctor 0
holds 'each finding has a subject and says whether it is usable' \
	'(.findings | length) > 5 and ([.findings[] | (.subject | length) > 0 and
	(.usable | type) == "boolean"] | all)' "$tmp/doctor.json"
holds 'what is not usable has a diagnosis' \
	'[.findings[] | select(.usable | not) | has("detail")] | all' "$tmp/doctor.json"
holds 'an engine that is not usable also has a remedy, apart from the diagnosis' \
	'[.findings[] | select((.usable | not) and (.subject | startswith("engine/"))) |
	has("remedy") and (.detail | contains(" -> ") | not)] | all' "$tmp/doctor.json"
for subject in mover/kernel mover/exchange engine/cpu engine/fault copy-kernel/generic \
	tool/gnuplot machine/profile; do
	holds "doctor knows $subject" "[.findings[].subject] | index(\"$subject\")" \
		"$tmp/doctor.json"
done
exchange=$(jq -r '.findings[] | select(.subject == "mover/exchange") |
	if .usable then "yes" else .detail end' "$tmp/doctor.json")
nr_nodes=$(jq '[.env.nodes[] | select(.class != "no memory")] | length' "$tmp/doctor.json")

# ---- copy ----

run copy $QUICK --total 8M --folio 4k,2M --threads 1,2 --json "$tmp/copy.json" \
	--csv "$tmp/copy.csv"
ends copy 0
says 'copy prints its table' 'OF LIMIT' "$tmp/out"
holds 'a row per folio size and number of threads' \
	'[.results[] | [.folio_bytes, .workers]] ==
	[[4096, 1], [4096, 2], [2097152, 1], [2097152, 2]]' "$tmp/copy.json"
holds 'rates, spreads and limits' '(.limit_gb_per_s > 0) and ([.results[] | .gb_per_s > 0 and
	has("gb_per_s_mad") and .limit_gb_per_s > 0 and .limit_ratio > 0 and .ns_per_4k > 0 and
	has("cpu_s_per_gib") and .rounds == 2] | all)' "$tmp/copy.json"
holds 'ratio and rate agree' \
	'[.results[] | (.limit_ratio * .limit_gb_per_s / .gb_per_s - 1) | fabs < 0.001] | all' \
	"$tmp/copy.json"
holds 'a value that was not measured is absent' \
	'[.results[] | has("vs_kernel") or has("stall_us") or has("nr_left_to_cpu")] | any | not' \
	"$tmp/copy.json"
if [ "$(awk -F, '{ print NF }' "$tmp/copy.csv" | sort -u | wc -l)" -eq 1 ] &&
	[ "$(wc -l < "$tmp/copy.csv")" -eq 5 ]; then
	ok 'CSV: a heading and four rows, with the same number of fields'
else
	not_ok 'CSV: a heading and four rows, with the same number of fields' "$(cat "$tmp/copy.csv")"
fi
run copy $QUICK --total 4M --folio 16k --threads 2 --scattered --kernel all --json -
ends 'copy --scattered --kernel all' 0
holds 'each kernel has a row' '(.results | length) >= 2 and ([.results[].kernel] | index("generic"))
	and ([.results[].order] | unique) == ["scattered"]' "$tmp/out"
run copy $QUICK --total 4M --folio 4k --threads 2 --engine fault:every=3,what=undone --json -
ends 'copy by an engine that leaves items undone' 0
holds 'the CPU copies them, and they are counted' '.results[0].nr_left_to_cpu > 0' "$tmp/out"
run copy $QUICK --total 64M --folio 2M --threads 1 --batch 2M --engine cpu:threads=1+dsa:model \
	--stats --json -
ends 'copy by two engines' 0
holds 'both copy, and nothing is left' '(.results[0].nr_left_to_cpu // 0) == 0 and (.stats.engine |
	.["split.cpu.copied_bytes"] > 0 and .["split.dsa.copied_bytes"] > 0 and
	.["dsa.descriptors"] > 0 and .["dsa.model.breaches"] == 0)' "$tmp/out"
run copy $QUICK --total 4M --engine cpu+dsa:model+cpu:threads=2
ends 'an engine that is named twice' 2
says 'the message names it' 'cpu is named twice' "$tmp/err"
run copy $QUICK --total 4M --folio 4k --threads 1 --json /no/such/place/x.json
ends 'a file that cannot be written' 1
says 'the message names it' /no/such/place/x.json "$tmp/err"

# --stats
run copy $QUICK --total 4M --folio 4k --threads 1 --engine dsa:model,faults=error:100000 --stats \
	--json "$tmp/stats.json" --csv "$tmp/stats.csv"
ends 'copy --stats' 0
holds 'the counters have descriptors, statuses, fallbacks, retries and faults' '.stats.engine | .descriptors >= 1024
	and .batches > 0 and .["status.success"] > 0 and .["fallback.error"] > 0 and
	.["fallback.error.bytes"] == 4096 * .["fallback.error"] and has("retries") and
	has("fault.read") and has("fault.write")' "$tmp/stats.json"
holds 'statuses have names' '[.stats.engine | keys[] | select(startswith("status."))] |
	length > 1 and all(test("^status\\.(success|batch_failed|hw_error\\.(read|write)|translation_failed)$"))' \
	"$tmp/stats.json"
says 'the text has the counters too' 'fallback.error.bytes' "$tmp/out"
if grep -q ' 0$' <(sed -n '/^COUNTER/,/^$/p' "$tmp/out"); then
	not_ok 'the text omits zeroes' "$(cat "$tmp/out")"
else
	ok 'the text omits zeroes'
fi
if [ "$(wc -l < "$tmp/stats.csv")" -eq 2 ] && ! grep -q descriptors "$tmp/stats.csv"; then
	ok 'CSV has no stats'
else
	not_ok 'CSV has no stats' "$(cat "$tmp/stats.csv")"
fi
run copy $QUICK --total 4M --folio 4k --threads 1 --json -
holds 'no stats without --stats' 'has("stats") | not' "$tmp/out"

# A null device: the cost of the path to it, and no rates.
for engine in dsa:model,null sdxi:model,null; do
	run copy $QUICK --total 4M --engine $engine --stats --json "$tmp/path.json"
	ends "copy by $engine" 0
	says 'the table is titled' 'Path cost' "$tmp/out"
	says 'a note says that no bytes were checked' 'no bytes to check' "$tmp/out"
	if grep -qE 'GB/s|LEFT TO CPU' "$tmp/out"; then
		not_ok 'no rate is reported' "$(cat "$tmp/out")"
	else
		ok 'no rate is reported'
	fi
	holds 'a row for batches of 32 of 4 KiB' "(.path_cost | length) == 1 and (.path_cost[0] |
		.engine == \"$engine\" and .folio_bytes == 4096 and .batch_descriptors == 32 and
		.rounds == 2 and (.kernel | length) > 0)" "$tmp/path.json"
	holds 'costs of a descriptor, of a copy, and of a GiB by both' '.path_cost[0] |
		.ns_per_descriptor > 0 and has("ns_per_descriptor_mad") and .ns_per_cpu_copy > 0 and
		.cpu_s_per_gib > 0 and .cpu_engine_cpu_s_per_gib > 0 and
		(.copy_ratio * .ns_per_cpu_copy / .ns_per_descriptor - 1 | fabs < 0.001) and
		(.cpu_s_per_gib / .ns_per_descriptor * 1e9 / 262144 - 1 | fabs < 0.001)' \
		"$tmp/path.json"
	holds 'neither results nor a limit' '(has("results") or has("limit_gb_per_s")) | not' \
		"$tmp/path.json"
	holds 'the device completed every descriptor in all three rounds' '.stats.engine |
		.descriptors == 3 * 1024 and .["fallback.null"] == .descriptors' "$tmp/path.json"
done
run copy $QUICK --total 4M --engine dsa:model,null --folio 4k,64k --batch 4k,128k --json -
ends 'path cost by folio and batch' 0
holds 'a row for each; a batch is at least a folio' '[.path_cost[] |
	[.folio_bytes, .batch_descriptors]] == [[4096, 1], [4096, 32], [65536, 1], [65536, 2]]' \
	"$tmp/out"
refuses 'nothing to draw' copy --engine dsa:model,null --plot "$tmp/x.svg"

if command -v gnuplot > /dev/null; then
	run copy $QUICK --total 4M --folio 4k,64k --threads 1 --plot "$tmp/copy.svg"
	ends 'copy --plot' 0
	says 'the plot has a title' 'How fast the copy engine copies pages' "$tmp/copy.svg"
	says 'the plot names its axis' 'GB/s' "$tmp/copy.svg"
else
	skip 'copy --plot' 'no gnuplot here'
fi
mkdir "$tmp/empty"
PATH=$tmp/empty /usr/bin/timeout "$LIMIT_S" "$MIGBENCH" copy $QUICK --total 4M --folio 4k \
	--threads 1 --plot "$tmp/none.svg" > "$tmp/out" 2> "$tmp/err"
rc=$?
ends 'without gnuplot' 1
says 'the message has the remedy' 'apt install gnuplot-nox' "$tmp/err"
says 'the table is printed nevertheless' 'OF LIMIT' "$tmp/out"

# ---- move ----

if has_exchange; then
	run move --fresh $QUICK --total 8M --folio 4k,2M --workers 1,2 --json "$tmp/move.json"
	ends 'move --fresh' 0
	holds 'a row per folio size and number of workers' \
		'[.results[] | [.mover, .folio_bytes, .workers]] ==
		[["exchange", 4096, 1], ["exchange", 4096, 2],
		 ["exchange", 2097152, 1], ["exchange", 2097152, 2]]' "$tmp/move.json"
	holds 'the exchange mover moved everything' \
		'[.results[] | (has("moved_part") | not) and .pages_by_exchange == 2048] | all' \
		"$tmp/move.json"
	holds 'no × column without the kernel as baseline' \
		'[.results[] | has("vs_kernel")] | any | not' "$tmp/move.json"
	run move --fresh $QUICK --total 4M --folio 4k --scattered --stall --no-limit \
		--batch 4k,64k,1M --workers 2 --json "$tmp/stall.json"
	ends 'move --scattered --stall --batch --no-limit' 0
	holds 'stalls in order' '.results[0].stall_us | .p50 <= .p99 and .p99 <= .p9999 and
		.p9999 <= .max and .max > 0 and .reader.max > 0 and .writer.max > 0' \
		"$tmp/stall.json"
	holds 'batches: the first page is no later than the whole' \
		'[.batches[].batch_bytes] == [4096, 65536, 1048576] and
		([.batches[] | .whole_us > 0 and (has("first_us") | not) or
		.first_us <= .whole_us * 1.01] | all)' "$tmp/stall.json"
	holds 'no limit, no ratio' '(has("limit_gb_per_s") or ([.results[] | has("limit_ratio")]
		| any)) | not' "$tmp/stall.json"
	run move --fresh $QUICK --total 4M --folio 4k --workers 2 --engine fault:every=5,what=mix
	ends 'move by an engine that fails' 0
	run move --fresh $QUICK --total 4M --folio 4k --workers 1 --no-limit --stats \
		--engine dsa:model,faults=error:100000 --json "$tmp/stats.json"
	ends 'move --stats' 0
	holds 'engine and library agree on what the CPU copied' '.stats |
		.library.bytes_by_cpu > 0 and .library.bytes_by_engine > 0 and
		.library.bytes_by_cpu == ([.engine | to_entries[] |
		select(.key | test("^fallback\\..*\\.bytes$")) | .value] | add) and
		.library["pages_by_reason.engine"] * 4096 == .library.bytes_by_cpu' \
		"$tmp/stats.json"
	says 'the text has the reason' 'pages_by_reason.engine' "$tmp/out"
else
	skip 'move --fresh' "no exchange mover: $exchange"
fi
run topo --stats
ends 'topo has no --stats' 2

# ---- explain ----

# No profile of this machine, unless a test names one: with one, the notes are others.
explain() { # arguments…
	rm -f "$tmp/explain.json"
	PAGEFERRY_PROFILE=${PAGEFERRY_PROFILE:-none} run explain "$@" --quiet
}
explain --size 64M
ends explain 0
says 'explain tells what is chosen' 'chosen' "$tmp/out"
says 'explain tells that the library does otherwise' 'does not follow this choice' "$tmp/out"
explain --size 4k --json "$tmp/explain.json"
ends 'explain --json' 0
holds 'a page is moved by one call' '.chosen == "one call" and .followed_by_library == false and
	.candidates[0].verdict == "chosen"' "$tmp/explain.json"
holds 'the parts of the time add up' '[.candidates[] | select(.predicted_us) |
	((.parts_us | add) - .predicted_us) / .predicted_us | fabs] | max < 1e-6' "$tmp/explain.json"
explain --size 64M --foreign --json "$tmp/explain.json"
holds 'foreign memory is not exchanged' '(.chosen | startswith("exchange") | not) and
	([.candidates[] | select(.plan | startswith("exchange")) | .verdict] | unique) ==
	["not for this memory"]' "$tmp/explain.json"
for wish in time cpu stall background; do
	explain --size 64M --wish "$wish" --busy 3 --csv -
	ends "explain --wish $wish" 0
done
refuses 'unknown' explain --wish nothing
refuses 'at least one folio' explain --size 4k --folio 2M
refuses 'nothing to draw' explain --plot "$tmp/x.svg"

for form in profile profile.json; do
	explain --save "$tmp/$form"
	ends "explain --save $form" 0
	explain --profile "$tmp/$form" --json "$tmp/explain.json"
	ends "explain --profile $form" 0
	holds "$form: a profile of defaults" '.measured_profile == false' "$tmp/explain.json"
done
jq '.profile.dsa_device.nr = 4' "$tmp/profile.json" > "$tmp/dsa.json"
explain --profile "$tmp/dsa.json" --size 256M --wish cpu --json "$tmp/explain.json"
holds 'devices of a profile are used' '.chosen | test("dsa")' "$tmp/explain.json"
jq '.key.kernel = "1.0"' "$tmp/profile.json" > "$tmp/other.json"
explain --profile "$tmp/other.json"
says 'a profile of another kernel is noted' 'another kernel' "$tmp/out"
jq '.profile.wake_ns = -1' "$tmp/profile.json" > "$tmp/bad.json"
refuses 'wake_ns is -1, but must be from 0' explain --profile "$tmp/bad.json"
jq 'del(.profile.plan_ns)' "$tmp/profile.json" > "$tmp/bad.json"
refuses 'profile.plan_ns must be there' explain --profile "$tmp/bad.json"
jq '.profile.kernel.same["4k"].nothing = 1' "$tmp/profile.json" > "$tmp/bad.json"
refuses 'no number is called' explain --profile "$tmp/bad.json"
head -c 300 "$tmp/profile.json" > "$tmp/bad.json"
refuses 'line' explain --profile "$tmp/bad.json"
head -c 300 "$tmp/profile" > "$tmp/bad"
refuses 'line' explain --profile "$tmp/bad"
refuses 'No such file' explain --profile "$tmp/nothing"
# Root has its profile in /var/cache, which a test leaves alone: another user looks.
as_user() {
	if [ "$(id -u)" -eq 0 ]; then setpriv --reuid 65534 --clear-groups "$@"; else "$@"; fi
}
mkdir -p "$tmp/nowhere/pageferry" && cp "$tmp/profile" "$tmp/nowhere/pageferry/profile"
chmod -R go+rX "$tmp"
chown -R 65534 "$tmp/nowhere" 2> /dev/null
if as_user "$MIGBENCH" --version > /dev/null 2>&1 && as_user test -r "$tmp/profile"; then
	cached() {
		PAGEFERRY_PROFILE='' XDG_CACHE_HOME="$tmp/nowhere" as_user "$MIGBENCH" explain --quiet "$@" > "$tmp/out" 2>&1
	}
	cached --json - && cp "$tmp/out" "$tmp/explain.json"
	holds 'the profile in the cache is used' '.profile | endswith("/nowhere/pageferry/profile")' \
		"$tmp/explain.json"
	chmod o+w "$tmp/nowhere/pageferry/profile"
	cached
	says 'one that others may write to is ignored' 'others may write to it' "$tmp/out"
	chmod o-w "$tmp/nowhere/pageferry/profile"
	sed -i 's/^kernel .*/kernel 1.0/' "$tmp/nowhere/pageferry/profile"
	cached
	says 'one that does not fit is ignored, and named' 'is for another kernel' "$tmp/out"
	sed -i 's/^fill .*/fill 7/' "$tmp/nowhere/pageferry/profile"
	cached
	says 'one that is damaged is ignored, and the fault named' 'fill is 7' "$tmp/out"
else
	skip 'the profile in the cache is used' 'another user cannot run migbench here'
fi

# ---- calibrate ----

run calibrate --seconds 1 --save "$tmp/profile.json" --json "$tmp/calibrate.json" --quiet
ends calibrate 0
holds 'each number that is measured has a confidence' '.measured | length > 8 and
	all(.[]; .value >= 0 and .confidence > 0 and .confidence <= 1 and .samples > 0)' \
	"$tmp/calibrate.json"
holds 'copying is measured for all sizes' '[.measured[].number] |
	contains(["cpu.same.4k.ns_per_byte", "cpu.same.64k.ns_per_byte", "wake_ns", "limit.same"])' \
	"$tmp/calibrate.json"
holds 'what is not measured is told' '[.kept[].numbers] | contains(["kernel.same"])' \
	"$tmp/calibrate.json"
holds 'what is not measured has confidence 0' '[.profile.kernel.same[] | .confidence] | max == 0' \
	"$tmp/profile.json"
holds 'what is measured has not' '.profile.cpu.same["4k"].confidence > 0' "$tmp/profile.json"
explain --profile "$tmp/profile.json" --json "$tmp/explain.json"
holds 'explain uses a calibration' '.measured_profile and (.profile | endswith("profile.json"))' \
	"$tmp/explain.json"
if has_exchange; then
	holds 'UFFDIO_MOVE is measured' '[.measured[].number] |
		contains(["move_call_ns", "move_folio_ns.4k", "plan_ns"])' "$tmp/calibrate.json"
else
	holds 'UFFDIO_MOVE is not measured, and why' '[.kept[].numbers] |
		any(startswith("move_*"))' "$tmp/calibrate.json"
fi
if [ "$nr_nodes" -gt 1 ]; then
	holds 'the kernel is measured between nodes' '[.measured[].number] |
		any(startswith("kernel."))' "$tmp/calibrate.json"
fi
run calibrate --seconds 1 --engine dsa:model --save "$tmp/text" --json "$tmp/calibrate.json" --quiet
ends 'calibrate a model of a device' 0
holds 'the device is measured' '[.measured[].number] |
	contains(["dsa.same.4k.ns_per_byte", "dsa_device.latency_ns"])' "$tmp/calibrate.json"
explain --profile "$tmp/text" --json "$tmp/explain.json"
holds 'the text form of a calibration loads' '.measured_profile' "$tmp/explain.json"
jq 'walk(if type == "object" and has("confidence") then .confidence = 1 else . end)' \
	"$tmp/profile.json" > "$tmp/sure.json"
explain --profile "$tmp/sure.json" --save "$tmp/sure" --json "$tmp/explain.json"
holds 'the library does not follow a profile that only explain is given' \
	'.followed_by_library == false' "$tmp/explain.json"
PAGEFERRY_PROFILE="$tmp/sure" explain --json "$tmp/explain.json"
holds 'the library follows the profile of the machine' \
	'.followed_by_library and .measured_profile' "$tmp/explain.json"
if has_exchange; then
	PAGEFERRY_PROFILE="$tmp/sure" run move $QUICK --total 4M --folio 4k --mover exchange \
		--no-limit --json "$tmp/move.json"
	holds 'move tells what was predicted' '[.results[] | .predicted_gb_per_s > 0] | all' \
		"$tmp/move.json"
	PAGEFERRY_PROFILE=none run move $QUICK --total 4M --folio 4k --mover exchange \
		--no-limit --json "$tmp/move.json"
	holds 'without a profile nothing is predicted' \
		'[.results[] | has("predicted_gb_per_s") | not] | all' "$tmp/move.json"
fi
PAGEFERRY_PROFILE="$tmp/text" run doctor
says 'a profile that the environment names holds' "$tmp/text holds" "$tmp/out"
PAGEFERRY_PROFILE=none run doctor
says 'profiles can be switched off' 'switched off' "$tmp/out"
suid_works() {
	[ "$(id -u)" -eq 0 ] && install -m 4755 "$(command -v id)" "$tmp/id" &&
		install -m 4755 "$MIGBENCH" "$tmp/suid" &&
		[ "$(setpriv --reuid 65534 --clear-groups "$tmp/id" -u 2>&1)" = 0 ]
}
if suid_works; then
	PAGEFERRY_PROFILE="$tmp/text" setpriv --reuid 65534 --clear-groups "$tmp/suid" doctor \
		> "$tmp/out" 2>&1
	grep -q machine/profile "$tmp/out" && ! grep -q "$tmp/text" "$tmp/out"
	verdict $? 'a set-user-ID program does not trust the environment' "$(cat "$tmp/out")"
else
	skip 'a set-user-ID program does not trust the environment' 'no set-user-ID file works here'
fi
rm -f "$tmp/id" "$tmp/suid"
run calibrate --seconds 1 --save "$tmp/none/profile" --quiet
ends 'calibrate --save into a directory that is not there' 1
says 'the message names the file' 'none/profile' "$tmp/err"
rm -f "$tmp/text"
run calibrate --seconds 1 --dry-run --save "$tmp/text" --quiet
ends 'calibrate --dry-run' 0
[ ! -e "$tmp/text" ]
verdict $? 'a dry run writes nothing'
refuses 'engine of devices' calibrate --engine cpu --dry-run
refuses 'from 1 to' calibrate --seconds 0
refuses 'nothing to draw' calibrate --plot "$tmp/x.svg"
rm -rf "$tmp/nowhere"
run move --fresh $QUICK --total 4M --mover kernel
ends '--mover kernel on one node' 77
if [ "$nr_nodes" -gt 1 ]; then
	run move $QUICK --total 8M --folio 4k --json "$tmp/nodes.json"
	ends 'move between nodes' 0
	holds 'the system call is the baseline' \
		'[.results[] | select(.mover == "syscall") | .vs_kernel] == [1] and
		([.results[] | has("vs_kernel")] | all)' "$tmp/nodes.json"
	holds 'each mover has a row' '[.results[].mover] | unique ==
		["auto", "call", "exchange", "kernel", "syscall"]' "$tmp/nodes.json"
	run move $QUICK --total 8M --folio 4k --other-process --no-limit --json "$tmp/other.json"
	ends 'move --other-process' 0
	holds 'all memory of the other process moves' \
		'[.results[] | .process == "other" and (has("moved_part") | not)] | all' \
		"$tmp/other.json"
else
	run move $QUICK --total 4M --other-process
	ends 'move --other-process on one node' 77
	says 'the message has the remedy' 'tools/numa-vm' "$tmp/err"
	skip 'move between nodes' 'this machine has one node; tests/vm has more'
fi

# ---- verify ----

run verify --time 3s --total 8M --json "$tmp/verify.json" --quiet
if [ "$rc" -eq 77 ] && ! has_exchange; then
	skip verify "nothing moves on one node without the exchange mover: $exchange"
else
	ends verify 0
	says 'verify says PASS' 'PASS' "$tmp/out"
	holds 'pages moved and were updated, for each folio size' '.passed and
		[.results[].folio_bytes] == [4096, 65536, 2097152] and
		([.results[] | .pages_moved > 0 and .updates > 0 and .forks > 0 and .munmaps > 0]
		| all)' "$tmp/verify.json"
	run verify --time 1s --total 4M --folio 4k --engine fault:every=3,what=mix --with none \
		--quiet
	ends 'verify with an engine that fails' 0
fi

# The checks must find a wrong byte: an engine that sometimes copies one wrongly.
liar=$tmp/liar.so
if ! ${CC:-cc} -std=gnu17 -O2 -D_GNU_SOURCE -I. -shared -fPIC -o "$liar" \
	tests/host/migbench_parts/liar_engine.c 2> "$tmp/err"; then
	not_ok 'the wrong engine builds' "$(cat "$tmp/err")"
elif has_exchange; then
	run verify --time 1s --total 4M --folio 4k --with none --mover kernel --engine "$liar" \
		--stats --quiet
	says 'a note on an engine without counters' "Engine $liar keeps no counters." "$tmp/out"
	run verify --time 1s --total 4M --folio 4k --with none --mover kernel --engine sdxi:model \
		--stats --quiet
	says 'a note on an engine that was not used' 'All counters of engine sdxi:model are zero' \
		"$tmp/out"
	run copy $QUICK --total 4M --folio 4k --threads 1 --engine "$liar"
	ends 'copy finds a wrong byte' 1
	says 'and names its address' 'copied bytes are wrong: at 0x' "$tmp/err"
	run move --fresh $QUICK --total 4M --folio 4k --no-limit --engine "$liar"
	ends 'move finds a wrong byte' 1
	says 'and names its value' 'expected 0x' "$tmp/err"
	run verify --time 20s --total 4M --folio 4k --with none --mover exchange --engine "$liar" \
		--json "$tmp/verify.json" --quiet
	ends 'verify finds a wrong byte' 1
	says 'and prints FAIL' 'FAIL: ' "$tmp/out"
	holds 'and its JSON has the failure' '.passed == false and (.failure | length) > 0' "$tmp/verify.json"
else
	skip 'the checks find a wrong byte' "no exchange mover: $exchange"
fi

tap_done
