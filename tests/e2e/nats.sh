#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Hits go to a stream of a real nats-server, by TLS and with a password, each once: the server is away, has no such stream,
# is killed and comes back, and so does wireglassd. What show status says meanwhile.
# Topology: inline_topology in lib.sh
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nats-server nginx curl openssl jq ss python3 sqlite3
NATS_URL=nats://sensor:e2e-password@localhost:4222
# shellcheck disable=SC2034 # for stream()
NATS_CA=$WORK/nats.crt
SINK='.sinks[] | select(.name == "nats")'

nats_up() {
    nats_start --user sensor --pass e2e-password --tls --tlscert "$WORK/nats.crt" --tlskey "$WORK/nats.key"
}

# says TEXT : the problem that show status has with the sink
says() {
    status "$SINK | .problem" | grep -qF "$1"
}

# pages N : so many more hits
hits=0
pages() {
    hits=$((hits + $1))
    in_ns client curl -sS --max-time "$PATIENCE" -o /dev/null "http://10.20.0.1/needle.html?[1-$1]"
}

stored() {
    wait_for "$PATIENCE" hits_are "$hits"
}

# in_stream : each hit is in the stream, once, in the order of the store
in_stream() {
    stored && wait_for "$PATIENCE" status_is "$SINK | .pending" 0 && stream read WIREGLASS >"$WORK/messages" &&
        [ "$(cut -d' ' -f2 "$WORK/messages")" = "$(seq "$hits")" ] &&
        [ "$(cut -d' ' -f1 "$WORK/messages" | sort -u | wc -l)" = "$hits" ]
}

# killed WHO PID COMMAND : while hits come, and the command brings it back
killed() {
    local loader
    pages 60 &
    loader=$!
    hits=$((hits + 60))
    sleep "0.0$round"
    kill -KILL "$2"
    wait "$2" 2>/dev/null
    wait "$loader"
    check "the $1 was killed and is back ($round)" "$3"
    check 'nothing is lost, nothing twice' in_stream
}

control_up() {
    control_start --config "$WORK/control.cfg"
}

inline_topology
site
pack 1 "$WORK/needle.rules"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$WORK/nats.key" -out "$WORK/nats.crt" 2>"$WORK/openssl.log"
cat >"$WORK/control.cfg" <<CFG
nats = { servers = [ "$NATS_URL" ]; ca = "$WORK/nats.crt"; };
CFG
check 'the dataplane starts' dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
echo "nats = { servers = [ \"$NATS_URL\" ]; credentials = \"$WORK/none.creds\"; };" >"$WORK/bad.cfg"
check 'the daemon starts without a file that it should read' control_start --config "$WORK/bad.cfg"
check 'it says which' wait_for "$PATIENCE" says "nats.credentials: $WORK/none.creds: No such file or directory"
check 'it stops' stop "$CONTROL"
check 'the daemon starts without a server' control_up
check 'the bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true
check 'a server that is away is a problem before there are hits' wait_for "$PATIENCE" says 'no server can be used'
check 'pages' pages 20
check 'their hits are stored' stored
is 'they wait' "$(status "$SINK | .pending")" 20

check 'a server without streams starts' nats_up
check 'what is missing, and how to make it' wait_for "$PATIENCE" \
    says 'there is no such stream: nats stream add WIREGLASS --subjects wireglass.hits'
check 'a stream of another subject' stream make WIREGLASS other 1
check 'it does not take ours' wait_for "$PATIENCE" says 'no stream takes the subject'
check 'now it does' stream change WIREGLASS wireglass.hits 1
check 'what waited is in it' in_stream
check 'no problem is left' status_is "$SINK | .problem" ''
check 'no line of status has the password' bash -c '! grep -q e2e-password' <<<"$(wg --json show status)"
for field in 'Seccomp 2' 'NoNewPrivs 1' 'CapEff 0000000000000000'; do
    is "every thread has given up the same: $field" "$(threads "$CONTROL" "${field% *}")" "${field#* }"
done

for round in 1 2 3; do
    killed server "$NATS" nats_up
    killed daemon "$CONTROL" control_up
done

# The stream remembers what it has for a second; the position is lost and the daemon away for longer.
check 'the daemon stops cleanly' stop "$CONTROL"
sqlite3 "$WORK/state/hits.db" "UPDATE sinks SET cursor = 5 WHERE name = 'nats'"
sleep 2
check 'it starts with an old position' control_up
check 'a page' pages 1
check 'the stream knew better' in_stream
check 'the daemon stops cleanly again' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"
finish
