#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fuzz every target for its share of SECONDS, on a scratch copy of its corpus.
# usage: run.sh [SECONDS] [TARGET...]     (60 s over all targets unless told otherwise)
# BUILD: build directory (default build-fuzz), configured here if it is new.
# What crashes is kept in BUILD/crashes; put it into corpus/<target>/ with the fix.
set -eu
cd "$(dirname "$0")/../.."

total=${1:-60}
[ $# -eq 0 ] || shift
build=${BUILD:-build-fuzz}

if [ ! -e "$build/build.ninja" ]; then
    CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fsanitize=fuzzer-no-link -Dc_link_args=-fsanitize=fuzzer-no-link
fi
ninja -C "$build" fuzzers

if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=${source##*/fuzz_}
        set -- "$@" "${name%.c}"
    done
fi

each=$((total / $#))
[ "$each" -ge 1 ] || each=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$build/crashes"
n=0
status=0
for target in "$@"; do
    n=$((n + 1))
    mkdir -p "$scratch/$target"
    dict=tests/fuzz/$target.dict
    options=(-max_total_time="$each" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0
        -artifact_prefix="$build/crashes/$target-")
    if [ -e "$dict" ]; then
        options+=(-dict="$dict")
    fi
    if nice "$build/tests/fuzz/fuzz_$target" "${options[@]}" "$scratch/$target" "tests/fuzz/corpus/$target" \
        >"$scratch/$target.log" 2>&1; then
        runs=$(awk '/stat::number_of_executed_units/ { print $2 }' "$scratch/$target.log")
        printf 'ok %d - fuzz %s: %s inputs in %d s\n' "$n" "$target" "${runs:-?}" "$each"
    else
        printf 'not ok %d - fuzz %s: see %s/crashes\n' "$n" "$target" "$build"
        tail -n 40 "$scratch/$target.log" | sed 's/^/# /'
        status=1
    fi
done
exit $status
