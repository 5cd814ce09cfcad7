# SPDX-License-Identifier: BSD-2-Clause
# bash completion of wireglass. It knows no command: it asks the program, and files are what is left.

_wireglass() {
	local current=${COMP_WORDS[COMP_CWORD]}
	mapfile -t COMPREPLY < <(wireglass complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	((${#COMPREPLY[@]})) || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

complete -o filenames -F _wireglass wireglass
