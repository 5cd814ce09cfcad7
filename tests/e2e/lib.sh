# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: BSD-2-Clause
# For the end-to-end tests: throw-away namespaces, real nginx and curl, bounded waiting, TAP-like results.
#
# e2e_enter re-executes the script in mount, network and process namespaces of its own, with an empty /run: links,
# sockets, files below $WORK and every process are gone when it ends, however it ends. Nothing of the host is touched.
set -u

SOURCE=${WIREGLASS_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${WIREGLASS_BUILD:-$SOURCE/build}
# Two cores and sanitizers are slow: waits are generous, and they end as soon as what they wait for is there.
PATIENCE=${WIREGLASS_PATIENCE:-30}
# In a sanitized build a finding ends the program, and so the test.
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}

case_number=0
case_failures=0

# --- results -------------------------------------------------------------------------------------------------------

ok() {
    case_number=$((case_number + 1))
    printf 'ok %d - %s\n' "$case_number" "$1"
}

# not_ok NAME [DETAIL...]
not_ok() {
    case_number=$((case_number + 1))
    case_failures=$((case_failures + 1))
    printf 'not ok %d - %s\n' "$case_number" "$1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$*" | sed 's/^/# /'
}

# check NAME COMMAND... : one step, ok if the command succeeds; its output is shown if not. The command runs in this
# shell, so that it may start processes, wait for them and set variables.
check() {
    local name=$1
    shift
    if "$@" >"$WORK/check.out" 2>&1; then
        ok "$name"
    else
        not_ok "$name" "$(printf '%s: ' "$*" && tail -n 15 "$WORK/check.out")"
    fi
}

# is NAME HAVE WANT
is() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1" "got '$2', expected '$3'"
    fi
}

# at_least NAME HAVE MINIMUM
at_least() {
    if [ "$2" -ge "$3" ] 2>/dev/null; then
        ok "$1"
    else
        not_ok "$1" "got '$2', expected $3 or more"
    fi
}

skip_all() {
    printf 'ok 1 - %s # SKIP %s\n' "$(basename "$0" .sh)" "$1"
    exit 77
}

# What a test could not set up is a failure, not a skip.
bail() {
    not_ok "$1"
    show_logs
    printf '1..%d\n' "$case_number"
    exit 1
}

finish() {
    [ "$case_failures" -eq 0 ] || show_logs
    printf '1..%d\n' "$case_number"
    [ "$case_failures" -eq 0 ]
    exit
}

show_logs() {
    local log
    for log in "$WORK"/*.log; do
        [ -s "$log" ] || continue
        printf '# --- %s\n' "${log##*/}"
        tail -n 25 "$log" | sed 's/^/# /'
    done
}

# --- namespaces ----------------------------------------------------------------------------------------------------

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip_all "$tool is not installed: ./setup"
    done
}

# e2e_enter "$@" : first line of every script
e2e_enter() {
    if [ ! -x "$BUILD/wireglass" ] && [[ $0 == *tests/e2e/* ]]; then
        printf 'not ok 1 - %s is not built: ninja -C %s (WIREGLASS_BUILD names another directory)\n' "$BUILD" "$BUILD"
        exit 1
    fi
    if [ "${WIREGLASS_E2E_INSIDE:-}" != "$0" ]; then
        [ "$(id -u)" = 0 ] || skip_all 'needs root for namespaces'
        need unshare ip ethtool
        unshare --mount --net --pid true 2>/dev/null || skip_all 'this system refuses new namespaces'
        WIREGLASS_E2E_INSIDE=$0 exec unshare --mount --net --pid --fork --kill-child --mount-proc \
            bash "$0" "$@"
    fi
    mount -t tmpfs -o mode=755 tmpfs /run || exit 1
    WORK=/run/e2e
    mkdir -p "$WORK" /run/netns
    export WORK TMPDIR=$WORK
    unset XDG_RUNTIME_DIR RUNTIME_DIRECTORY
    ip link set lo up
}

# in_ns NAME COMMAND... ; '-' is the script's own namespace
in_ns() {
    local name=$1
    shift
    if [ "$name" = - ]; then
        "$@"
    else
        ip netns exec "$name" "$@"
    fi
}

# spawn NAME LOG COMMAND... : the same in the background; its pid is in $SPAWNED
spawn() {
    local name=$1 log=$2
    shift 2
    if [ "$name" = - ]; then
        "$@" >>"$log" 2>&1 &
    else
        ip netns exec "$name" "$@" >>"$log" 2>&1 &
    fi
    SPAWNED=$!
}

ns_add() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    in_ns "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
}

# link_add NS1 IF1 NS2 IF2 : a veth pair, MTU 1500, all offloads off, so that what is captured is what was on the wire
link_add() {
    ip link add "$2" type veth peer name "$4" || return 1
    [ "$1" = - ] || ip link set "$2" netns "$1"
    [ "$3" = - ] || ip link set "$4" netns "$3"
    link_up "$1" "$2"
    link_up "$3" "$4"
}

link_up() {
    in_ns "$1" ethtool -K "$2" tso off gso off gro off tx off rx off sg off txvlan off rxvlan off >/dev/null 2>&1
    in_ns "$1" ip link set "$2" mtu 1500 up
}

# port_up NS IF : an interface that belongs to the sensor: no address, no traffic of its own
port_up() {
    in_ns "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
    in_ns "$1" ip link set "$2" arp off promisc on up
}

# addr_add NS IF ADDRESS/LEN...
addr_add() {
    local ns=$1 interface=$2 address
    shift 2
    for address in "$@"; do
        in_ns "$ns" ip addr add "$address" dev "$interface"
    done
}

# --- waiting -------------------------------------------------------------------------------------------------------

# wait_for SECONDS COMMAND... : try until it succeeds; 1 when the time is over
wait_for() {
    local tries=$(($1 * 10))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# stop PID : ask it to end, wait, force it; its exit code
stop() {
    local pid=$1 adds_up=0
    [ "$pid" != "${CONTROL:-}" ] || ledger || adds_up=1
    kill -TERM "$pid" 2>/dev/null
    wait_for "$PATIENCE" not_running "$pid" || kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null && [ "$adds_up" -eq 0 ]
}

not_running() {
    ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"
}

# --- web server and traffic ----------------------------------------------------------------------------------------

# web_start NS CONFIG-TEXT : nginx with the given http {} content; files live in $WORK/www
web_start() {
    mkdir -p "$WORK/www" "$WORK/nginx"
    cat >"$WORK/nginx.conf" <<CONF
worker_processes 1;
pid $WORK/nginx.pid;
error_log $WORK/nginx.log;
$(cat /usr/share/nginx/modules-available/mod-http-echo.conf)
events { worker_connections 512; }
http {
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path $WORK/nginx/body;
    proxy_temp_path $WORK/nginx/proxy;
    fastcgi_temp_path $WORK/nginx/fastcgi;
    uwsgi_temp_path $WORK/nginx/uwsgi;
    scgi_temp_path $WORK/nginx/scgi;
    client_max_body_size 64m;
    keepalive_requests 100000;
    $2
}
CONF
    in_ns "$1" nginx -c "$WORK/nginx.conf" -e "$WORK/nginx.log" || return 1
    wait_for "$PATIENCE" test -s "$WORK/nginx.pid"
}

# certificate : a self-signed pair in $WORK/tls.{crt,key}
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=www.example.test \
        -keyout "$WORK/tls.key" -out "$WORK/tls.crt" 2>"$WORK/openssl.log"
}

# text_file PATH BYTES : words without any needle, the same each time
text_file() {
    awk -v bytes="$2" 'BEGIN {
        srand(bytes)
        n = split("the of and to in is that for it was on are as with his they at be this from have or by one had not", w, " ")
        while (length(s) < bytes)
            s = s w[int(rand() * n) + 1] (rand() < 0.1 ? ".\n" : " ")
        printf "%s", substr(s, 1, bytes)
    }' >"$1"
}

# dump_start NS IF FILE [FILTER...] : tcpdump that is running when this returns; its pid in $DUMP
dump_start() {
    local ns=$1 interface=$2 file=$3 log
    log=$WORK/tcpdump-$interface.err
    shift 3
    : >"$log"
    spawn "$ns" "$log" tcpdump -Z root -i "$interface" -s 0 -B 16384 -U --immediate-mode -w "$file" "$@"
    DUMP=$SPAWNED
    wait_for "$PATIENCE" grep -q 'listening on' "$log"
}

# dump_stop PID : end it after what is in flight is written
dump_stop() {
    sleep 0.5
    kill -TERM "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

# --- the programs --------------------------------------------------------------------------------------------------

DP_SOCKET=/run/e2e/dataplane.sock
CTL_SOCKET=/run/e2e/control.sock
EVE=/run/e2e/eve.json

wg() {
    "$BUILD/wireglass" --socket "$CTL_SOCKET" "$@"
}

# pack SERIAL FILE... : $WORK/SERIAL.wgb, signed with a key that is made at the first call
pack() {
    local serial=$1
    shift
    [ -e "$WORK/publisher.key" ] || wg keygen "$WORK/publisher" >>"$WORK/cli.log" 2>&1 || bail 'keygen'
    wg rules pack --id e2e --serial "$serial" --sign "$WORK/publisher.key" -o "$WORK/$serial.wgb" "$@" \
        >>"$WORK/cli.log" 2>&1 || bail "rules pack --serial $serial"
}

# dataplane_start ARGUMENTS... : its pid in $DATAPLANE
dataplane_start() {
    spawn - "$WORK/dataplane.log" "$BUILD/wireglass-dataplane" --socket "$DP_SOCKET" "$@"
    DATAPLANE=$SPAWNED
    wait_for "$PATIENCE" answers "$DP_SOCKET" "$DATAPLANE"
}

# control_start ARGUMENTS... : its pid in $CONTROL
control_start() {
    spawn - "$WORK/control.log" "$BUILD/wireglassd" --state "$WORK/state" --socket "$CTL_SOCKET" \
        --dataplane "$DP_SOCKET" --key "$WORK/publisher.pub" --eve "$EVE" "$@"
    CONTROL=$SPAWNED
    wait_for "$PATIENCE" wg show status
}

# nats_start ARGUMENTS... : a NATS server on 127.0.0.1:4222 with a store below $WORK; its pid in $NATS
nats_start() {
    spawn - "$WORK/nats.log" nats-server --addr 127.0.0.1 --port 4222 -js --store_dir "$WORK/nats" "$@"
    NATS=$SPAWNED
    wait_for "$PATIENCE" ss_listens 127.0.0.1:4222
}

# stream ARGUMENTS... : makes, changes or reads a stream of it, see nats_stream.py
NATS_URL=nats://127.0.0.1:4222
NATS_CA=
stream() {
    python3 "$SOURCE/tests/e2e/nats_stream.py" "$NATS_URL" "$NATS_CA" "$@"
}

ss_listens() {
    ss -tlnH src "$1" | grep -q .
}

# threads PID FIELD : its values in /proc, over all threads
threads() {
    cat /proc/"$1"/task/*/status | sed -n "s/^$2:[[:space:]]*//p" | sort -u | xargs
}

# answers SOCKET PID : is somebody listening there, and is it this living process?
answers() {
    kill -0 "$2" && ss -xlH src "unix:$1" 2>/dev/null | grep -q .
}

# ledger : does every byte and flow that the dataplane has seen stand in one row of `show coverage`, every frame in one counter of
# what it was, every flow and fragmented datagram in one of how it ended?
ledger() {
    local coverage stats
    coverage=$(wg --json show coverage 2>/dev/null) || return 0 # nobody is there to ask
    jq -e '.exact and .bytes_seen == ([.rows[].bytes] | add) and .flows_seen == ([.rows[].flows] | add) and
        ([.rows[].bytes] | min >= 0)' >/dev/null <<<"$coverage" ||
        { echo "the coverage ledger does not add up: $coverage" >&2 && return 1; }
    stats=$(wg --json show stats 2>/dev/null) || return 0
    jq -e '.counters | def sum($of; $names): . as $c | [$names | splits(" ") | $c["\($of).\(.)"]] | add;
        .["capture.packets"] == .["capture.steer_full"] + sum("decode"; "tcp truncated short not_ip vlan_depth tunnel_depth bad_ipv4 bad_ipv6 fragment not_tcp bad_tcp bad_checksum") and
        .["flow.created"] == sum("flow"; "active closed timeout evicted shutdown") and
        .["frag.datagrams"] == sum("frag"; "active reassembled timeout evicted source_full overlap bad_end too_long shutdown") and
        .["app.read_after_release"] == 0 and .["detect.scan_failed"] == 0' >/dev/null <<<"$stats" ||
        { echo "the counters do not add up: $stats" >&2 && return 1; }
}

# status FILTER : a value of `show status`
status() {
    wg --json show status 2>/dev/null | jq -r "$1"
}

# stat NAME : a counter of `show stats`
stat_of() {
    wg --json show stats 2>/dev/null | jq -r --arg name "$1" '.counters[$name]'
}

# hit_count [SID] : stored hits
hit_count() {
    wg --json hits list --limit 10000 ${1:+--sid "$1"} 2>/dev/null | jq '.hits | length'
}

# status_is FILTER VALUE, stat_is NAME VALUE, hits_are NUMBER [SID] : for wait_for
status_is() {
    [ "$(status "$1")" = "$2" ]
}

stat_is() {
    [ "$(stat_of "$1")" = "$2" ]
}

hits_are() {
    [ "$(hit_count "${@:2}")" = "$1" ]
}

# inline_topology : what enters p0 leaves p1 and the other way, through the dataplane and nothing else
#
#   client                 sensor (this namespace)                 server
#   [c0 10.20.0.2] ---- [p0]  wireglass-dataplane  [p1] ---- [s0 10.20.0.1]
inline_topology() {
    ns_add client
    ns_add server
    link_add client c0 - p0
    link_add server s0 - p1
    port_up - p0
    port_up - p1
    addr_add client c0 10.20.0.2/24
    addr_add server s0 10.20.0.1/24
}

# site : nginx in the server's namespace, /clean.html and /needle.html, the same over TLS
site() {
    certificate
    mkdir -p "$WORK/www"
    text_file "$WORK/www/clean.html" 6000
    { cat "$WORK/www/clean.html" && printf 'E2E-NEEDLE'; } >"$WORK/www/needle.html"
    web_start server "
        gzip on; gzip_min_length 256;
        server {
            listen 10.20.0.1:80; listen 10.20.0.1:443 ssl;
            ssl_certificate $WORK/tls.crt; ssl_certificate_key $WORK/tls.key;
            root $WORK/www;
            location = /upload { return 200 'stored'; }
        }" || bail 'nginx does not start'
    cat >"$WORK/needle.rules" <<'RULES'
alert http any any -> any any (msg:"needle in a page"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; sid:1;)
alert http any any -> any any (msg:"upload"; flow:to_server; http.request_body; content:"E2E-UPLOAD"; sid:2;)
alert http any any -> any any (msg:"path"; flow:to_server; http.uri; content:"/e2e-path"; startswith; sid:3;)
RULES
}

# get CURL-ARGUMENTS... : from the client's namespace; the answer in $WORK/answer
get() {
    in_ns client curl -sS --max-time "$PATIENCE" -o "$WORK/answer" "$@" 2>>"$WORK/curl.log"
}

# cases_of NAME LEAST COMMAND... : the lines of a command that begin with "ok" or "not ok" are cases, at least so many
cases_of() {
    "${@:3}" >"$WORK/cases.out" 2>&1
    while IFS= read -r line; do
        case $line in
        'ok '*) ok "${line#ok }" ;;
        'not ok '*) not_ok "${line#not ok }" ;;
        *) printf '# %s\n' "$line" ;;
        esac
    done <"$WORK/cases.out"
    at_least "$1: the script ran to its end" "$(grep -c 'ok ' "$WORK/cases.out")" "$2"
}

# frames_through NAME LEAST ARGUMENTS... : frames.py between e0 and e1 of the namespace ends
frames_through() {
    cases_of "$1" "$2" in_ns ends python3 "$SOURCE/tests/e2e/frames.py" e0 e1 "${@:3}"
}
