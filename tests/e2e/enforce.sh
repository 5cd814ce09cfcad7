#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Rules that say drop or reject: alerts alone unless enforcing was asked for; then the flow they match ends there, and no
# other one is touched. Topology: inline_topology.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl ss jq tcpdump

inline_topology
site
text_file "$WORK/www/rejected.html" 200000
printf 'E2E-REJECT' >>"$WORK/www/rejected.html"
text_file "$WORK/www/rest" 200000
cat "$WORK/www/rest" >>"$WORK/www/rejected.html"
cat >"$WORK/enforce.rules" <<'RULES'
drop http any any -> any any (msg:"dropped"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; sid:1;)
reject http any any -> any any (msg:"rejected"; flow:to_client; http.response_body; content:"E2E-REJECT"; sid:2;)
RULES
pack 1 "$WORK/enforce.rules"
URL=http://10.20.0.1

# fetch SECONDS PATH : exit code of curl; the body in $WORK/answer
fetch() {
    in_ns client curl -s --max-time "$1" -o "$WORK/answer" "$URL$2" 2>>"$WORK/curl.log"
    echo $?
}

action_of() {
    jq -rs "map(select(.event_type == \"alert\" and .alert.signature_id == $1)) | last | .alert.action" "$EVE"
}

is 'in tap mode nothing can be stopped' \
    "$("$BUILD/wireglass-dataplane" --enforce --port af_packet:p0 2>&1 | grep -c 'enforce needs mode inline')" 1

# books_balance : frames that came are forwarded, could not be, or are stopped; the resets are ours
books_balance() {
    wg --json show stats 2>/dev/null | jq -e '.counters | .["capture.packets"] ==
        .["forward.packets"] + .["forward.failed"] + .["enforce.packets"] - .["enforce.resets"]' >/dev/null
}

check 'control starts' control_start
for mode in alert enforce; do
    option=()
    [ "$mode" = alert ] || option=(--enforce)
    check "$mode: the dataplane starts" dataplane_start --mode inline "${option[@]}" --workers 2 --port af_packet:p0 --port af_packet:p1
    [ -e "$WORK/loaded" ] || { wg rules load "$WORK/1.wgb" >>"$WORK/cli.log" 2>&1 && touch "$WORK/loaded"; }
    check "$mode: a rule set is live" wait_for "$PATIENCE" status_is .rules.live true
    is "$mode: a clean page comes" "$(fetch "$PATIENCE" /clean.html)" 0
    if [ "$mode" = alert ]; then
        is 'alert: what drop matches comes' "$(fetch "$PATIENCE" /needle.html)" 0
        check 'alert: whole' cmp "$WORK/answer" "$WORK/www/needle.html"
        is 'alert: what reject matches comes' "$(fetch "$PATIENCE" /rejected.html)" 0
        check 'alert: whole' cmp "$WORK/answer" "$WORK/www/rejected.html"
        check 'alert: both are hits' wait_for "$PATIENCE" hits_are 2
        is 'alert: the action of drop' "$(action_of 1)" allowed
        is 'alert: no flow is stopped' "$(stat_of enforce.flows)" 0
    else
        check 'enforce: the log says so' wait_for "$PATIENCE" grep -q 'enforcing: drop and reject' "$WORK/dataplane.log"
        is 'enforce: what drop matches is silence' "$(fetch 3 /needle.html)" 28
        # 56: reset while receiving
        is 'enforce: what reject matches is reset' "$(fetch "$PATIENCE" /rejected.html)" 56
        is 'enforce: nothing of the match arrived' "$(grep -c 'E2E-REJECT' "$WORK/answer")" 0
        check 'enforce: the server has no connection left of it' wait_for 5 \
            eval '[ "$(ip netns exec server ss -Htn state established sport = :80 | grep -c .)" -le 1 ]'
        is 'enforce: a clean page comes' "$(fetch "$PATIENCE" /clean.html)" 0
        check 'enforce: whole' cmp "$WORK/answer" "$WORK/www/clean.html"
        check 'enforce: both are hits' wait_for "$PATIENCE" hits_are 4
        is 'enforce: the action of drop' "$(action_of 1)" blocked
        is 'enforce: the action of reject' "$(action_of 2)" blocked
        check 'enforce: two flows are stopped' wait_for "$PATIENCE" stat_is enforce.flows 2
        at_least 'enforce: their frames are counted' "$(stat_of enforce.packets)" 2
        at_least 'enforce: both hosts were told' "$(stat_of enforce.resets)" 2
        is 'enforce: each' "$(stat_of enforce.not_reset)" 0
        # The hosts still talk about neighbours: all counters of one moment, and again while a frame is on its way.
        check 'every frame has an end' wait_for "$PATIENCE" books_balance
    fi
    check "$mode: the dataplane stops" stop "$DATAPLANE"
done
finish
