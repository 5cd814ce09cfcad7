#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# train.sh BUILD: a folder that was configured with -Db_pgo=generate is built, the programs replay the demo's capture with rules
# and without, and are built again for what was seen (gcc's profile-guided optimisation). A folder that was trained before begins anew.
set -euo pipefail
if [ $# != 1 ] || [ ! -e "$1/build.ninja" ]; then
    echo "usage: $0 BUILD (meson setup BUILD -Db_lto=true -Db_pgo=generate)" >&2
    exit 2
fi
build=$(realpath "$1")
cd "$(dirname "$0")/../.."

find "$build" -name '*.gcda' -delete
meson configure "$build" -Db_pgo=generate
ninja -C "$build"
for rules in "" "rules/examples/demo.rules tests/bench/instructions.rules" rules/examples/hosting.rules; do
    printf 'training: %s\n' "${rules:-no rules}"
    # shellcheck disable=SC2086 # one option for each
    "$build/wireglass" bench --no-limit --runs 1 --rounds 20 ${rules:+$(printf -- '--rules %s ' $rules)} tests/demo/demo.pcap >/dev/null
done
find "$build" -name 'pipeline.c.gcda' | grep -q . || {
    echo "$0: the training left no profile in $build: was it built with gcc?" >&2
    exit 1
}
meson configure "$build" -Db_pgo=use
ninja -C "$build"
