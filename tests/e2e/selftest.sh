#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `wireglass selftest privacy`: it passes, it has looked everywhere, and it finds what other programs in the place of the real
# ones leave behind: a capture, a log line, a core file.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need jq base64

mkdir "$WORK/bin"
cp "$BUILD/wireglass" "$WORK/bin/"
ln -s "$BUILD/wireglassd" "$WORK/bin/wireglassd"

# planted SHELL-TEXT : beside a dataplane that first does this; $folder is the test's, $capture what is sent
planted() {
    cat >"$WORK/bin/wireglass-dataplane" <<DATAPLANE
#!/bin/bash
for argument; do
    case \$argument in
    pcap:*) capture=\${argument#pcap:} ;;
    */dataplane.sock) folder=\${argument%/*} ;;
    esac
done
$1
exec "$BUILD/wireglass-dataplane" "\$@"
DATAPLANE
    chmod +x "$WORK/bin/wireglass-dataplane"
    "$WORK/bin/wireglass" --json selftest privacy >"$WORK/out" 2>>"$WORK/selftest.log"
    echo $? >"$WORK/code"
}

# says NAME FILTER : about what was printed
says() {
    check "$1" jq -e "$2" "$WORK/out"
}

check 'it passes' "$BUILD/wireglass" --json selftest privacy
grep '^{' "$WORK/check.out" >"$WORK/out"
says 'nothing was found' '.passed and .leaks == [] and .unseen == [] and (.parts | length == 14)'
says 'it has looked into files, sockets, answers and what the programs say to each other' '[.places[].place] |
    contains(["eve.json", "state/hits.db", "state/hits.db-wal", "state/audit.jsonl", "wireglassd.log",
    "wireglass-dataplane.log", "EVE socket", "syslog socket", "between wireglassd and the dataplane"]) and
    (map(select(startswith("answer to"))) | length == 9)'
says 'both have crashed, without a core' '[.cores[] | .core] == [false, false]'
says 'every rule has hit' '.hits >= 10'
check 'for people' "$BUILD/wireglass" selftest privacy
is 'it says so' "$(tail -n 1 "$WORK/check.out")" 'Nothing of them was found.'
is 'nothing is left' "$(ls -d "$WORK"/wireglass-?????? /dev/shm/wireglass-* 2>/dev/null)" ''

# shellcheck disable=SC2016
planted 'cp "$capture" "$folder/left"'
is 'a file that was left: refused' "$(<"$WORK/code")" 1
says 'which one' '(.passed | not) and ([.leaks[] | select(.place == "left" and .form == "as it is")] | length == 1)'
# shellcheck disable=SC2016
planted 'base64 "$capture" >&2'
is 'a log: refused' "$(<"$WORK/code")" 1
says 'which one, and how it is written there' \
    '[.leaks[] | select(.place == "wireglass-dataplane.log" and .form == "base64")] | length == 1'
# shellcheck disable=SC2016
planted 'grep -ao "WG-SELFTEST [0-9A-Za-z]*" "$capture" | head -n 1 | cut -c 16-24 >"$folder/some"'
is 'nine bytes of it: refused' "$(<"$WORK/code")" 1
if [ "$(ulimit -Hc)" = 0 ]; then
    ok 'a core file # SKIP none is allowed here'
else
    planted "\"$BUILD/wireglass-dataplane\" \"\$@\" & exec sleep 1000"
    is 'a core file: refused' "$(<"$WORK/code")" 1
    says 'whose' '[.cores[] | select(.core) | .program] == ["wireglass-dataplane"]'
fi
"$WORK/bin/wireglass" selftest piracy 2>"$WORK/err"
is 'another test: usage' "$?" 2
is 'it suggests' "$(grep -c 'did you mean "privacy"' "$WORK/err")" 1
finish
