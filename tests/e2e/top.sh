#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `wireglass top`: its numbers, and that it neither hangs nor leaves a terminal behind that nobody can use.
# Topology: none; the dataplane plays a capture.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need jq ss python3

is 'without a daemon' "$(wg top --once 2>/dev/null; echo $?)" 3
is 'without a terminal' "$(wg top </dev/null 2>/dev/null; echo $?)" 2
printf '%s\n' 'alert http any any -> any any (msg:"all \\x1b"; flow:to_client; http.stat_code; content:"2"; sid:1;)' >"$WORK/all.rules"
pack 7 "$WORK/all.rules"
cases_of 'without a daemon' 8 python3 "$SOURCE/tests/e2e/top.py" away "$BUILD/wireglass" "$CTL_SOCKET"
check 'the dataplane starts' dataplane_start --wait-rules --workers 2 --port "pcap:$SOURCE/tests/demo/demo.pcap,rounds=3"
check 'the daemon starts' control_start
check 'a bundle is loaded' wg rules load "$WORK/7.wgb"
check 'the capture is over' wait_for "$PATIENCE" status_is .dataplane.finished true
at_least 'there are hits' "$(hit_count)" 1
check 'one frame as an object' wg --json top
wg --json top >"$WORK/frame"
is 'it has hits and rules' "$(jq -r '"\(.hits.stored) \(.rules.serial) \(.workers | length) \(.top_rules[0].sid)"' "$WORK/frame")" \
    "$(hit_count) 7 2 1"
is 'shares add up' "$(jq '[.coverage[].percent] | add | . * 1000 | round' "$WORK/frame")" 100000
is 'no more hits in it than have room' "$(jq '.recent_hits | length <= 20' "$WORK/frame")" true
wg top --once >"$WORK/lines"
at_least 'as lines' "$(grep -cE '^(received|flows|HTTP|hits|worker|rules of|newest hits)' "$WORK/lines")" 7
is 'with no character that moves a cursor' "$(LC_ALL=C grep -c '[[:cntrl:]]' "$WORK/lines")" 0
cases_of 'with a daemon' 8 python3 "$SOURCE/tests/e2e/top.py" there "$BUILD/wireglass" "$CTL_SOCKET" "$CONTROL"
check 'the dataplane stops' stop "$DATAPLANE"
check 'it is missed' wait_for "$PATIENCE" status_is .dataplane.connected false
wg top --once >"$WORK/lines"
is 'that is said' "$(grep -c '^the dataplane is not connected' "$WORK/lines")" 1
check 'the daemon stops' stop "$CONTROL"
finish
