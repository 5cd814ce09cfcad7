#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The dataplane is killed and started again: the daemon notices, waits, offers the rules again, and hits go on. What was
# stored before stays.
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss

inline_topology
site
pack 1 "$WORK/needle.rules"
check 'the daemon starts first' control_start
check 'a bundle is accepted without a dataplane' wg rules load "$WORK/1.wgb"
is 'and waits' "$(status .rules.live)" false

hits=0
for round in 1 2 3; do
    check "round $round: the dataplane starts" dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
    check "round $round: it is given the rules" wait_for "$PATIENCE" status_is .rules.live true
    check "round $round: a page" get http://10.20.0.1/needle.html
    hits=$((hits + 1))
    check "round $round: a hit" wait_for "$PATIENCE" hits_are "$hits"
    kill -KILL "$DATAPLANE"
    wait "$DATAPLANE" 2>/dev/null
    check "round $round: the daemon notices that it is gone" wait_for "$PATIENCE" status_is .dataplane.connected false
    check "round $round: the stored hits stay" hits_are "$hits"
done

is 'each start has its own identity' "$(wg --json hits list | jq '[.hits[].boot_id] | unique | length')" 3
is 'no hit is counted as lost' "$(status .hits.lost)" 0
check 'the daemon stops cleanly' stop "$CONTROL"
finish
