#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who may include what. Each layer has one line: which of our headers it may name (extended regular expression) and
# whether DPDK's. What a layer must not know, it cannot use; the linker and the compiler flags check the same again.
. "$(dirname "$0")/files.sh"

cfg='common/cfg\.h'
common='common/[a-z_0-9]+\.h'
image='rules/(image|grams|action|list|number|state|transform)\.h'
engine='dataplane/engine/[a-z_0-9]+\.h'

# layer FILE : name of the layer, first match wins
layer() {
    case $1 in
    common/cfg.[ch]) echo cfg ;;
    common/*) echo common ;;
    hwprofiles/*) echo hwprofiles ;;
    rules/image.[ch] | rules/grams.[ch] | rules/action.h | rules/list.[ch] | rules/number.h | rules/state.h | rules/transform.h) echo rules/image ;;
    rules/*) echo rules ;;
    dataplane/engine/*) echo engine ;;
    dataplane/capture.[ch] | dataplane/linktype.[ch]) echo capture ;;
    # replay and bench belong to the wireglass program: they run the engine without DPDK and compile rules
    dataplane/replay.[ch] | dataplane/bench*.[ch] | dataplane/streams.[ch]) echo replay ;;
    dataplane/ruleload.[ch] | dataplane/offline.[ch] | dataplane/profile.c) echo replay ;;
    # self-tests of rules run in the compile process of wireglassd
    dataplane/vectors.[ch]) echo vectors ;;
    dataplane/*) echo shell ;;
    control/cli/*) echo cli ;;
    control/*) echo control ;;
    tests/unit/test_rss.c) echo tests/dpdk ;; # records two of its calls
    tests/*) echo tests ;;
    *) echo unknown ;;
    esac
}

# allowed LAYER : what may stand between the quotes
allowed() {
    case $1 in
    common) echo "$common" ;;
    cfg) echo "$common" ;;
    hwprofiles) echo "$common|hwprofiles/.*" ;;
    rules/image) echo "$common|$image" ;;
    rules) echo "$common|rules/.*" ;;
    engine) echo "$common|$image|$engine" ;;
    capture) echo "$common|$engine|dataplane/(capture|linktype)\.h" ;;
    replay) echo "$common|rules/.*|$engine|dataplane/(capture|replay|bench(_[a-z]+)?|streams|ruleload|offline|tunnels)\.h" ;;
    shell) echo "$common|hwprofiles/.*|$image|$engine|dataplane/[a-z_0-9]+\.h" ;;
    vectors) echo "$common|$image|$engine|dataplane/vectors\.h" ;;
    control) echo "$common|hwprofiles/.*|rules/.*|control/.*|dataplane/vectors\.h" ;;
    # the command's table names the two entry points that live beside the engine; doctor tries libhs as they do
    cli) echo "$common|hwprofiles/.*|rules/.*|control/.*|dataplane/(replay|engine/ruleset)\.h" ;;
    tests | tests/dpdk) echo '.*' ;;
    esac
}

may_use_cfg() {
    case $1 in
    common | rules/image | engine | capture) return 1 ;;
    esac
}

may_use_dpdk() {
    [ "$1" = shell ] || [ "$1" = tests/dpdk ]
}

for file in $(sources '*.c' '*.h'); do
    l=$(layer "$file")
    if [ "$l" = unknown ]; then
        complain "$file: in no layer: add its folder to the matrix in tests/lint/include.sh"
        continue
    fi
    rule="^($(allowed "$l"))\$"
    while IFS=: read -r line text; do
        [[ $text =~ [\<\"]([^\>\"]*)[\>\"] ]] || continue
        name=${BASH_REMATCH[1]}
        if [[ $text == *\"* ]]; then
            if [ ! -f "$name" ]; then
                complain "$file:$line: \"$name\" is not a path from the top of the tree"
            elif [[ ! $name =~ $rule ]]; then
                complain "$file:$line: $l must not include \"$name\""
            elif [[ $name =~ ^$cfg$ ]] && ! may_use_cfg "$l"; then
                complain "$file:$line: $l must not include \"$name\""
            fi
        elif [[ $name =~ ^rte_ ]] && ! may_use_dpdk "$l"; then
            complain "$file:$line: $l must not include DPDK's <$name>"
        fi
    done < <(grep -nE '^[[:space:]]*#[[:space:]]*include\b' "$file")
done
verdict 'layers include only what they may'
finish
