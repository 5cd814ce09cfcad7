#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Ports with several queues: by the queues' own hash while it keeps the directions of a flow together, by ours when it
# does not; the same flows are inspected either way.
#
#   flows.py ---- [t0]  wireglass-dataplane, 3 workers, 3 queues     t0 is a TAP: the kernel chooses the queue
#
#   flows.py ---- [a0-a1] wireglass-dataplane, inline == memif, 2 queues == +
#     clients' and servers' frames apart                                     wireglass-dataplane, 2 workers
#   flows.py ---- [b0-b1] wireglass-dataplane, inline == memif, 2 queues == +
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need python3 ss jq

send() {
    python3 "$SOURCE/tests/e2e/flows.py" "$@"
}

# counted NAME MINIMUM : for wait_for
counted() {
    [ "$(stat_of "$1")" -ge "$2" ] 2>/dev/null
}

cat >"$WORK/needle.rules" <<'RULES'
alert http any any -> any any (msg:"needle"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; sid:1;)
RULES
pack 1 "$WORK/needle.rules"

check 'it starts with three workers' dataplane_start --profiles "$SOURCE/hwprofiles" --workers 3 --port tap:t0 --events all
check 'and makes its interface' wait_for "$PATIENCE" ip link show t0
check 'its flows come by the queues' wait_for "$PATIENCE" grep -q 'flows come to workers by the queues of the ports' "$WORK/dataplane.log"
check 'each worker has a queue' grep -q 'port 0: t0 (net_tap), 3 queues' "$WORK/dataplane.log"
port_up - t0
check 'control starts' control_start
wg rules load "$WORK/1.wgb" >>"$WORK/cli.log" 2>&1
check 'a rule set is live' wait_for "$PATIENCE" status_is .rules.live true

check '90 flows' send t0 90 1
check 'each is inspected' wait_for "$PATIENCE" stat_is http.transactions 90
check 'each hits' wait_for "$PATIENCE" stat_is detect.hits 90
# What was noted of a flow is lost where another one's hash is the same: some of 90 may be, by chance.
check 'both directions of each came to one worker' wait_for "$PATIENCE" counted capture.directions_together 85
is 'none to the wrong one' "$(stat_of capture.wrong_worker)" 0
is 'nothing was handed over' "$(stat_of capture.steered)" 0

check 'control stops' stop "$CONTROL"
check 'it stops cleanly' stop "$DATAPLANE"


# --- memif: who puts which frame in which queue is up to the other side, here two of them with keys of their own
for side in a b; do
    ip link add "$side"0 type veth peer name "$side"1
    port_up - "$side"0
    port_up - "$side"1
done

# sender SIDE : forwards between SIDE1 and a memif
sender() {
    spawn - "$WORK/sender-$1.log" "$BUILD/wireglass-dataplane" --socket "$WORK/$1.sock" --profiles "$SOURCE/hwprofiles" \
        --workers 2 --mode inline --port "af_packet:$1"1 --port "memif:$WORK/$1.memif"
    senders+=("$SPAWNED")
    wait_for "$PATIENCE" answers "$WORK/$1.sock" "$SPAWNED"
}

links_are_up() {
    [ "$(wg --json show ports | jq '[.ports[] | select(.link)] | length')" = 2 ]
}

for claim in software kernel; do
    mkdir "$WORK/$claim"
    cp "$SOURCE"/hwprofiles/*.cfg "$WORK/$claim"
    sed -i "s/symmetric = .*/symmetric = \"$claim\";/" "$WORK/$claim/memif.cfg"
    senders=()
    check "memif, $claim: it starts" dataplane_start --profiles "$WORK/$claim" --workers 2 --events all \
        --port "memif:$WORK/a.memif,server" --port "memif:$WORK/b.memif,server"
    check "memif, $claim: the senders start" eval 'sender a && sender b'
    check "memif, $claim: control starts" control_start
    check "memif, $claim: the links come up" wait_for "$PATIENCE" links_are_up
    check "memif, $claim: 90 flows" send a0,b0 90 1
    check "memif, $claim: all frames came" wait_for "$PATIENCE" stat_is capture.packets 720
    if [ "$claim" = kernel ]; then
        # Half of the flows, by chance; less than 16 of 90 is out of the question.
        check 'a wrong profile: many come apart' wait_for "$PATIENCE" counted capture.wrong_worker 16
        check 'the workers take over' wait_for "$PATIENCE" grep -q 'the workers distribute by themselves' "$WORK/dataplane.log"
        before=$(stat_of http.transactions)
        apart=$(stat_of capture.wrong_worker)
        check '90 more' send a0,b0 90 2001
        check 'are inspected, all' wait_for "$PATIENCE" counted http.transactions $((before + 90))
        is 'none is apart' "$(stat_of capture.wrong_worker)" "$apart"
        is 'it is said once' "$(grep -c 'the workers distribute by themselves' "$WORK/dataplane.log")" 1
    else
        check 'our own hash: each is inspected' wait_for "$PATIENCE" stat_is http.transactions 90
    fi
    at_least "memif, $claim: frames were handed over" "$(stat_of capture.steered)" 90
    check "memif, $claim: control stops" stop "$CONTROL"
    # DPDK's driver takes the shared memory away when a side closes, also from under a worker of the other: none runs then.
    kill -STOP "${senders[@]}"
    check "memif, $claim: it stops" stop "$DATAPLANE"
    kill -KILL "${senders[@]}"
    wait "${senders[@]}" 2>/dev/null
done

# DPDK's interrupt thread runs to the very end: what it looks at must still be there.
for round in 1 2 3 4 5; do
    check "memif alone, $round: it starts" dataplane_start --profiles "$SOURCE/hwprofiles" --port "memif:$WORK/c.memif,server"
    check "memif alone, $round: it stops" stop "$DATAPLANE"
done
finish
