#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# usage: memif.sh [SECONDS [RELOAD-EVERY [HTTP TLS]]]     by hand: 600 seconds, a new rule set every second, 400 connections each
#
# As many frames as one worker takes, over shared memory, from another process and back to it: none is lost, every page with the needle is
# a hit, whatever becomes of the rules meanwhile. DPDK's testpmd plays a capture in a circle, and waits when the ring is full.
#
#   testpmd  traffic.pcap -> [a]  wireglass-dataplane, one worker  [b] -> counted
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need dpdk-testpmd jq ss python3
seconds=${1:-600}
every=${2:-1}

# testpmd COMMAND... : on its prompt
testpmd() {
    printf '%s\n' "$@" >&"$prompt"
}

links_are_up() {
    [ "$(wg --json show ports | jq '[.ports[] | select(.link)] | length')" = 2 ]
}

# of_pmd PORT FIELD : from what `show port stats all` printed last
of_pmd() {
    awk -v port="$1" -v field="$2:" '/NIC statistics for port/ { at = $6 } at == port {
        for (i = 1; i < NF; i++) if ($i == field) n = $(i + 1) } END { print n }' "$WORK/testpmd.log"
}

has_said() {
    [ -n "$(of_pmd 3 TX-packets)" ]
}

all_inspected() {
    [ "$(stat_of capture.packets)" = "$sent" ]
}

python3 "$SOURCE/tests/wire/traffic.py" "$WORK/traffic.pcap" "${@:3:2}" >"$WORK/traffic"
cat >"$WORK/needle.rules" <<'RULES'
alert http any any -> any any (msg:"needle in a page"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; sid:1;)
RULES
pack 1 "$WORK/needle.rules"
echo 'retention = { hits = 100000000; };' >"$WORK/control.cfg"
check 'the dataplane starts' dataplane_start --profiles "$SOURCE/hwprofiles" --mode inline --events none \
    --port "memif:$WORK/a.memif,server" --port "memif:$WORK/b.memif,server"
check 'the daemon starts' control_start --config "$WORK/control.cfg"
check 'the first bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true
mkfifo "$WORK/prompt"
# The other CPU than the worker's; what the generator sends is less than ring b has room for.
stdbuf -oL dpdk-testpmd --lcores '0@1,1@0' --no-huge -m 512 --no-pci --no-telemetry --file-prefix=generator \
    --vdev="net_pcap0,rx_pcap=$WORK/traffic.pcap,infinite_rx=1" \
    --vdev="net_memif0,role=client,id=0,socket-abstract=no,rsize=10,socket=$WORK/a.memif" \
    --vdev="net_memif1,role=client,id=0,socket-abstract=no,rsize=14,socket=$WORK/b.memif" \
    --vdev=net_null0,no-rx=1 -- --interactive --nb-cores=1 --port-topology=paired --no-flush-rx \
    --total-num-mbufs=100000 <"$WORK/prompt" >"$WORK/testpmd.log" 2>&1 &
generator=$!
exec {prompt}>"$WORK/prompt"
testpmd 'set fwd io retry' 'set burst tx delay 1 retry 1000000000'
check 'testpmd connects' wait_for "$PATIENCE" links_are_up

start=$EPOCHREALTIME
testpmd start
sleep 2
reload "$every" &
reloader=$!
sleep $((seconds - 2))
testpmd stop
took_ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
touch "$WORK/enough"
wait $reloader
read -r loaded not_loaded <"$WORK/reloaded"
testpmd 'set portlist 2,3' start # what is still in ring b
sleep 1
testpmd stop 'show port stats all'
check 'testpmd says what it sent' wait_for "$PATIENCE" has_said
sent=$(of_pmd 1 TX-packets)
is 'it has sent all that it read' "$(of_pmd 1 TX-errors)" 0
check "all of them were inspected ($sent)" wait_for "$PATIENCE" all_inspected
is 'all were forwarded' "$(stat_of forward.packets)" "$sent"
is 'none was refused by the other port' "$(stat_of forward.failed)" 0
is 'all came back' "$(of_pmd 2 RX-packets)" "$sent"
is 'no rule set was refused' "$not_loaded" 0
at_least 'rule sets were loaded' "$loaded" 1
expected=$(jq --argjson sent "$sent" '($sent / .frames | floor) * (.hits | length) +
    ([.hits[] as $at | select($at <= $sent % .frames)] | length)' <"$WORK/traffic")
check "every page with the needle is a hit ($expected)" wait_for "$PATIENCE" stat_is detect.hits "$expected"
is 'none lost' "$(stat_of detect.hits_lost)" 0
check 'all of them are stored' wait_for "$PATIENCE" status_is .hits.stored "$expected"
check 'the books balance' ledger
printf '# %s frames of %s bytes on average in %s ms: %s a second; %s hits, %s rule sets\n' \
    "$sent" $(($(stat_of capture.bytes) / sent)) "$took_ms" $((sent * 1000 / took_ms)) "$expected" "$loaded"
# See many_queues.sh: nobody polls a memif whose other side closes.
kill -STOP "$generator"
check 'the daemon stops cleanly' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"
kill -KILL "$generator"
finish
