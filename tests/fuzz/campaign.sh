#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Many executions of some targets, side by side, without stopping at a time: those that have a bound on their cost (cost.h).
# usage: campaign.sh [EXECUTIONS] [TARGET...]     (100,000,000 of tcp, http and decode unless told otherwise)
# The bulk runs without sanitizers, one in twenty with them. FOLDER (default build-campaign) keeps builds, corpora, logs and findings:
# a campaign that was interrupted goes on with what it had learned. MAX_LEN (default 128): most bytes of an input. Runs when nothing
# else wants the processor.
set -eu
cd "$(dirname "$0")/../.."

executions=${1:-100000000}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- tcp http decode
folder=${FOLDER:-build-campaign}

# build NAME FLAGS OPTION... : the targets, in $folder/NAME
build() {
    local dir=$folder/$1 flags=$2
    shift 2
    [ -e "$dir/build.ninja" ] || CC=clang meson setup "$dir" -Dfuzz=true -Db_lundef=false \
        -Dc_args="$flags" -Dc_link_args="$flags" "$@"
    nice ninja -C "$dir" fuzzers
}

# campaign NAME TARGET EXECUTIONS
campaign() {
    local work=$folder/work-$1-$2
    mkdir -p "$work/corpus"
    chrt -i 0 nice -n 19 "$folder/$1/tests/fuzz/fuzz_$2" -runs="$3" -max_len="${MAX_LEN:-128}" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" "tests/fuzz/corpus/$2" >>"$work/log" 2>&1
}

jobs=()
# start NAME EXECUTIONS TARGET...
start() {
    local name=$1 most=$2 target
    shift 2
    for target in "$@"; do
        campaign "$name" "$target" "$most" &
        jobs+=("$name $target $!")
    done
}

# Branches alone are a third cheaper than branches and comparisons.
build fast -fsanitize-coverage=inline-8bit-counters,pc-table -Doptimization=3
start fast "$executions" "$@"
build sanitized -fsanitize=fuzzer-no-link -Db_sanitize=address,undefined
start sanitized $((executions / 20)) "$@"
status=0
n=0
for job in "${jobs[@]}"; do
    read -r name target pid <<<"$job"
    n=$((n + 1))
    verdict=ok
    wait "$pid" || verdict='not ok' status=1
    runs=$(awk '/stat::number_of_executed_units/ { n += $2 } END { print n + 0 }' "$folder/work-$name-$target/log")
    echo "$verdict $n - $target, $name: $runs executions, see $folder/work-$name-$target"
done
exit $status
