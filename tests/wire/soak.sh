#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# usage: soak.sh [SECONDS [RELOAD-EVERY]]     by hand: 600 seconds, a new rule set every 0.5 of them
#
# A web server behind an inline pair, wrk and curl in front of it, rule sets that change all the time. In the end: every answer was the
# one that was due, every frame arrived as it left, every matching transaction is one hit, and the books balance.
# Topology: inline_topology in tests/e2e/lib.sh. frame_sums counts at both ends of the path.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl jq ss wrk python3
seconds=${1:-600}
every=${2:-0.5}
connections=${WIREGLASS_CONNECTIONS:-6}

# Pages by curl, compressed and over TLS, until $WORK/enough exists: "GOOD BAD".
browse() {
    local good=0 bad=0
    while [ ! -e "$WORK/enough" ]; do
        if get --compressed "http://10.20.0.1/needle.html?curl-$((good + 1))" && cmp -s "$WORK/answer" "$WORK/www/needle.html"; then
            good=$((good + 1))
        else
            bad=$((bad + 1))
        fi
        get -k https://10.20.0.1/needle.html && cmp -s "$WORK/answer" "$WORK/www/needle.html" || bad=$((bad + 1))
        sleep 0.2
    done
    echo "$good $bad" >"$WORK/browsed"
}

# stored SID : hits of it in the database; twice : transactions that a rule hit more than once
stored() {
    database 'SELECT count(*) FROM hits WHERE sid = ?' "$1"
}

twice() {
    database 'SELECT count(*) FROM (SELECT 1 FROM hits GROUP BY flow_id, tx_id, sid HAVING count(*) > 1)'
}

# database QUERY ARGUMENT... : one number, of all partitions as one table
database() {
    python3 - "$WORK/state/hits.db" "$@" <<'PY'
import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
parts = [f"SELECT flow_id, tx_id, sid FROM hits_{int(n)}" for (n,) in db.execute("SELECT n FROM partitions")]
print(db.execute(f"WITH hits AS ({' UNION ALL '.join(parts)}) {sys.argv[2]}", sys.argv[3:]).fetchone()[0])
PY
}

# odd : the hits of pages that nobody has asked for, or one page twice, with all that is known of them
odd() {
    python3 - "$WORK/state/hits.db" "$(jq -c .needles_of "$WORK/load")" "$pages" <<'PY'
import collections, json, sqlite3, sys
asked = {f"/needle.html?{n + 1}-{i + 1}" for n, count in enumerate(json.loads(sys.argv[2])) for i in range(count)}
asked |= {f"/needle.html?curl-{i + 1}" for i in range(int(sys.argv[3]))}
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
db.row_factory = sqlite3.Row
hits = [dict(row) for (n,) in db.execute("SELECT n FROM partitions") for row in db.execute(f"SELECT * FROM hits_{int(n)} WHERE sid = 1")]
times = collections.Counter(hit["url"] for hit in hits)
for hit in hits:
    if hit["url"] and (hit["url"] not in asked or times[hit["url"]] > 1):
        print(hit)
missing = asked - set(times)
if len(missing) > sum(not hit["url"] for hit in hits):  # what is known of a transaction may get lost, the hit does not
    print(*missing, sep="\n")
PY
}

stored_is() {
    [ "$(stored "$1")" = "$2" ]
}

balanced() {
    [ "$(stat_of capture.packets)" = "$(stat_of forward.packets)" ]
}

# sums_start NS IFACE : its pid is added to $counting, its result is in $WORK/sums-IFACE when it ends
counting=
sums_start() {
    ip netns exec "$1" "$BUILD/tests/wire/frame_sums" "$2" >"$WORK/sums-$2" 2>"$WORK/sums-$2.log" &
    counting="$counting $!"
    wait_for "$PATIENCE" grep -q counting "$WORK/sums-$2.log"
}

sums() {
    jq -c "$2" "$WORK/sums-$1"
}

inline_topology
in_ns client sysctl -qw net.ipv6.conf.c0.disable_ipv6=1
in_ns server sysctl -qw net.ipv6.conf.s0.disable_ipv6=1
site
text_file "$WORK/www/big.html" 60000
text_file "$WORK/www/small.html" 300
mkdir "$WORK/www/e2e-path" && printf 'here' >"$WORK/www/e2e-path/x"
pack 1 "$WORK/needle.rules"
echo 'retention = { hits = 100000000; };' >"$WORK/control.cfg"
check 'the dataplane starts' dataplane_start --mode inline --events none --port af_packet:p0 --port af_packet:p1
check 'the daemon starts' control_start --config "$WORK/control.cfg"
check 'the first bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true
check 'frames are counted' eval 'sums_start client c0 && sums_start server s0'

browse &
browser=$!
reload "$every" &
reloader=$!
# shellcheck disable=SC2086
check "$seconds seconds of requests" in_ns client wrk -t "$connections" -c "$connections" -d $((seconds + 3)) \
    -s "$SOURCE/tests/wire/load.lua" http://10.20.0.1 -- "$seconds" "$WORK/www"
tail -n 1 "$WORK/check.out" >"$WORK/load"
touch "$WORK/enough"
wait $browser $reloader
read -r pages bad_pages <"$WORK/browsed"
read -r loaded not_loaded <"$WORK/reloaded"
sleep 1
# shellcheck disable=SC2086
kill -TERM $counting && wait $counting

is 'no answer of wrk was wrong' "$(jq .wrong "$WORK/load")" 0
is 'no connection of wrk broke' "$(jq .errors "$WORK/load")" 0
is 'nor one of curl' "$bad_pages" 0
is 'no rule set was refused' "$not_loaded" 0
at_least 'rule sets were loaded' "$loaded" 1
is 'all frames were counted' "$(sums c0 .unseen),$(sums s0 .unseen)" 0,0
is 'what the client sent is what the server received' "$(sums s0 .in)" "$(sums c0 .out)"
is 'what the server sent is what the client received' "$(sums c0 .in)" "$(sums s0 .out)"
expected=$(($(jq .needles "$WORK/load") + pages))
check "every page with the needle is a hit ($expected)" wait_for "$PATIENCE" stored_is 1 "$expected"
is 'and each hit is of another page' "$(odd)" ''
for sid in 2:uploads 3:paths; do
    expected=$(jq ".${sid#*:}" "$WORK/load")
    check "${sid#*:}: each is a hit ($expected)" wait_for "$PATIENCE" stored_is "${sid%:*}" "$expected"
done
total=$(($(stored 1) + $(stored 2) + $(stored 3)))
check 'no other hit' wait_for "$PATIENCE" stat_is detect.hits "$total"
is 'none lost' "$(stat_of detect.hits_lost)" 0
is 'none twice' "$(twice)" 0
check 'every frame that came in went out' wait_for "$PATIENCE" balanced
is 'none was refused by the other port' "$(stat_of forward.failed)" 0
is 'none was lost before us' "$(wg --json show ports | jq '[.ports[] | .rx_missed + .rx_nombuf + .tx_errors + (.kernel_drops // 0)] | add')" 0
is 'no message went by without rules' "$(stat_of detect.no_ruleset)" 0
check 'the books balance' ledger
printf '# %s requests (%s a second), %s frames and %s bytes through the pair, %s hits, %s rule sets\n' \
    "$(jq .requests "$WORK/load")" $(($(jq .requests "$WORK/load") / seconds)) "$(stat_of forward.packets)" \
    "$(stat_of forward.bytes)" "$total" "$loaded"
check 'the daemon stops cleanly' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"
finish
