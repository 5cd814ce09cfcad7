#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bash completion offers what the program's tables of commands have, no more and no less.
# Topology: none; root is not needed, so there are no namespaces.
. "$(dirname "$0")/lib.sh"
[ -x "$BUILD/wireglass" ] || { printf 'not ok 1 - %s is not built: ninja -C %s\n' "$BUILD" "$BUILD" && exit 1; }
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
PATH=$BUILD:$PATH
cd "$WORK" || exit 1
# shellcheck source=../../etc/wireglass.bash
. "$SOURCE/etc/wireglass.bash"

# offered WORD... : what bash would offer for the last of them, sorted
offered() {
    COMP_WORDS=(wireglass "$@") COMP_CWORD=$#
    COMPREPLY=()
    _wireglass
    printf '%s\n' "${COMPREPLY[@]}" | sort | xargs
}

# in_table FILE NAME : the words that the entries of a table begin with, sorted
in_table() {
    awk -v start="} $2[[]" '$0 ~ start { on = 1 } on { print } on && /};$/ { on = 0 }' "$SOURCE/control/cli/$1.c" |
        grep -oE '\{"[a-z]+",' | tr -d '{",' | sort | xargs
}

commands=$(in_table main commands)
at_least 'there are commands' "$(wc -w <<<"$commands")" 10
is 'all commands' "$(offered '')" "$commands"
is 'all commands again, behind help' "$(offered help '')" "$commands"
is 'those that begin like this' "$(offered re)" "$(tr ' ' '\n' <<<"$commands" | grep '^re' | xargs)"
is 'sub-commands of rules' "$(offered rules '')" "$(in_table rules table)"
is 'sub-commands of show' "$(offered show '')" "$(in_table show topics)"
is 'the same behind options' "$(offered --json --socket /x show '')" "$(offered show '')"
for command in $commands; do
    [ "$command" != help ] || continue
    bad=
    for word in $("$BUILD/wireglass" complete -- "$command" ''); do
        "$BUILD/wireglass" "$command" "$word" --help 2>&1 | grep -q '^wireglass: unknown' && bad="$bad $word"
    done
    is "$command: nothing that it does not know" "$bad" ''
done
for words in hits report audit 'rules check' 'rules pack' replay bench doctor check; do
    # shellcheck disable=SC2086 # two words
    options=$(offered $words --)
    bad=
    for option in $options; do
        # shellcheck disable=SC2086 # two words
        "$BUILD/wireglass" $words "$option" </dev/null 2>&1 | grep -q '^wireglass: unknown option' && bad="$bad $option"
    done
    at_least "$words: there are options" "$(wc -w <<<"$options")" 5
    is "$words: none that it does not know" "$bad" ''
done
touch a-file
is 'files elsewhere' "$(offered rules check a-)" a-file
is 'files behind options that want one' "$(offered rules check --cache a)" a-file
finish
