#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Numbers for Prometheus: off unless configured, only for this machine, well-formed, and the same as `wireglass show` has.
# Topology: none; the dataplane plays a capture.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need curl jq ss python3

# configured VALUE : the configuration file with metrics there
configured() {
    printf 'metrics = "%s";\n' "$1" >"$WORK/control.cfg"
}

# scrape CURL-ARGUMENTS... : the page in $WORK/page, what curl says of it in $WORK/page.http
scrape() {
    curl -sS --max-time "$PATIENCE" -o "$WORK/page" -w '%{http_code} %{content_type}' "$@" >"$WORK/page.http"
}

# value NAME : of the only sample of a metric
value() {
    awk -v name="wireglass_$1" '$1 == name { print $2 }' "$WORK/page"
}

# sum NAME : over its labels
sum() {
    awk -v name="wireglass_$1{" 'index($1, name) == 1 { n += $2 } END { printf "%d\n", n }' "$WORK/page"
}

# code CURL-ARGUMENTS... : what the server answers
code() {
    curl -sS --max-time "$PATIENCE" -o /dev/null -w '%{http_code}' "$@"
}

listeners() {
    ss -tlH | grep -c .
}

URL=http://127.0.0.1:9464/metrics
printf '%s\n' 'alert http any any -> any any (msg:"all"; flow:to_client; http.stat_code; content:"2"; sid:1;)' >"$WORK/all.rules"
pack 7 "$WORK/all.rules"
check 'a daemon without metrics' control_start
is 'listens nowhere' "$(listeners)" 0
check 'it stops' stop "$CONTROL"

# --- where it may be served
for wrong in 0.0.0.0:9464 192.0.2.1:9464 [2001:db8::1]:9464 localhost:9464 127.0.0.1 127.0.0.1:0 run/metrics; do
    configured "$wrong"
    "$BUILD/wireglassd" --config "$WORK/control.cfg" --key "$WORK/publisher.pub" --check >"$WORK/refusal" 2>&1
    is "$wrong is refused" "$? $(grep -c "control.cfg.*\"$(printf '%s' "$wrong" | sed 's/[][]/\\&/g')\" is neither" "$WORK/refusal")" '2 1'
done

# --- over TCP, with everything there is
configured 127.0.0.1:9464
check 'the dataplane starts' dataplane_start --wait-rules --workers 2 --port "pcap:$SOURCE/tests/demo/demo.pcap,rounds=3"
check 'the daemon starts' control_start --config "$WORK/control.cfg"
is 'it listens in one place' "$(listeners)" 1
check 'a bundle is loaded' wg rules load "$WORK/7.wgb"
check 'the capture is over' wait_for "$PATIENCE" status_is .dataplane.finished true
check 'it has given up what it does not need, all the same' \
    status_is '.sandbox.control | .no_capabilities and .no_new_privs and .seccomp' true
check 'a page' scrape "$URL"
is 'is served as Prometheus wants it' "$(cat "$WORK/page.http")" '200 text/plain; version=0.0.4; charset=utf-8'
check 'it is well-formed' python3 "$SOURCE/tests/e2e/metrics_check.py" "$WORK/page"
if command -v promtool >/dev/null; then
    check 'promtool finds nothing' promtool check metrics <"$WORK/page"
    is 'nothing at all' "$(cat "$WORK/check.out")" ''
else
    ok 'promtool finds nothing # SKIP promtool is not installed (Debian: prometheus)'
fi
wg --json show stats | jq -r '.counters | to_entries[] | "\(.key | gsub("\\."; "_")) \(.value)"' | sort >"$WORK/stats"
sed -n 's/^wireglass_\([a-z0-9_]*\) \([0-9]*\)$/\1 \2/p' "$WORK/page" | sed 's/_total / /' | sort >"$WORK/values"
is 'every counter has the value that show stats has' "$(comm -23 "$WORK/stats" "$WORK/values")" ''
at_least 'and there are counters' "$(wc -l <"$WORK/stats")" 100
is 'coverage adds up' "$(sum coverage_bytes) $(sum coverage_flows)" \
    "$(value capture_bytes_total) $(value flow_created_total)"
is 'workers add up' "$(sum worker_packets_total)" "$(value capture_packets_total)"
is 'the bundle' "$(value rule_bundle_live) $(value rule_bundle_serial) $(value rules)" '1 7 1'
is 'its name' "$(grep -c '^wireglass_rule_bundle_info{bundle="e2e"} 1$' "$WORK/page")" 1
is 'hits' "$(value hits_stored) $(value hits_reported_total)" "$(hit_count) $(hit_count)"
at_least 'of which there are some' "$(value hits_stored)" 1
is 'the dataplane' "$(value dataplane_connected) $(value workers)" '1 2'

# --- what else is asked for
is 'another page' "$(code http://127.0.0.1:9464/)" 404
is 'another method' "$(code -X POST -d x "$URL")" 405
is 'the head alone' "$(code -I "$URL")" 200
is 'no HTTP' "$(printf 'no http\r\n\r\n' | timeout "$PATIENCE" curl -s --max-time "$PATIENCE" telnet://127.0.0.1:9464 | head -c 12)" 'HTTP/1.1 400'
exec 5<>/dev/tcp/127.0.0.1/9464
check 'somebody who says nothing stops nobody' scrape "$URL"
exec 5>&-
check 'the dataplane stops' stop "$DATAPLANE"
check 'it is missed' wait_for "$PATIENCE" status_is .dataplane.connected false
check 'a page without it' scrape "$URL"
is 'says so, and what it said last' "$(value dataplane_connected) $(value capture_packets_total)" \
    "0 $(sed -n 's/^capture_packets //p' "$WORK/stats")"
spawn - "$WORK/second.log" "$BUILD/wireglassd" --config "$WORK/control.cfg" --state "$WORK/second" --socket "$WORK/second.sock" \
    --dataplane "$DP_SOCKET" --key "$WORK/publisher.pub"
second=$SPAWNED
check 'another one that cannot listen there' wait_for "$PATIENCE" answers "$WORK/second.sock" "$second"
check 'says so and goes on' wait_for "$PATIENCE" grep -q '127.0.0.1:9464: cannot serve metrics there: Address already in use' "$WORK/second.log"
kill "$second"
wait "$second"
check 'the daemon stops' stop "$CONTROL"

# --- over a unix socket
configured "$WORK/metrics.sock"
check 'a daemon with a unix socket' control_start --config "$WORK/control.cfg"
is 'its permissions' "$(stat -c %a "$WORK/metrics.sock")" 660
check 'a page' scrape --unix-socket "$WORK/metrics.sock" http://localhost/metrics
is 'it knows the bundle' "$(value rule_bundle_serial)" 7
kill -KILL "$CONTROL"
wait "$CONTROL" 2>/dev/null
check 'killed, it starts again' control_start --config "$WORK/control.cfg"
check 'and takes its socket back' scrape --unix-socket "$WORK/metrics.sock" http://localhost/metrics
check 'it stops' stop "$CONTROL"
check 'the socket is gone' test ! -e "$WORK/metrics.sock"
finish
