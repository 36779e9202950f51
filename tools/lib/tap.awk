# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads the TAP of one program; prints "PASSED FAILED SKIPPED", then a line for each failure.
#
#	awk -v status=EXIT_STATUS -v limit=SECONDS -f tap.awk LOG
#
# A program fails even if all its tests pass, if its exit status is neither 0 nor 77 (skipped), or
# if it runs fewer or more tests than it planned.

function fail(what) { failures[failed++] = what }

{ sub(/\r$/, "") }

/^1\.\.[0-9]+/ {
	plan = substr($1, 4) + 0
	planned = 1
	if (plan == 0)
		skipped++
}
/^ok( |$)/ {
	seen++
	if (tolower($0) ~ /# *skip/)
		skipped++
	else
		passed++
}
/^not ok( |$)/ {
	seen++
	fail($0)
}
/^Bail out!/ { fail($0) }

END {
	if (status == 124 || status == 137)
		fail("ran longer than " limit " s, or was killed")
	else if (status > 128)
		fail("died of signal " status - 128)
	else if (status != 0 && status != 77 && !failed)
		fail("ended with status " status)
	else if (!planned)
		fail("printed no plan")
	else if (plan != seen)
		fail("planned " plan " tests and ran " seen + 0)
	printf "%d %d %d\n", passed, failed, skipped
	for (i = 0; i < failed; i++)
		print failures[i]
}
