# SPDX-License-Identifier: LGPL-2.1-or-later
# Checks the includes and calls of the tree against a table, for tools/walls.
#
#	awk -v table=NAME -v strict=0|1 -f walls.awk what=table TABLE what=source FILES what=include INCLUDES \
#		what=symbol SYMBOLS
#
# FILES has a path per line; INCLUDES "FILE LINE HEADER"; SYMBOLS "FILE.c SYMBOL TYPE" as nm has it.

function complain(where, sentence)
{
	print where ": " sentence
	found = 1
}

function folder_of(file)
{
	return sub(/\/[^\/]*$/, "", file) ? file : "."
}

# With strict, a .c file and the .h file of the same name are one node of the graph of files.
function node_of(file)
{
	if (strict)
		sub(/\.[ch]$/, "", file)
	return file
}

# The innermost folder around the file that has a line in the table.
function part_of(file,    folder)
{
	for (folder = folder_of(file); folder != "."; folder = folder_of(folder))
		if (folder in part_line)
			return folder
	return ""
}

# ---- the table ----

function read_table_line(    line, offers, part, words, nr, i)
{
	line = $0
	sub(/#.*/, "", line)
	if (line ~ /^[ \t]*$/)
		return
	if (line ~ /^except [^ ]+ -> [^ ]+: [^ ]/) {
		split(line, words, " ")
		sub(/:$/, "", words[4])
		excepted[node_of(words[2]), node_of(words[4])] = FNR
		return
	}
	if (!match(line, /^[^:; \t]+:/)) {
		complain(table ":" FNR, "not understood: \"PART: PARTS [; offers HEADERS]\" or " \
			"\"except FILE -> FILE: REASON\" is expected")
		return
	}
	part = substr(line, 1, RLENGTH - 1)
	line = substr(line, RLENGTH + 1)
	part_line[part] = FNR
	if (match(line, /;[ \t]*offers[ \t]/)) {
		offers = substr(line, RSTART + RLENGTH)
		line = substr(line, 1, RSTART - 1)
		nr = split(offers, words)
		for (i = 1; i <= nr; i++) {
			offered[part "/" words[i]] = FNR
			offers_of[part] = offers_of[part] (i > 1 ? ", " : "") words[i]
		}
	}
	nr = split(line, words)
	for (i = 1; i <= nr; i++) {
		if (words[i] == "*") {
			may_use_all[part] = 1
			continue
		}
		if (words[i] ~ /\.h$/) {
			header_line[words[i]] = FNR
			may_use_header[part, words[i]] = 1
			may_link[part, part_of(words[i])] = 1
			if (part_of(words[i]) == "")
				complain(table ":" FNR, part " lists " words[i] \
					", whose part has no line above: the table goes from the bottom up")
		} else {
			if (!(words[i] in part_line) || words[i] == part)
				complain(table ":" FNR, part " lists " words[i] \
					", which has no line above: the table goes from the bottom up")
			may_use[part, words[i]] = 1
		}
		has_users[words[i] ~ /\.h$/ ? part_of(words[i]) : words[i]] = 1
		list_of[part] = list_of[part] (list_of[part] == "" ? "" : ", ") words[i]
	}
}

# ---- includes ----

# The file of the tree that an #include names, or "".
function resolve(file, header,    beside)
{
	beside = folder_of(file) "/" header
	if (beside in is_source)
		return beside
	if (header in is_source)
		return header
	if (("include/" header) in is_source)
		return "include/" header
	return ""
}

function advice(part)
{
	return part " may use " (list_of[part] == "" ? "no other part" : list_of[part]) \
		" (" table ":" part_line[part] "): move what it needs there, or let the caller pass it in"
}

function check_include(file, line, header,    from, to, where)
{
	from = part_of(file)
	to = part_of(header)
	where = file ":" line
	if (from == to || from == "" || to == "" || may_use_all[from] ||
	    (from, header) in may_use_header)
		return
	if (!((from, to) in may_use))
		complain(where, from " may not include " to " (" header "): " advice(from))
	else if (to in offers_of && !(header in offered))
		complain(where, from " may not include " header ", a private header: " to " offers " \
			offers_of[to] " (" table ":" part_line[to] ")")
}

function read_include(    header, from, to)
{
	header = resolve($1, $3)
	if (header == "")
		return
	check_include($1, $2, header)
	connect(node_of($1), node_of(header), "includes " header)
	from = folder_of($1)
	to = folder_of(header)
	if (from != to && !((from, to) in folder_reason)) {
		folder_reason[from, to] = $1 ":" $2
		folder_edges[from] = folder_edges[from] " " to
		folders[from] = folders[to] = 1
	}
}

# ---- calls ----

function read_symbol()
{
	if ($3 ~ /[Uw]/)
		needs[++nr_needs] = $1 " " $2
	else if ($3 ~ /[A-Z]/)
		defined_in[$2] = defined_in[$2] " " $1
}

function check_call(file, symbol, definer,    from, to)
{
	from = part_of(file)
	to = part_of(definer)
	# No part links with one that no part may use, so this is a libc function of the same name.
	if (from != to && !(to in has_users))
		return
	connect(node_of(file), node_of(definer), "uses " symbol)
	if (from == to || from == "" || to == "" || may_use_all[from] ||
	    (from, to) in may_use || (from, to) in may_link)
		return
	if (!((from, to, file) in told))
		complain(file, from " may not use " to " (" symbol " of " definer "): " advice(from))
	told[from, to, file] = 1
}

function check_calls(    i, j, words, definers, nr)
{
	for (i = 1; i <= nr_needs; i++) {
		split(needs[i], words, " ")
		nr = split(defined_in[words[2]], definers, " ")
		for (j = 1; j <= nr; j++)
			if (definers[j] != words[1])
				check_call(words[1], words[2], definers[j])
	}
}

# ---- cycles ----

function connect(from, to, why)
{
	if (from == to || (from, to) in reason)
		return
	if ((from, to) in excepted) {
		was_needed[from, to] = 1
		return
	}
	reason[from, to] = why
	edges[from] = edges[from] " " to
	nodes[from] = nodes[to] = 1
}

# The shortest path from a node back to itself, as steps separated by SUBSEP; "" if there is none.
function way_back(start, edges, reason,    queue, head, tail, node, next_nodes, nr, i, before, way)
{
	queue[tail = 1] = start
	for (head = 1; head <= tail; head++) {
		node = queue[head]
		nr = split(edges[node], next_nodes, " ")
		for (i = 1; i <= nr; i++) {
			if (next_nodes[i] == start) {
				way = start " (" reason[node, start] ")"
				for (; node != start; node = before[node])
					way = node " (" reason[before[node], node] ")" SUBSEP way
				return way
			}
			if (next_nodes[i] in before)
				continue
			before[next_nodes[i]] = node
			queue[++tail] = next_nodes[i]
		}
	}
	return ""
}

function sort_keys(set, sorted,    key, n, i)
{
	for (key in set) {
		for (i = n++; i > 0 && sorted[i] > key; i--)
			sorted[i + 1] = sorted[i]
		sorted[i + 1] = key
	}
	return n
}

# Reports each cycle once: a node of a reported cycle does not start another.
function report_cycles(nodes, edges, reason, what, remedy,    sorted, n, i, way, steps, nr, j, text, shown)
{
	n = sort_keys(nodes, sorted)
	for (i = 1; i <= n; i++) {
		if (sorted[i] in shown || (way = way_back(sorted[i], edges, reason)) == "")
			continue
		nr = split(way, steps, SUBSEP)
		text = "cycle of " what ": " sorted[i]
		for (j = 1; j <= nr; j++) {
			text = text " -> " steps[j]
			sub(/ .*/, "", steps[j])
			shown[steps[j]] = 1
		}
		print text "\n\t" remedy
		found = 1
	}
}

what == "table" { read_table_line() }
what == "source" {
	is_source[$0] = 1
	part_of_source = part_of($0)
	has_sources[part_of_source] = 1
	if (part_of_source == "" && !(folder_of($0) in is_unknown)) {
		complain($0, "belongs to no part: add a line for its folder to " table)
		is_unknown[folder_of($0)] = 1
	}
}
what == "include" { read_include() }
what == "symbol" && NF == 3 { read_symbol() }

END {
	for (part in part_line)
		if (!(part in has_sources))
			complain(table ":" part_line[part], "there is no source in " part)
	for (header in offered)
		if (!(header in is_source))
			complain(table ":" offered[header], "there is no " header)
	for (header in header_line)
		if (!(header in is_source))
			complain(table ":" header_line[header], "there is no " header)
	check_calls()
	for (edge in excepted)
		if (!(edge in was_needed))
			complain(table ":" excepted[edge], "this exception is not needed any more")
	report_cycles(folders, folder_edges, folder_reason, "folders", \
		"move what both need into a folder below them")
	report_cycles(nodes, edges, reason, "files", \
		"move what both need into a third file, or let one pass a function to the other")
	exit found
}
