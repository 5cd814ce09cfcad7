#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# usage: latency.sh [COUNT]     by hand, on a machine that has nothing else to do
#
# How much later does a frame arrive for passing through the dataplane instead of a bridge of the kernel, and how long does it take
# from a request on the wire to its hit in `wireglass hits follow`?
#
#   client                  sensor (this namespace)                server
#   [c0 10.20.0.2] ---- [p0]  wireglass-dataplane  [p1] ---- [s0 10.20.0.1]
#   [c1 10.30.0.2] ---- [b0]        bridge         [b1] ---- [s1 10.30.0.1]
#
# Requests and answers of one connection each take turns: COUNT times (1,000) there, COUNT times here, ten times over.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx wrk jq ss python3 openssl
count=${1:-1000}

inline_topology
link_add client c1 - b0
link_add server s1 - b1
ip link add name br0 type bridge
ip link set b0 master br0
ip link set b1 master br0
ip link set br0 up
addr_add client c1 10.30.0.2/24
addr_add server s1 10.30.0.1/24
site
text_file "$WORK/www/small.html" 300
pack 1 "$WORK/needle.rules"
spawn server "$WORK/pingpong.log" "$BUILD/tests/wire/pingpong" serve 8080
# On a disk, as it is on a sensor: what is told has been stored.
state=$(mktemp -d -p "${WIREGLASS_DISK:-/var/tmp}")
mkdir "$WORK/state"
mount --bind "$state" "$WORK/state" || bail 'no directory on a disk'

for idle in sleep poll; do
    echo "idle = \"$idle\";" >"$WORK/dataplane.cfg"
    check "$idle: the dataplane starts" dataplane_start --config "$WORK/dataplane.cfg" --mode inline --port af_packet:p0 \
        --port af_packet:p1
    check "$idle: the daemon starts" control_start
    [ "$idle" = poll ] || check 'the bundle is loaded' wg rules load "$WORK/1.wgb"
    check "$idle: it is live" wait_for "$PATIENCE" status_is .rules.live true
    check "$idle: there and back" in_ns client "$BUILD/tests/wire/pingpong" ask "$count" 10 10.20.0.1:8080 10.30.0.1:8080
    jq -rs --arg idle "$idle" '"# workers that \($idle) when idle, there and back: through us \(.[0].p50_us) us (99 %: \(.[0].p99_us)), through the bridge \(.[1].p50_us) us (99 %: \(.[1].p99_us)): \((.[0].p50_us - .[1].p50_us) * 10 | round / 10) and \((.[0].p99_us - .[1].p99_us) * 10 | round / 10) us more"' "$WORK/check.out"
    for load in none wrk; do
        [ "$load" = none ] || spawn client "$WORK/wrk.log" wrk -t 1 -c 2 -d 600 http://10.20.0.1/small.html
        check "$idle, load $load: each hit is told" in_ns client python3 "$SOURCE/tests/wire/follow.py" "$count" \
            10.20.0.1:8080 "$BUILD/wireglass" --json --socket "$CTL_SOCKET" hits follow
        jq -r --arg text "workers that $idle when idle, load $load" '"# \($text): from the wire to hits follow \(.p50_ms) ms (99 %: \(.p99_ms), most: \(.max_ms))"' "$WORK/check.out"
        [ "$load" = none ] || kill "$SPAWNED"
    done
    check "$idle: the daemon stops" stop "$CONTROL"
    check "$idle: the dataplane stops" stop "$DATAPLANE"
done
umount "$WORK/state"
rm -r "$state"
finish
