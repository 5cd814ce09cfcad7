#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Rule sets are replaced again and again while a client keeps asking: no packet is lost, every request is answered, every
# page with the needle gives exactly one hit, whichever rule set saw it.
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss

reloads=10

# Requests one after the other until $WORK/stop exists; counts those that went well.
client_loop() {
    local good=0 bad=0
    while [ ! -e "$WORK/stop" ]; do
        if in_ns client curl -sf --max-time "$PATIENCE" http://10.20.0.1/needle.html http://10.20.0.1/clean.html \
            http://10.20.0.1/needle.html | cmp -s - "$WORK/wanted"; then
            good=$((good + 1))
        else
            bad=$((bad + 1))
        fi
    done
    echo "$good $bad" >"$WORK/requests"
}

# frames_in_and_out : "N N"; frames_balance : for wait_for; every frame that was received was forwarded
frames_in_and_out() {
    wg --json show stats | jq -r '.counters | "\(.["capture.packets"]) \(.["forward.packets"])"'
}

frames_balance() {
    [ "$(stat_of capture.packets)" = "$(stat_of forward.packets)" ]
}

inline_topology
site
cat "$WORK"/www/{needle,clean,needle}.html >"$WORK/wanted"
for ((serial = 1; serial <= reloads + 1; serial++)); do
    # each set differs from the one before by a rule of its own
    {
        cat "$WORK/needle.rules"
        printf 'alert http any any -> any any (msg:"never"; http.uri; content:"/set-%d"; sid:%d;)\n' \
            "$serial" $((100 + serial))
    } >"$WORK/set.rules"
    pack "$serial" "$WORK/set.rules"
done

check 'the dataplane starts' dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
check 'the daemon starts' control_start
check 'the first bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true

client_loop &
loop=$!
loaded=0
for ((serial = 2; serial <= reloads + 1; serial++)); do
    if wg rules load "$WORK/$serial.wgb" >>"$WORK/cli.log" 2>&1; then
        loaded=$((loaded + 1))
    fi
done
is "$reloads bundles are loaded while traffic runs" "$loaded" "$reloads"
touch "$WORK/stop"
wait "$loop"
read -r good bad <"$WORK/requests"
is 'the last one is live' "$(status .rules.serial)" $((reloads + 1))
is 'no request went wrong' "$bad" 0
at_least "enough requests ran meanwhile ($good)" "$good" 5
check "every needle is a hit ($((good * 2)))" wait_for "$PATIENCE" hits_are $((good * 2)) 1
is 'and no other rule hit' "$(hit_count)" $((good * 2))
check 'the counters are up to date' wait_for "$PATIENCE" stat_is detect.hits $((good * 2))
wait_for "$PATIENCE" frames_balance
read -r came went <<<"$(frames_in_and_out)"
is 'every frame that came in went out' "$went" "$came"
is 'none was refused by the other port' "$(stat_of forward.failed)" 0
is 'no frame was lost before us' "$(wg --json show ports | jq '[.ports[] | .rx_missed + .rx_nombuf + .tx_errors + (.kernel_drops // 0)] | add')" 0
is 'no message went by without rules' "$(stat_of detect.no_ruleset)" 0
is 'no hit was lost' "$(status .hits.lost)" 0
is 'no body was cut off from its rule set' "$(stat_of detect.old_released)" 0

is 'a bundle that is not newer is refused' "$(wg rules load "$WORK/3.wgb" >/dev/null 2>&1; echo $?)" 8
check 'unless it is asked for by name' wg rules rollback 3
is 'then it is live' "$(status .rules.serial)" 3
printf 'x' | dd of="$WORK/11.wgb" bs=1 seek=200 conv=notrunc status=none
is 'a bundle with a changed byte fails its signature' "$(wg rules load "$WORK/11.wgb" >/dev/null 2>&1; echo $?)" 5
is 'and changes nothing' "$(status .rules.serial)" 3
check 'the daemon stops cleanly' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"
finish
