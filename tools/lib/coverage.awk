# SPDX-License-Identifier: LGPL-2.1-or-later
# Merges the output of `gcov -t` for many object files: a line counts as executed if it is executed
# in one of them.
#
#	gcov -t … | awk -v folders="FOLDER…" -v files=FILE -f coverage.awk
#
# Prints a line for each folder, and writes one for each source to FILE.

function share(executed, lines)
{
	return sprintf("%6d of %6d lines  %5.1f %%", executed, lines, lines ? 100 * executed / lines : 0)
}

BEGIN {
	nr_folders = split(folders, folder)
	for (i = 1; i <= nr_folders; i++)
		is_wanted[folder[i]] = 1
}

# COUNT:LINE:TEXT; line 0 has the name of the source.
{
	split($0, field, ":")
	count = field[1]
	line = field[2] + 0
	gsub(/[ *]/, "", count)
}
line == 0 && field[3] == "Source" {
	source = field[4]
	split(source, path, "/")
	wanted = path[1] in is_wanted
}
line == 0 || !wanted || count == "-" { next }
{
	if (!((source, line) in is_line)) {
		is_line[source, line] = 1
		nr_lines[source]++
		folder_lines[path[1]]++
		all_lines++
	}
	if (count !~ /^[#=]/ && !((source, line) in is_executed)) {
		is_executed[source, line] = 1
		nr_executed[source]++
		folder_executed[path[1]]++
		all_executed++
	}
}

END {
	for (source in nr_lines)
		print share(nr_executed[source], nr_lines[source]) "  " source | "sort -k 7 >" files
	for (i = 1; i <= nr_folders; i++)
		if (folder[i] in folder_lines)
			print share(folder_executed[folder[i]], folder_lines[folder[i]]) "  " folder[i]
	print share(all_executed, all_lines) "  together"
}
