#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# From a signed bundle to a stored hit on live traffic, with the real programs, nginx and curl.
#
# First inline, the only way between client and server (see inline_topology in lib.sh), then in tap mode on a hub:
#
#   client                 this namespace                          server
#   [c0 10.20.0.2] ---- [p0] bridge that floods [p1] ---- [s0 10.20.0.1]
#                              [m0] ---- [m1] wireglass-dataplane --mode tap
#
# Beside each needle travels a canary, random bytes that no rule and no file but the page has. Rules hit on its shape, so it
# was on the wire and was scanned; at the end it must be in nothing that the programs wrote.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss

traffic() {
    get http://10.20.0.1/clean.html && get http://10.20.0.1/needle.html &&
        get --compressed http://10.20.0.1/needle.html && get 'http://10.20.0.1/e2e-path?x=1' &&
        get -d "a=1&b=E2E-UPLOAD&c=E2E-CANARY-$CANARY_UP" http://10.20.0.1/upload && get -k https://10.20.0.1/needle.html
}

# search FILE... : those with a canary in them; 1 if there is none
search() {
    grep -r -s -a -l -D skip -e "$CANARY_UP" -e "$CANARY_DOWN" "$@"
}

eve_count() {
    jq -s --argjson sid "$1" 'map(select(.event_type == "alert" and .alert.signature_id == $sid)) | length' "$EVE"
}

# steps MODE SERIAL RUN : everything after both programs run, in the RUN-th run of the traffic
steps() {
    check "$1: the bundle is accepted" wg rules load "$WORK/$2.wgb"
    check "$1: it is live" wait_for "$PATIENCE" status_is .rules.live true
    check "$1: curl gets every page" traffic
    check "$1: seven hits are stored" wait_for "$PATIENCE" hits_are $((7 * $3))
    is "$1: two of them in pages, one of these compressed" "$(hit_count 1)" $((2 * $3))
    is "$1: the canaries in the same pages and in the upload were seen" "$(hit_count 4) $(hit_count 5)" "$((2 * $3)) $3"
    is "$1: a hit says who asked whom for what" \
        "$(wg --json hits list --sid 3 | jq -r '.hits[-1] | "\(.client_ip) \(.server_ip):\(.server_port) \(.method) \(.url)"')" \
        '10.20.0.2 10.20.0.1:80 GET /e2e-path?x=1'
    is "$1: EVE has the alerts" "$(for sid in 1 2 3 4 5; do eve_count $sid; done | xargs)" \
        "$((2 * $3)) $3 $3 $((2 * $3)) $3"
    check "$1: every EVE line is JSON" jq -es 'length > 10' "$EVE"
    check "$1: the TLS connection was released" wait_for "$PATIENCE" stat_is app.tls 1
    is "$1: and not read afterwards" "$(stat_of app.read_after_release)" 0
    is "$1: no hit was lost" "$(status .hits.lost)" 0
}

inline_topology
site
CANARY_UP=$(openssl rand -hex 24) CANARY_DOWN=$(openssl rand -hex 24)
printf ' E2E-CANARY-%s ' "$CANARY_DOWN" >>"$WORK/www/needle.html"
cat >>"$WORK/needle.rules" <<'RULES'
alert http any any -> any any (msg:"canary down"; flow:to_client; http.response_body; content:"E2E-CANARY-"; pcre:"/E2E-CANARY-[0-9a-f]{48}/"; sid:4;)
alert http any any -> any any (msg:"canary up"; flow:to_server; http.request_body; content:"E2E-CANARY-"; pcre:"/E2E-CANARY-[0-9a-f]{48}/"; sid:5;)
RULES
pack 1 "$WORK/needle.rules"
pack 2 "$WORK/needle.rules"

is 'before the dataplane runs nothing passes' "$(get --max-time 1 http://10.20.0.1/clean.html && echo passed)" ''
check 'the daemon starts without a dataplane' control_start
is 'and says so' "$(status .dataplane.connected)" false
check 'the dataplane starts inline' dataplane_start --mode inline --port af_packet:p0 --port af_packet:p1
check 'the daemon finds it' wait_for "$PATIENCE" status_is .dataplane.connected true
in_ns client ip neigh flush all # what was asked before, and not answered, may fail at any time
steps inline 1 1
is 'inline: as many frames left as came' "$(stat_of forward.failed)" 0
check 'the dataplane stops cleanly' stop "$DATAPLANE"
check 'the daemon notices' wait_for "$PATIENCE" status_is .dataplane.connected false

# --- tap
ip link add m0 type veth peer name m1
ip link add br0 type bridge ageing_time 0
for port in p0 p1 m0; do
    ip link set "$port" master br0
    link_up - "$port"
done
link_up - m1
ip link set p0 arp on && ip link set p1 arp on
port_up - m1
ip link set br0 up
check 'tap: the way without us works' wait_for "$PATIENCE" get http://10.20.0.1/clean.html
check 'the dataplane starts as a tap' dataplane_start --mode tap --port af_packet:m1
check 'tap: the daemon offers it the rules it had' wait_for "$PATIENCE" status_is .rules.live true
steps tap 2 2
check 'the daemon stops cleanly' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"

# --- what is left of the payload: all files in /run but those of the web server and the one that curl received
check 'the search finds a canary where one is' search "$WORK/www/needle.html"
for file in "$WORK/state/hits.db" "$EVE" "$WORK/control.log" "$WORK/dataplane.log"; do
    check "${file##*/} was written" test -s "$file"
done
check 'the hits on the canaries are in the store' grep -r -a -q 'canary up' "$WORK/state"
is 'the canaries are in no file' "$(search --exclude-dir=www --exclude-dir=netns --exclude=answer /run)" ''
is 'no socket is left behind' "$(ls "$DP_SOCKET" "$CTL_SOCKET" 2>/dev/null)" ''
finish
