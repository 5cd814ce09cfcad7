#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# wireglassd is killed in mid-traffic and started again: traffic and inspection go on, and no hit is lost or stored twice.
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss

# ask N : N pages with the needle, one connection each
ask() {
    local i
    for ((i = 0; i < $1; i++)); do
        get http://10.20.0.1/needle.html || return 1
    done
}

inline_topology
site
pack 1 "$WORK/needle.rules"
check 'the dataplane starts' dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
check 'the daemon starts' control_start
check 'the bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true
check 'twenty pages' ask 20
check 'twenty hits' wait_for "$PATIENCE" hits_are 20

for round in 1 2 3; do
    # die while hits are under way
    ask 20 &
    asking=$!
    kill -KILL "$CONTROL"
    wait "$CONTROL" 2>/dev/null
    check "round $round: traffic goes on without the daemon" wait "$asking"
    check "round $round: and longer" ask 20
    is "round $round: the command says that nobody is there" "$(wg show status >/dev/null 2>&1; echo $?)" 3
    check "round $round: the daemon starts again" control_start
    check "round $round: every hit is stored" wait_for "$PATIENCE" hits_are $((20 + round * 40))
    is "round $round: the rules are still live" "$(status '"\(.rules.serial) \(.rules.live)"')" '1 true'
done

is 'each hit is there once' \
    "$(wg --json hits list --limit 10000 | jq '[.hits[] | "\(.boot_id) \(.worker) \(.seq)"] | unique | length')" 140
is 'none is counted as lost' "$(status .hits.lost)" 0
is 'the dataplane was never restarted' "$(wg --json hits list --limit 10000 | jq '[.hits[].boot_id] | unique | length')" 1
is 'it never lost its rules' "$(stat_of detect.no_ruleset)" 0
check 'the daemon stops cleanly' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"
finish
