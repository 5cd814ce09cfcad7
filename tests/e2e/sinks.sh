#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sockets that take hits, one of EVE lines and one of syslog: those who listen there are killed and come back, with hits in
# between and without. Each hit arrives, though wireglassd has given up what it can (sandbox.sh).
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss python3

# listen KIND SOCKET : its lines go to SOCKET.lines; its pid is in $LISTENER
listen() {
    rm -f "$2"
    spawn - "$WORK/listen.log" python3 "$SOURCE/tests/e2e/socket_lines.py" "$1" "$2" "$2.lines"
    LISTENER=$SPAWNED
    wait_for "$PATIENCE" test -S "$2"
}

both_listen() {
    listen stream "$WORK/eve.sock" && eve=$LISTENER && listen dgram "$WORK/log.sock" && log=$LISTENER
}

both_die() {
    kill -KILL "$eve" "$log"
    wait "$eve" "$log" 2>/dev/null
    return 0
}

# ids FILE : of the hits in it, one line each
ids() {
    sed 's/^.* @cee: //' "$1" | jq '.wireglass.id' | sort -nu
}

# arrived N : hits 1 to N are in both
arrived() {
    [ "$(ids "$WORK/eve.sock.lines")" = "$(seq "$1")" ] && [ "$(ids "$WORK/log.sock.lines")" = "$(seq "$1")" ]
}

pages() {
    get "http://10.20.0.1/needle.html?[1-$1]"
}

waiting() {
    [ "$(status '[.sinks[] | select(.name != "eve-file") | .pending] | unique | join(" ")')" = "$1" ]
}

inline_topology
site
pack 1 "$WORK/needle.rules"
cat >"$WORK/control.cfg" <<CFG
eve = { socket = "$WORK/eve.sock"; };
syslog = "$WORK/log.sock";
CFG
check 'somebody listens' both_listen
check 'the dataplane starts' dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
check 'the daemon starts' control_start --config "$WORK/control.cfg"
check 'the bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true
check 'pages' pages 5
check 'their hits arrive' wait_for "$PATIENCE" arrived 5
is 'system calls are filtered' "$(threads "$CONTROL" Seccomp)" 2

check 'both are killed' both_die
check 'pages meanwhile' pages 5
check 'their hits wait' wait_for "$PATIENCE" waiting 5
is 'status says so' "$(status '[.sinks[] | select(.problem != "")] | length')" 2
check 'both are back' both_listen
check 'the hits arrive' wait_for "$PATIENCE" arrived 10
check 'none waits' wait_for "$PATIENCE" waiting 0

check 'both are killed again' both_die
check 'and are back before there is a hit' both_listen
check 'more pages' pages 5
check 'their hits arrive, too' wait_for "$PATIENCE" arrived 15
is 'no problem is left' "$(status '[.sinks[] | select(.problem != "")] | length')" 0
check 'the daemon stops cleanly' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"
both_die
finish
