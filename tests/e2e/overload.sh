#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A worker that cannot keep up passes over bodies of large flows (skip_bodies): in the middle of a download it gets more than the
# kernel's ring has room for, and finds nothing but full bursts.
# Topology: t0-t1, a mirror that the dataplane reads.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need jq ss python3

download() {
    python3 "$SOURCE/tests/e2e/download.py" t0 "$@"
}

seen() {
    [ "$(stat_of capture.packets)" -ge "$1" ]
}

# It sleeps while noise comes, 8,192 frames of which find room, until it has seen that it is behind.
overloaded() {
    local tries=$PATIENCE
    while [ "$(stat_of overload.level)" -eq 0 ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        kill -STOP "$DATAPLANE" && download noise 20000 && kill -CONT "$DATAPLANE" && sleep 1.2
    done
}

# eve TYPE URL FILTER
eve() {
    jq -rs --arg type "$1" --arg name "$2" \
        "map(select(.event_type == \$type and (.http.url // .fileinfo.filename) == \$name)) | first | $3" "$EVE"
}

link_add - t0 - t1
port_up - t0
port_up - t1
cat >"$WORK/needle.rules" <<'RULES'
alert http any any -> any any (msg:"needle"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; sid:1;)
alert http any any -> any any (msg:"not that"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; content:!"E2E-OTHER"; sid:2;)
alert http any any -> any any (msg:"small"; flow:to_client; filesize:<50000000; sid:3;)
RULES
pack 1 "$WORK/needle.rules"
printf 'skip_bodies = true;\nevents = [ "http", "fileinfo" ];\nhash_bodies = true;\n' >"$WORK/dataplane.cfg"
check 'the dataplane starts' dataplane_start --config "$WORK/dataplane.cfg" --port af_packet:t1
check 'control starts' control_start
check 'the rules are live' wg rules load "$WORK/1.wgb"

check 'a download begins' download begin
check 'the needle at its beginning is found' wait_for "$PATIENCE" hits_are 1 1
check '17 MB of it' download more 0 17000
check 'are read' wait_for "$PATIENCE" seen 34006
is 'nobody is overloaded' "$(stat_of overload.level) $(stat_of overload.body_bytes)" '0 0'
check 'frames are lost' overloaded
check 'the log says what follows from that' grep -q 'cannot keep up: bodies of large flows are passed over' "$WORK/dataplane.log"
check 'the download goes on' download more 17000 200
check 'a small one comes' python3 "$SOURCE/tests/e2e/flows.py" t0 1 1
check 'which is inspected to its end' wait_for "$PATIENCE" hits_are 1 2
check 'one body is passed over' wait_for "$PATIENCE" stat_is overload.bodies 1
check 'with all that came of it' wait_for "$PATIENCE" stat_is overload.body_bytes 200000
is 'of which the ledger has each byte' "$(wg --json show coverage | jq '.rows[] | select(.name == "overload").bytes')" 200000
check 'the worker keeps up again' wait_for "$PATIENCE" stat_is overload.level 0
check 'which the log says, too' wait_for "$PATIENCE" grep -q 'keep up again' "$WORK/dataplane.log"
check 'the download goes on' download more 17200 100
check 'and ends' download end 17300
check 'its end is seen' wait_for "$PATIENCE" stat_is http.transactions 2
check 'the rest of it stays unread' wait_for "$PATIENCE" stat_is overload.body_bytes 300000
check 'its events come' wait_for "$PATIENCE" grep -q '"filename":"/large"' "$EVE"
is 'what was found before stays' "$(hit_count 1)" 2
is 'nothing is said of what was not read' "$(hit_count 2) $(hit_count 3)" '1 1'
for type in http fileinfo; do
    is "$type: it was not inspected" "$(eve $type /large '.wireglass.flags | index("not_inspected") != null')" true
    is "$type: the small one was" "$(eve $type /1 '.wireglass.flags | index("not_inspected") != null')" false
done
is 'there is a digest of the small one only' "$(eve fileinfo /large .fileinfo.sha256) $(eve fileinfo /1 '.fileinfo.sha256 | length')" 'null 64'
check 'the books balance, and control stops' stop "$CONTROL"
check 'the dataplane stops' stop "$DATAPLANE"
finish
