#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `wireglass demo`, as an ordinary user: all hits of the recorded capture arrive through the real programs, and nothing
# is left behind, neither processes nor files, also when it is interrupted.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need jq setpriv pgrep

# The user may be unable to read the build directory (a checkout below /root): then the demo runs as root.
user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
"${user[@]}" test -x "$BUILD/wireglass" -a -r "$SOURCE/tests/demo/demo.pcap" || user=()
temporary=$WORK/tmp
mkdir -m 1777 "$temporary"

demo() {
    TMPDIR=$temporary "${user[@]}" "$BUILD/wireglass" demo --data "$SOURCE" "$@"
}

# In a process namespace of our own these are all there are.
leftovers() {
    pgrep -x 'wireglass.*'
    ls -A "$temporary"
}

left_nothing() {
    [ -z "$(leftovers)" ]
}

at_work() {
    pgrep -x wireglassd
}

check 'the demo succeeds' demo --json
cp "$WORK/check.out" "$WORK/demo.out"
grep '^{' "$WORK/demo.out" >"$WORK/demo.json"
want=$(jq -c '.alerts' "$SOURCE/tests/demo/expected.json")
is 'it finds what tests/demo/expected.json says' \
    "$(jq -cS '[.hits[].sid | tostring] | group_by(.) | map({(.[0]): length}) | add' "$WORK/demo.json")" "$(jq -cS . <<<"$want")"
is 'nothing is left' "$(leftovers)" ''

demo >"$WORK/demo.out" 2>"$WORK/demo.log"
is 'for people: one line for each hit' "$(grep -c ' DEMO ' "$WORK/demo.out")" "$(jq add <<<"$want")"
is 'it says what was left alone' "$(grep -c '1 TLS' "$WORK/demo.out")" 1

# The shell starts background jobs with SIGINT ignored; SIGTERM is the other way to stop it.
TMPDIR=$temporary "${user[@]}" "$BUILD/wireglass" demo --data "$SOURCE" >"$WORK/demo.out" 2>&1 &
running=$!
check 'a second run is at work' wait_for "$PATIENCE" at_work
kill -TERM "$running"
wait "$running" 2>/dev/null
is 'interrupted, it does not claim success' "$([ $? -ne 0 ] && echo failed)" failed
check 'interrupted, nothing is left either' wait_for "$PATIENCE" left_nothing

is 'without a capture it says so' "$(demo --pcap /none.pcap 2>&1 >/dev/null | grep -c '/none.pcap')" 1
is 'and leaves nothing' "$(leftovers)" ''
finish
