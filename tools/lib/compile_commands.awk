# SPDX-License-Identifier: LGPL-2.1-or-later
# Turns the commands that `make -nB V=1` prints into a compile_commands.json.
#
#	make -nB V=1 tests | awk -v directory=DIRECTORY -v skip=PREFIX -f compile_commands.awk
#
# Leaves out the commands whose output files begin with PREFIX.

function quoted(text)
{
	gsub(/[\\"]/, "\\\\&", text)
	return "\"" text "\""
}

BEGIN { printf "[" }

/ -o / && / -MMD / {
	source = output = ""
	for (i = 2; i <= NF; i++) {
		if ($(i - 1) == "-o")
			output = $i
		else if ($i ~ /\.c$/)
			source = $i
	}
	if (source == "" || index(output, skip) == 1)
		next
	printf "%s\n{\"directory\": %s, \"file\": %s, \"command\": %s}", \
		nr++ ? "," : "", quoted(directory), quoted(source), quoted($0)
}

END { print "\n]" }
