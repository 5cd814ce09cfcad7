# SPDX-License-Identifier: BSD-2-Clause
# bash completion of wireglass. It knows no command: it asks the program's own help, which is made of its table of commands.

# Commands, or the sub-commands of one: words that its help begins a line with, or names in its synopsis.
_wireglass_words() {
	wireglass help "$@" 2>/dev/null | awk -v command="${1:-}" '
		/^(Examples?|A first .*):$/ { exit }
		command == "" && /^  [a-z]/ { print $1 }
		command != "" && /^  [a-z][a-z]* / && $1 !~ /^(wireglass|sudo)$/ { print $1 }
		command != "" && match($0, "^(usage:|      ) wireglass " command " [a-z|]+( |$)") {
			n = split($0, field, " ")
			for (i = 1; i < n && field[i] != command; i++)
				;
			n = split(field[i + 1], word, "|")
			for (i = 1; i <= n; i++)
				print word[i]
		}' | sort -u
}

_wireglass_options() {
	printf '%s\n' --json --quiet --socket --help
	wireglass help "$@" 2>/dev/null | grep -oE -- '(^|[ [])--[a-z][a-z-]*' | tr -d ' ['
}

_wireglass() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word words=() subs i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--socket) i=$((i + 1)) ;;
		-*) ;;
		*) words+=("$word") ;;
		esac
	done
	case ${words[0]:-} in
	help) words=("${words[@]:1}") ;;
	esac
	case $previous in
	--socket | --key | --state | --rules | --bundle | --cache | --streams | --profile | --output | -o | --data)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_wireglass_options "${words[@]:0:2}")" -- "$current")
	elif ((${#words[@]} < 2)); then
		subs=$(_wireglass_words "${words[@]}")
		mapfile -t COMPREPLY < <(compgen -W "$subs" -- "$current")
	fi
	((${#COMPREPLY[@]})) || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

complete -o filenames -F _wireglass wireglass
