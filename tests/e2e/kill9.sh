#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# wireglassd and the dataplane are killed in turns under load, WIREGLASS_KILLS times each (10; 1,000 by hand): what was
# acknowledged stays, is in the EVE file and the NATS stream exactly once and at the socket at least once, and no number is
# missing without a record. Prints how long it took until inspection went on.
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss python3 nats-server
KILLS=${WIREGLASS_KILLS:-10}

now_ms() {
    printf '%s' $((${EPOCHREALTIME/./} / 1000))
}

# back : a dataplane is connected, and the rules are live in it
back() {
    wg --json show status | jq -e '.dataplane.connected and .rules.live'
}

# wait_back FILE : milliseconds until then, looked at every 10 ms
wait_back() {
    local start=$2 tries=0
    until back >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt $((PATIENCE * 50)) ] || return 1
        sleep 0.02
    done
    echo $(($(now_ms) - start)) >>"$1"
}

load() {
    while [ ! -e "$WORK/enough" ]; do
        in_ns client curl -s --max-time 2 -o /dev/null 'http://10.20.0.1/needle.html?[1-10]'
        sleep 0.02
    done
}

some_hits() {
    [ "$(hit_count)" -gt 20 ]
}

inline_topology
site
pack 1 "$WORK/needle.rules"
cat >"$WORK/control.cfg" <<CFG
eve = { socket = "$WORK/eve.sock"; events = [ "alert" ]; };
nats = { servers = [ "$NATS_URL" ]; };
retention = { hits = 10000000; };
CFG
python3 "$SOURCE/tests/e2e/socket_lines.py" stream "$WORK/eve.sock" "$WORK/eve.socket" &
listener=$!
check 'a NATS server starts' nats_start
check 'it has a stream' stream make WIREGLASS wireglass.hits 120
check 'the dataplane starts' dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
check 'the daemon starts' control_start --config "$WORK/control.cfg"
check 'the bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" back
load &
loader=$!
check 'hits come' wait_for "$PATIENCE" some_hits

bad=0
for ((i = 0; i < KILLS; i++)); do
    sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
    kill -KILL "$CONTROL"
    wait "$CONTROL" 2>/dev/null
    start=$(now_ms)
    spawn - "$WORK/control.log" "$BUILD/wireglassd" --state "$WORK/state" --socket "$CTL_SOCKET" \
        --dataplane "$DP_SOCKET" --key "$WORK/publisher.pub" --eve "$EVE" --config "$WORK/control.cfg"
    CONTROL=$SPAWNED
    wait_back "$WORK/control.ms" "$start" || bad=$((bad + 1))
    sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
    kill -KILL "$DATAPLANE"
    wait "$DATAPLANE" 2>/dev/null
    wait_for "$PATIENCE" status_is .dataplane.connected false
    start=$(now_ms)
    spawn - "$WORK/dataplane.log" "$BUILD/wireglass-dataplane" --socket "$DP_SOCKET" --mode inline \
        --port af_packet:p0 --port af_packet:p1
    DATAPLANE=$SPAWNED
    wait_back "$WORK/dataplane.ms" "$start" || bad=$((bad + 1))
done
is "both came back from $KILLS kills each" "$bad" 0
touch "$WORK/enough"
wait "$loader"
delivered() {
    [ "$(status .hits.last_id)" = "$(status '[.sinks[].last_id] | min')" ]
}
check 'the dataplane stops cleanly' stop "$DATAPLANE"
check 'every sink has everything' wait_for "$PATIENCE" delivered
check 'the daemon stops cleanly' stop "$CONTROL"
sleep 0.2
kill "$listener"
stream read WIREGLASS >"$WORK/messages"
check 'no hit lost, none twice, every gap explained' \
    python3 "$SOURCE/tests/e2e/kill9_check.py" "$WORK/state/hits.db" "$EVE" "$WORK/eve.socket" "$WORK/messages" "$WORK"/*.ms
cat "$WORK/check.out"
finish
