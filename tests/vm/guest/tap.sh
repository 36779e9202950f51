# shellcheck shell=dash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests in guests. What a failure shows is in the files that $show names.
# shellcheck disable=SC2034,SC2154  # failed is for those who source this, show is theirs

nr=0
failed=0

verdict() { # status, what
	nr=$((nr + 1))
	[ "$1" -eq 0 ] && echo "ok $nr - $2" && return
	echo "not ok $nr - $2"
	failed=1
	# shellcheck disable=SC2086  # several files
	cat $show 2>/dev/null | tail -n 40 | sed 's/^/# /'
}
