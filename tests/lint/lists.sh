#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Tests that nobody runs: every test program, fuzz target and end-to-end script is in its meson.build, every fuzz target
# has seeds, every golden case is complete, every page is linked.
. "$(dirname "$0")/files.sh"

# listed NAME FILE : does the list in FILE have a line for NAME?
listed() {
    grep -qE "^ +\[?'$1'" "$2"
}

for file in $(sources 'tests/unit/test_*.c'); do
    name=${file##*/test_}
    listed "${name%.c}" tests/unit/meson.build || complain "$file: no line in tests/unit/meson.build"
done
for file in $(sources 'tests/fuzz/fuzz_*.c'); do
    name=${file##*/fuzz_}
    name=${name%.c}
    listed "$name" tests/fuzz/meson.build || complain "$file: no line in tests/fuzz/meson.build"
    if [ -z "$(ls -A "tests/fuzz/corpus/$name" 2>/dev/null)" ]; then
        complain "$file: no seeds in tests/fuzz/corpus/$name"
    fi
done
for file in $(sources 'tests/e2e/*.sh'); do
    name=${file##*/}
    [ "$name" = lib.sh ] || listed "${name%.sh}" tests/e2e/meson.build ||
        complain "$file: no line in tests/e2e/meson.build"
done
for folder in tests/golden/*/; do
    [ "$folder" != tests/golden/__pycache__/ ] || continue
    for file in README test.rules expected.json; do
        [ -s "$folder$file" ] || complain "$folder$file is missing"
    done
    [ -s "${folder}input.flow" ] || [ -s "${folder}input.pcap" ] || complain "$folder: no input.flow or input.pcap"
done
verdict 'every test is run'

# [text](target) in the documents: local targets exist
for file in $(sources '*.md'); do
    while read -r target; do
        case $target in
        http*:* | '#'*) continue ;;
        esac
        [ -e "$(dirname "$file")/${target%%#*}" ] || complain "$file: link to $target, which is not there"
    done < <(grep -oE '\]\([^) ]+\)' "$file" | sed -E 's/^\]\((.*)\)$/\1/')
done
verdict 'links lead somewhere'
finish
