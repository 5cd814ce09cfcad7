#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What both daemons give up after their start, as the kernel says, and that what they still have to do works: traffic,
# rules that change, rotated files, a clean end.
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss

# given_up WHO : all of it; the dataplane answers before its workers run
given_up() {
    wait_for "$PATIENCE" status_is ".sandbox.$1 | .no_capabilities and .no_new_privs and .seccomp" true
}

inline_topology
site
pack 1 "$WORK/needle.rules"
pack 2 "$WORK/needle.rules"
pack 3 "$WORK/needle.rules"
mkdir "$WORK/eve"
EVE=$WORK/eve/eve.json
check 'the dataplane starts' dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
check 'the daemon starts' control_start
check 'a bundle is loaded' wg rules load "$WORK/1.wgb"
for who in control dataplane compiler; do
    check "$who has given up capabilities, new privileges and system calls" given_up $who
done
for pid in "$CONTROL" "$DATAPLANE"; do
    is "every thread of $pid: no capability" "$(threads "$pid" CapEff)" 0000000000000000
    is "every thread of $pid: none to gain" "$(threads "$pid" CapBnd) $(threads "$pid" NoNewPrivs)" '0000000000000000 1'
    is "every thread of $pid: system calls are filtered" "$(threads "$pid" Seccomp)" 2
done
is 'files are given up alike where the kernel has Landlock' \
    "$(status '[.sandbox[] | objects | .landlock] | unique | length')" 1
is 'nothing went wrong with it' "$(status .sandbox.problem)" ''
check 'status says it in words' grep -c 'no capabilities, no new privileges, few system calls' <(wg show status)

check 'a page' get http://10.20.0.1/needle.html
check 'a hit' wait_for "$PATIENCE" hits_are 1
mv "$EVE" "$EVE.1"
kill -HUP "$CONTROL"
check 'a rotated file is made anew' wait_for "$PATIENCE" test -e "$EVE"
check 'rules change' wg rules load "$WORK/2.wgb"
check 'another page' get http://10.20.0.1/needle.html
check 'its hit' wait_for "$PATIENCE" hits_are 2
check 'it is in the new file' wait_for "$PATIENCE" grep -q '"event_type":"alert"' "$EVE"
check 'and back' wg rules rollback
check 'the dataplane stops cleanly' stop "$DATAPLANE"
check 'its socket is gone' test ! -e "$DP_SOCKET"
check 'the dataplane starts again' dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
check 'it gets its rules' wait_for "$PATIENCE" status_is .rules.live true
check 'and more' wg rules load "$WORK/3.wgb"
check 'a page through it' get http://10.20.0.1/needle.html
check 'a hit through it' wait_for "$PATIENCE" hits_are 3
check 'the daemon stops cleanly' stop "$CONTROL"
check 'its socket is gone, too' test ! -e "$CTL_SOCKET"
check 'the audit log is in order' wg audit verify --state "$WORK/state"
check 'the dataplane stops cleanly again' stop "$DATAPLANE"
finish
