# SPDX-License-Identifier: LGPL-2.1-or-later
# Prints tools/walls.txt as a Markdown table, followed by a list of its exceptions.

function quoted(list)
{
	gsub(/^[ \t]+|[ \t]+$/, "", list)
	gsub(/[ \t]+/, "`, `", list)
	return list == "" ? "" : list == "*" ? "everything" : "`" list "`"
}

BEGIN {
	print "| part | may use | offers |"
	print "|---|---|---|"
}
{ sub(/#.*/, "") }
/^except / {
	match($0, /: /)
	split(substr($0, 1, RSTART - 1), words, " ")
	exceptions[++nr_exceptions] = "- `" words[2] "` → `" words[4] "`: " substr($0, RSTART + 2)
	next
}
match($0, /^[^:; \t]+:/) {
	part = substr($0, 1, RLENGTH - 1)
	list = substr($0, RLENGTH + 1)
	offers = ""
	if (match(list, /;[ \t]*offers[ \t]/)) {
		offers = substr(list, RSTART + RLENGTH)
		list = substr(list, 1, RSTART - 1)
	}
	print "| " quoted(part) " | " quoted(list) " | " quoted(offers) " |"
}
END {
	if (nr_exceptions)
		print "\nExceptions, files that do call back:\n"
	for (i = 1; i <= nr_exceptions; i++)
		print exceptions[i]
}
