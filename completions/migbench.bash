# SPDX-License-Identifier: LGPL-2.1-or-later
# Completes commands and options of migbench from its own help.
_migbench()
{
	local current=${COMP_WORDS[COMP_CWORD]} words

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		words=$("$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
		words+=' --help --version'
	elif [[ $current == -* ]]; then
		words=$("$1" "${COMP_WORDS[1]}" --help 2>/dev/null |
			sed -n 's/^  \(--[a-z-]*\).*/\1/p')
	fi
	[[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _migbench migbench
