# shellcheck shell=dash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# TAP for test scripts, under bash, dash and busybox sh: a script sources this file, makes a test of
# each call of ok, not_ok, skip, verdict or try, and ends with tap_done. If $show names files, their
# last lines follow every failure.

tap_nr=0
tap_failed=0

ok() { # what
	tap_nr=$((tap_nr + 1))
	printf 'ok %d - %s\n' "$tap_nr" "$1"
}

not_ok() { # what, line…
	tap_nr=$((tap_nr + 1))
	tap_failed=1
	printf 'not ok %d - %s\n' "$tap_nr" "$1"
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
	# shellcheck disable=SC2086  # several files
	[ -z "${show-}" ] || cat $show 2>/dev/null | tail -n 40 | sed 's/^/# /'
}

skip() { # what, why
	tap_nr=$((tap_nr + 1))
	printf 'ok %d - %s # SKIP %s\n' "$tap_nr" "$1" "$2"
}

verdict() { # exit status, what, line to show if it is not 0…
	if [ "$1" -eq 0 ]; then
		ok "$2"
	else
		shift
		not_ok "$@"
	fi
}

try() { # what, command…
	tap_what=$1
	shift
	if tap_output=$("$@" 2>&1); then
		ok "$tap_what"
	else
		not_ok "$tap_what" "$tap_output"
	fi
}

# Prints the plan; the status is 1 if a test failed.
tap_done() {
	printf '1..%d\n' "$tap_nr"
	return "$tap_failed"
}
