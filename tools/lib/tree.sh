# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Copies of the source tree. Sourced at the root of the tree.

# The files of the tree, NUL after each. Without git: all of them but build/.
tree_files()
{
	local file

	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -z -co --exclude-standard --deduplicate | while IFS= read -r -d '' file; do
			# A deleted file is in git's list until the next commit.
			[[ ! -e $file ]] || printf '%s\0' "$file"
		done
	else
		find . -path ./build -prune -o -type f -print0
	fi
}

# tree_copy DIRECTORY: makes it if need be. Times and modes are kept.
tree_copy()
{
	mkdir -p "$1" && tree_files | tar -c --null -T - | tar -x -C "$1"
}
