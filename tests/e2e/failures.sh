#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is not shown elsewhere of the table of failures in docs/TESTING.md: a worker that is stuck, a port that goes away.
# Topology: t0-t1 and u0-u1, two mirrors that one dataplane reads.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need ss jq python3

send() {
    python3 "$SOURCE/tests/e2e/flows.py" "$@"
}

links() {
    wg --json show ports | jq -c '[.ports[].link]'
}

links_are() {
    [ "$(links)" = "$1" ]
}

for pair in t u; do
    ip link add "$pair"0 type veth peer name "$pair"1
    port_up - "$pair"0
    port_up - "$pair"1
done
cat >"$WORK/needle.rules" <<'RULES'
alert http any any -> any any (msg:"needle"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; sid:1;)
RULES
pack 1 "$WORK/needle.rules"
begin() {
    dataplane_start --workers 2 --port af_packet:t1 --port af_packet:u1
}
check 'it starts' begin
check 'control starts' control_start
check 'the bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true
check '10 flows on each port' eval 'send t0 10 1 && send u0 10 101'
check '20 hits' wait_for "$PATIENCE" hits_are 20

# --- a port goes away
ip link del t0
check 'a port is gone: it is seen' wait_for "$PATIENCE" links_are '[false,true]'
check 'and told' wait_for "$PATIENCE" grep -q 'port 0: t1: the link is down' "$WORK/dataplane.log"
check 'the other port goes on: 10 flows' send u0 10 201
check 'are 10 hits' wait_for "$PATIENCE" hits_are 30

# --- one worker is stuck
spawn - "$WORK/hold.log" python3 "$SOURCE/tests/e2e/hold_thread.py" "$DATAPLANE" rte-worker-2
holder=$SPAWNED
check 'a worker is stuck' wait_for "$PATIENCE" grep -q held "$WORK/hold.log"
check 'the process ends' wait_for "$PATIENCE" not_running "$DATAPLANE"
check 'and says why' grep -q 'worker 1 has been stuck for 10 seconds' "$WORK/dataplane.log"
kill "$DATAPLANE" "$holder" 2>/dev/null && sleep 1
kill -KILL "$DATAPLANE" 2>/dev/null
wait "$holder"
wait "$DATAPLANE"
is 'it failed' $? 1
check 'control knows' wait_for "$PATIENCE" status_is .dataplane.connected false
begin_again() {
    dataplane_start --workers 2 --port af_packet:u1
}
check 'it starts again' begin_again
check 'the rules are live' wait_for "$PATIENCE" status_is .rules.live true
check '10 flows' send u0 10 401
check 'are hits, and no other one is lost' wait_for "$PATIENCE" hits_are 40
check 'control stops' stop "$CONTROL"
check 'it stops' stop "$DATAPLANE"
finish
