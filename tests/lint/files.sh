# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Shared by the checks of this folder: the list of source files and TAP-like results.
# A check collects complaints with `complain` and ends each case with `verdict NAME`.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

case_number=0
failures=0
complaints=

# sources PATTERN... : files of the tree (known to git, or simply there in an exported tree), one per line.
sources() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@"
    else
        local pattern
        for pattern in "$@"; do
            find . -path './build*' -prune -o -type f -name "${pattern##*/}" -printf '%P\n'
        done
    fi | sort -u | while read -r file; do
        if [ -f "$file" ]; then
            printf '%s\n' "$file"
        fi
    done
}

complain() {
    complaints+="# $*"$'\n'
}

# complain_lines TEXT : one complaint per line of TEXT, if any
complain_lines() {
    local line
    while IFS= read -r line; do
        if [ -n "$line" ]; then
            complain "$line"
        fi
    done <<<"$1"
}

verdict() {
    case_number=$((case_number + 1))
    if [ -z "$complaints" ]; then
        printf 'ok %d - %s\n' "$case_number" "$1"
    else
        printf 'not ok %d - %s\n%s' "$case_number" "$1" "$complaints"
        failures=$((failures + 1))
    fi
    complaints=
}

skip() {
    case_number=$((case_number + 1))
    printf 'ok %d - %s # SKIP %s\n' "$case_number" "$1" "$2"
    complaints=
}

finish() {
    printf '1..%d\n' "$case_number"
    [ "$failures" -eq 0 ]
    exit
}
