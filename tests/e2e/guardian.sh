#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An inline dataplane under wireglass-guardian is killed, hangs and is stopped: the kernel forwards until another one is ready, and
# that inspects again. Prints how long nothing was forwarded.
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss python3 tc

# The process of the dataplane, by the socket it listens on.
dataplane_pid() {
    ss -xlpH src "unix:$DP_SOCKET" | grep -o 'pid=[0-9]*' | head -n 1 | cut -d= -f2
}

no_dataplane() {
    [ -z "$(dataplane_pid)" ]
}

bypassed() {
    [ "$(tc filter show dev p0 ingress; tc filter show dev p1 ingress)" != '' ]
}

not_bypassed() {
    ! bypassed
}

# gap : milliseconds, the longest time without an answer since this was last asked
gap() {
    kill -USR1 "$echo_client"
    wait_for "$PATIENCE" test -s "$WORK/gap"
    cat "$WORK/gap"
    rm "$WORK/gap"
}

inline_topology
site
pack 1 "$WORK/needle.rules"
spawn server "$WORK/echo.log" python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.20.0.1", 7))
while True:
    s.sendto(*s.recvfrom(64))'
spawn client "$WORK/echo.log" python3 -c '
import os, select, signal, socket, sys, time
worst, last = 0, time.monotonic()
def tell(*_):
    global worst
    now = max(worst, time.monotonic() - last)
    worst = 0
    with open(sys.argv[1] + ".new", "w") as f:
        f.write("%.0f" % (now * 1000))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
signal.signal(signal.SIGUSR1, tell)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("10.20.0.1", 7))
while True:
    try:
        s.send(b"x")
    except OSError:
        pass
    time.sleep(0.001)
    while select.select([s], [], [], 0)[0]:
        try:
            s.recv(64)
        except OSError:
            break
        worst, last = max(worst, time.monotonic() - last), time.monotonic()' "$WORK/gap"
echo_client=$SPAWNED

check 'the daemon starts' control_start
check 'a bundle is accepted' wg rules load "$WORK/1.wgb"
is 'an interface that is not there is refused' "$("$BUILD/wireglass-guardian" p0 p9 -- true 2>/dev/null; echo $?)" 2
spawn - "$WORK/guardian.log" "$BUILD/wireglass-guardian" --hang 3 p0 p1 -- "$BUILD/wireglass-dataplane" \
    --socket "$DP_SOCKET" --mode inline --port af_packet:p0 --port af_packet:p1
guardian=$SPAWNED
check 'the dataplane is ready' wait_for "$PATIENCE" grep -q 'the dataplane forwards' "$WORK/guardian.log"
check 'it is given the rules' wait_for "$PATIENCE" status_is .rules.live true
check 'the kernel does not forward' not_bypassed
check 'a page' get http://10.20.0.1/needle.html
check 'is a hit' wait_for "$PATIENCE" hits_are 1

for signal in KILL STOP; do
    gap >/dev/null
    old=$(dataplane_pid)
    : >"$WORK/guardian.log"
    kill -$signal "$old"
    check "$signal: the kernel forwards" wait_for "$PATIENCE" grep -q 'the kernel forwards' "$WORK/guardian.log"
    check "$signal: a page comes all the same" get http://10.20.0.1/needle.html
    check "$signal: whole" cmp "$WORK/answer" "$WORK/www/needle.html"
    check "$signal: another dataplane is ready" wait_for "$PATIENCE" grep -q 'the dataplane forwards' "$WORK/guardian.log"
    check "$signal: the old one is gone" not_running "$old"
    check "$signal: it is given the rules" wait_for "$PATIENCE" status_is .rules.live true
    check "$signal: the kernel does not forward any more" not_bypassed
    echo "# $signal: nothing was forwarded for $(gap) ms"
    before=$(hit_count)
    check "$signal: a page" get http://10.20.0.1/needle.html
    check "$signal: is a hit" wait_for "$PATIENCE" hits_are $((before + 1))
done

check 'the guardian stops' stop "$guardian"
check 'the dataplane with it' wait_for "$PATIENCE" no_dataplane
check 'the kernel goes on forwarding' bypassed
check 'a page' get http://10.20.0.1/needle.html
check 'the daemon stops cleanly' stop "$CONTROL"
finish
