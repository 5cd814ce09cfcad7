#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Somebody sets the clock, a day ahead and two days back, and both programs stand still for a while, as on a machine that sleeps: flows
# go on, hits have the new time, nothing is lost or given up for its age. libfaketime is the clock.
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl ss jq python3
[ "${WIREGLASS_SANITIZED:-0}" = 0 ] || skip_all 'no library can be loaded before a sanitizer'
fake=$(find /usr/lib -name libfaketime.so.1 -print -quit)
[ -n "$fake" ] || skip_all 'faketime is not installed: ./setup'

# set_clock OFFSET : of both programs, not of this script
set_clock() {
    printf '%s\n' "$1" >"$WORK/clock.new" && mv "$WORK/clock.new" "$WORK/clock"
}

# ask NAME : for another page on the connection that stays
ask() {
    printf '%s\n' "$1" >&"$asks"
    wait_for "$PATIENCE" grep -q "^$1: 6010 bytes" "$WORK/client.log"
}

# hours_between FIRST SECOND : hits, by number of their row
hours_between() {
    wg --json hits list | jq --argjson a "$1" --argjson b "$2" '[.hits | sort_by(.id) | .[] | .time |
        sub("\\.[0-9]+"; "") | strptime("%Y-%m-%dT%H:%M:%S%z") | mktime] | (.[$b - 1] - .[$a - 1]) / 3600 | round'
}

inline_topology
site
pack 1 "$WORK/needle.rules"
set_clock +0
export LD_PRELOAD=$fake FAKETIME_TIMESTAMP_FILE=$WORK/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
started=$?
control_start
[ $? -eq 0 ] && [ $started -eq 0 ] && started=yes
unset LD_PRELOAD
is 'both start' "$started" yes
check 'the bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true

mkfifo "$WORK/asks"
spawn client "$WORK/client.log" python3 -uc '
import http.client, sys
c = http.client.HTTPConnection("10.20.0.1")
for name in open(sys.argv[1]):
    c.request("GET", "/needle.html")
    print("%s: %d bytes" % (name.strip(), len(c.getresponse().read())))' "$WORK/asks"
exec {asks}>"$WORK/asks"
check 'a page' ask first
check 'is a hit' wait_for "$PATIENCE" hits_are 1

set_clock +1d
sleep 2 # the dataplane looks once a second
check 'a day ahead: a page on the same connection' ask second
check 'is a hit' wait_for "$PATIENCE" hits_are 2
is 'a day later' "$(hours_between 1 2)" 24

set_clock -1d
sleep 2
check 'two days back: a page on the same connection' ask third
check 'is a hit' wait_for "$PATIENCE" hits_are 3
is 'a day earlier' "$(hours_between 1 3)" -24
is 'the daemon has not run for days' "$(status '.uptime_s >= 0 and .uptime_s < 80000')" true

kill -STOP "$DATAPLANE" "$CONTROL"
sleep 3
set_clock +0
kill -CONT "$DATAPLANE" "$CONTROL"
check 'after a stand-still: a page on the same connection' ask fourth
check 'is a hit' wait_for "$PATIENCE" hits_are 4
check 'the counters are up to date' wait_for "$PATIENCE" stat_is detect.hits 4
is 'it was one flow all the time' "$(stat_of flow.created)" 1
is 'that nobody gave up' "$(stat_of flow.timeout)" 0
is 'no hit was lost' "$(status .hits.lost)" 0
check 'the audit log is whole' wg audit verify --state "$WORK/state"
check 'the daemon stops cleanly' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"
finish
