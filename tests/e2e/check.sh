#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `wireglass check`: one line and an exit code, as monitoring systems want them. What each limit means: unit test `check`.
# Topology: t0-t1, a mirror that the dataplane reads.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need jq ss python3

# exits NAME CODE TEXT ARGUMENTS... : one line, with the text in it
exits() {
    local name=$1 code=$2 text=$3 got
    shift 3
    wg check "$@" >"$WORK/out" 2>"$WORK/err"
    got=$?
    is "$name" "$got, $(wc -l <"$WORK/out") line, $(grep -c -- "$text" "$WORK/out")" "$code, 1 line, 1"
}

says() {
    wg check "${@:2}" | grep -q -- "$1"
}

link_add - t0 - t1
port_up - t0
port_up - t1
printf '%s\n' 'alert http any any -> any any (msg:"needle"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; sid:1;)' \
    >"$WORK/needle.rules"
pack 1 "$WORK/needle.rules"
exits 'no daemon' 2 '^WIREGLASS CRITICAL - wireglassd does not run on '
check 'the daemon starts' control_start
exits 'no dataplane' 2 'CRITICAL - the dataplane is not connected: .*no rules are loaded'
check 'the dataplane starts' dataplane_start --workers 2 --port af_packet:t1
check 'it is connected' wait_for "$PATIENCE" status_is .dataplane.connected true
exits 'no rules' 2 'CRITICAL - no rules are loaded'
check 'a bundle is loaded' wg rules load "$WORK/1.wgb"
check 'the first numbers' wait_for "$PATIENCE" says 'silent=' --disk -
all='silent=[0-9]*s;60;60 loss=0%;0.1;1 packets=[0-9]*c lost=0c unread=0%;1;10 hits-lost=0;1;1000 bundle-age=[0-9.e-]*d;; '
all+='pending=0;10000;100000 hits=0c disk=[0-9.]*%;;$'
exits 'all is well' 0 "^WIREGLASS OK - all is well | $all" --disk - --silent 60,60
python3 "$SOURCE/tests/e2e/flows.py" t0 10 1
check '10 hits' wait_for "$PATIENCE" hits_are 10
exits 'they are told' 0 ' hits=10c ' --disk - --silent 60,60
exits 'a limit: a warning' 1 'WARNING - .* % free where hits are stored | ' --disk 100.1 --silent 60,60
exits 'the other one: critical' 2 'CRITICAL - .* % free where hits are stored | ' --disk -,100.1 --silent 60,60
wg --json check --disk - --silent 60,60 >"$WORK/out"
is 'as JSON' "$(jq -r '[.state, .problems, (.values | length > 50)] | join(" ")' "$WORK/out")" 'OK  true'
ip link del t0
check 'a link is down' wait_for "$PATIENCE" says 'WARNING - port 0 (t1): the link is down' --disk - --silent 60,60
kill -STOP "$DATAPLANE"
check 'nothing moves' wait_for "$PATIENCE" says 'CRITICAL - .*s since a worker last moved' --disk - --silent 1,2
kill -CONT "$DATAPLANE"
check 'it moves again' wait_for "$PATIENCE" says 'silent=0s' --disk -
for wrong in '--nonsense 1' '--disk x' '--disk 1,2,3' '--disk' 'word'; do
    # shellcheck disable=SC2086 # two words
    wg check $wrong >"$WORK/out" 2>"$WORK/err"
    is "check $wrong: unknown, as monitoring has it" "$? $(grep -c '^wireglass: ' "$WORK/err")" '3 1'
done
check 'the dataplane stops' stop "$DATAPLANE"
check 'the daemon stops' stop "$CONTROL"
finish
