#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The wireglass command: every sub-command, its help, its exit codes, its JSON, and what it says when something is wrong.
# Topology: none; the dataplane reads the demo capture.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need jq ss minisign

PCAP=$SOURCE/tests/demo/demo.pcap
RULES=$SOURCE/rules/examples/demo.rules
cd "$WORK" || exit 1

# exits NAME CODE COMMAND... : ends with the code; output in $WORK/out and $WORK/err
exits() {
    local name=$1 code=$2 got
    shift 2
    "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
    got=$?
    if [ "$got" = "$code" ]; then
        ok "$name"
    else
        not_ok "$name" "exit code $got instead of $code; $(tail -n 5 "$WORK/out" "$WORK/err")"
    fi
}

# says NAME TEXT : in the error output of the command before
says() {
    if grep -qF -- "$2" "$WORK/err"; then
        ok "$1"
    else
        not_ok "$1" "no '$2' in: $(cat "$WORK/err")"
    fi
}

# prints NAME JQ-FILTER : is true for the output of the command before
prints() {
    check "$1" jq -e "$2" "$WORK/out"
}

# has_lines FILE NUMBER : for wait_for
has_lines() {
    [ "$(wc -l <"$1")" -ge "$2" ]
}

# --- help
for command in show hits rules audit check doctor keygen replay bench demo; do
    exits "help $command" 0 wg help $command
    at_least "help $command has a synopsis" "$(grep -c '^usage: wireglass' "$WORK/out")" 1
    exits "$command --help is the same" 0 wg $command --help
done
exits 'version' 0 wg --version
exits 'no command' 2 wg
exits 'misspelt command' 2 wg ruels
says 'misspelt command: a suggestion' 'did you mean "rules"?'
exits 'misspelt sub-command' 2 wg show statsu
says 'misspelt sub-command: a suggestion' 'did you mean'
exits 'no daemon' 3 wg show status
says 'no daemon: which socket' "$CTL_SOCKET"

# --- rules, without a daemon
exits 'rules check' 0 wg rules check "$RULES"
exits 'rules check --json' 0 wg --json rules check "$RULES"
prints 'rules check counts' '.total == 10 and .loaded == 10 and .refused == [] and .skipped == {}'
prints 'rules check: databases with their speed' \
    '.databases | length > 3 and all(.patterns > 0 and .bytes > 0 and .gbps > 0 and (.buffer | length > 0))'
prints 'rules check: expensive rules, at most ten, dearest first' \
    '.expensive | length == 10 and ([.[].percent] | . == (sort | reverse)) and all(.sid > 0 and (.mend | length > 0))'
prints 'rules check: it says how long it took' '.seconds > 0'
exits 'rules check as text' 0 wg rules check "$RULES"
at_least 'rules check as text: tables' "$(grep -cE '^database|^ *[0-9.]+ %  sid' "$WORK/out")" 11
exits 'rules check without a file' 2 wg rules check
exits 'rules check: unknown option' 2 wg rules check --frob "$RULES"
exits 'rules check: bad variable' 2 wg rules check --var HOME_NET "$RULES"
printf 'alert http any any -> any any (msg:"x"; http.urii; content:"a"; sid:1;)\n' >bad.rules
exits 'nothing loadable' 1 wg rules check bad.rules
cat bad.rules "$RULES" >mixed.rules
printf 'alert dns any any -> any any (sid:9;)\n' >skipped.rules
exits 'skipped rules are no error' 0 wg --json rules check skipped.rules
printf 'alert dns any any -> any any (sid:9;)\nalert tls any any -> any any (sid:8;)\n' >>mixed.rules
exits 'some refused' 1 wg --json rules check mixed.rules
prints 'the refusal has file, line, column, sid, keyword and reason' \
    '(.refused | length == 1) and (.refused[0] | .file == "mixed.rules" and .line == 1 and .column > 30 and
        .sid == 1 and .keyword == "http.urii" and (.reason | contains("did you mean http.uri")))'
prints 'skipped rules are counted by protocol' '.skipped == {"dns": 1, "tls": 1} and .total == 13 and .loaded == 10'
echo 'drop http any any -> any any (http.uri; content:"/dropped"; sid:7;)' >drop.rules
exits 'a rule that would drop' 0 wg --json rules check drop.rules
prints 'is said to alert only' '.alert_only == 1'
exits 'the cache is filled' 1 wg --json rules check --cache cached mixed.rules
prints 'the first time it is compiled' '.cached == false'
exits 'the cache is used' 1 wg --json rules check --cache cached mixed.rules
prints 'the second time it is not, and says the same' \
    '.cached and .loaded == 10 and .refused[0].keyword == "http.urii" and .skipped == {"dns": 1, "tls": 1}'
exits 'replay from the cache' 0 wg replay --rules "$RULES" --cache cached --quiet "$PCAP"
cp out uncached
exits 'replay from the cache again' 0 wg replay --rules "$RULES" --cache cached --quiet "$PCAP"
check 'replay from the cache gives the same' cmp out uncached
chmod 777 cached
exits 'a cache that others can write is not used' 1 wg replay --rules "$RULES" --cache cached --quiet "$PCAP"
says 'a cache that others can write: why' 'nobody else may write'
exits 'rules check on a capture' 0 wg --json rules check --profile "$PCAP" "$RULES"
prints 'rules check on a capture: its messages are measured' \
    '.sample.bytes > 50000 and .expensive[0].messages == 32 and .expensive[0].woken > 0 and .databases[0].sample_bytes > 0'
exits 'rules check on a capture that is none' 1 wg rules check --profile "$RULES" "$RULES"
says 'rules check on a capture that is none: its name' "$RULES"
SID=$(grep -o 'sid:[0-9]*' "$RULES" | head -n 1 | cut -d: -f2)
exits 'rules explain' 0 wg rules explain "$SID" "$RULES"
at_least 'rules explain: sentences' "$(grep -cE '^(Rule|It is about|It wakes|On the sample)' "$WORK/out")" 4
exits 'rules explain --json' 0 wg --json rules explain "$SID" "$RULES"
prints 'rules explain --json: text and cost' ".sid == $SID and (.text | length > 100) and .cost.messages > 0"
exits 'rules explain: no such rule' 1 wg rules explain 4294967295 "$RULES"
exits 'rules explain: a rule that is refused' 1 wg rules explain 1 bad.rules
says 'rules explain: a rule that is refused: why' 'did you mean http.uri'
exits 'rules explain without a file' 2 wg rules explain "$SID"
exits 'missing file' 1 wg rules check none.rules
says 'missing file: its name' 'none.rules'
exits 'keygen' 0 wg keygen publisher
is 'the secret key is private' "$(stat -c %a publisher.key)" 600
exits 'keygen does not overwrite' 1 wg keygen publisher
exits 'another key' 0 wg keygen other
exits 'pack' 0 wg rules pack --id cli --serial 7 --sign publisher.key -o cli.wgb "$RULES"
printf '# id,url\n"1","http://evil.example/a"\n"2","https://evil.example/b"\n' > feed.csv
exits 'import with a line refused' 6 wg rules import -o feed feed.csv
exits 'import does not overwrite' 1 wg rules import -o feed feed.csv
exits 'import replaces' 6 wg rules import --force --sid 77 -o feed feed.csv
exits 'import of nothing' 1 wg rules import -o none /dev/null
exits 'import of a perceptual hash' 2 wg rules import --type photodna -o none feed.csv
exits 'import needs a name' 2 wg rules import feed.csv
exits 'what was imported loads' 0 wg rules check feed.rules
exits 'what was imported is packed' 0 wg rules pack --id feed --serial 1 --sign publisher.key -o feed.wgb feed.rules
mv feed.urls feed.away
exits 'pack misses a list' 1 wg rules pack --id feed --serial 2 -o feed2.wgb feed.rules
mv feed.away feed.urls
exits 'pack does not overwrite' 1 wg rules pack --id cli --serial 7 --sign publisher.key -o cli.wgb "$RULES"
exits 'pack needs a serial' 2 wg rules pack --id cli -o x.wgb "$RULES"
exits 'verify' 0 wg --json rules verify --key publisher.pub cli.wgb
prints 'verify says what is in it' '.id == "cli" and .serial == 7'
exits 'verify with the wrong key' 5 wg rules verify --key other.pub cli.wgb
exits 'pack unsigned' 0 wg rules pack --id cli --serial 8 -o unsigned.wgb "$RULES"
exits 'verify unsigned' 5 wg rules verify --key publisher.pub unsigned.wgb
exits 'sign' 0 wg rules sign --key publisher.key unsigned.wgb
exits 'verify what was signed' 0 wg rules verify --key publisher.pub unsigned.wgb

exits 'a second signature' 0 wg rules sign --key other.key --add cli.wgb
exits 'both are there' 0 wg --json rules verify --key publisher.pub --key other.pub --signatures 2 cli.wgb
prints 'both are named' '.keys | split(" ") | length == 2'
exits 'one of two is not enough' 5 wg rules verify --key publisher.pub --signatures 2 cli.wgb
exits 'verify: nonsense signatures' 2 wg rules verify --key publisher.pub --signatures 0 cli.wgb
exits 'sign replaces' 0 wg rules sign --key publisher.key cli.wgb
exits 'one is left' 5 wg rules verify --key publisher.pub --key other.pub --signatures 2 cli.wgb
exits 'pack what somebody else signs' 0 wg rules pack --id cli --serial 70 -o there.wgb "$RULES"
exits 'sign beside it' 0 wg rules sign --key other.key --detached there.wgb
exits 'attach it' 0 wg rules sign --attach there.wgb.minisig cli.wgb
is 'attached: the archives were not the same' "$(wg rules verify --key publisher.pub --key other.pub cli.wgb >err 2>&1; echo $?)" 5
exits 'attach to the one that was signed' 0 wg rules sign --attach there.wgb.minisig there.wgb
exits 'attached' 0 wg rules verify --key other.pub there.wgb
exits 'attach nonsense' 1 wg rules sign --attach "$RULES" cli.wgb
exits 'sign as before' 0 wg rules sign --key publisher.key cli.wgb
exits 'verify --strict' 11 wg rules verify --key publisher.pub --strict cli.wgb
says 'verify --strict: what is lacking' 'legal_basis, authority, owner, jurisdiction, expires'
exits 'pack with all of it' 0 wg rules pack --id cli --serial 7 --legal-basis x --authority x --owner x \
    --jurisdiction EU --expires 2099-01-01 --sign publisher.key -o strict.wgb "$RULES"
exits 'verify --strict: its rules' 11 wg rules verify --key publisher.pub --strict strict.wgb
says 'verify --strict: each rule' '(sid 1000001)'

# --- rules diff
cat >old.rules <<'END'
alert http any any -> any any (msg:"one"; http.uri; content:"/a;b"; content:"c"; sid:1; rev:1;)
alert http any any -> any any (msg:"two"; http.uri; content:"/b"; sid:2; rev:1;)
alert http any any -> any any (msg:"three"; http.uri; content:"/c"; sid:3; rev:1;)
END
cat >new.rules <<'END'
# sid 2 is gone
alert http any any -> any any (msg:"one"; http.uri; content:"/a;b"; content:"d"; \
    nocase; sid:1; rev:2;)
alert http any any -> any any (msg:"three";   http.uri; content:"/c"; sid:3; rev:1;)
alert http any any -> any 80 (msg:"four"; http.uri; content:"/d"; sid:4; rev:1;)
END
exits 'rules diff' 0 wg --json rules diff old.rules new.rules
prints 'rules diff: what comes, goes, changes' '[.added[].sid] == [4] and [.removed[].sid] == [2] and .same == 1 and
    (.changed | length == 1 and (.[0].sid == 1) and ([.[0].changes[].what] | sort == ["content", "nocase", "rev"]))'
prints 'rules diff: from what to what' \
    '.changed[0].changes[] | select(.what == "content") | .from == "\"/a;b\"; \"c\"" and .to == "\"/a;b\"; \"d\""'
wg rules pack --id diff --serial 1 --sign publisher.key -o diff-1.wgb old.rules >/dev/null
wg rules pack --id diff --serial 2 --owner somebody --sign publisher.key -o diff-2.wgb new.rules >/dev/null
exits 'rules diff of bundles' 0 wg rules diff --key publisher.pub diff-1.wgb diff-2.wgb
check 'rules diff of bundles: the manifest' grep -qx 'manifest owner: (none) -> somebody' out
check 'rules diff of bundles: a sum' grep -qx '1 added, 1 removed, 1 changed, 1 the same' out
exits 'rules diff of bundles of another key' 5 wg rules diff --key other.pub diff-1.wgb diff-2.wgb
exits 'rules diff of one' 2 wg rules diff diff-1.wgb

# --- replay and bench
exits 'replay into a folder that cannot be made' 1 wg replay --rules "$RULES" --streams none/streams "$PCAP"
says 'that folder: its name' 'none/streams'
exits 'replay' 0 wg replay --rules "$RULES" --events alert,http,fileinfo,flow,anomaly --streams streams "$PCAP"
check 'replay: every line is JSON' jq -es 'length > 50' "$WORK/out"
is 'replay: the last line has the counters' "$(tail -n 1 out | jq -r .event_type)" stats
at_least 'replay: streams are written' "$(find streams -type f | wc -l)" 10
exits 'replay with a tunnel nobody knows' 2 wg replay --tunnels vxlam "$PCAP"
says 'that tunnel: its name' 'did you mean vxlan'
exits 'replay of a bundle' 0 wg replay --bundle cli.wgb --key publisher.pub --quiet "$PCAP"
is 'replay of a bundle: the same hits' "$(jq -c 'select(.event_type == "alert")' out | wc -l)" 17
exits 'replay of a bundle with the wrong key' 5 wg replay --bundle cli.wgb --key other.pub "$PCAP"
exits 'replay with a refused rule' 6 wg replay --rules mixed.rules --quiet "$PCAP"
exits 'replay of nothing' 2 wg replay --rules "$RULES"
head -c 20000 "$PCAP" >cut.pcap
exits 'replay of a capture that was cut' 6 wg replay --rules "$RULES" cut.pcap
exits 'replay of something else' 1 wg replay --rules "$RULES" "$RULES"
exits 'bench' 0 wg --json bench --rules "$RULES" --rounds 3 --runs 2 "$PCAP"
prints 'bench: three numbers and a work load' '.gbps.min <= .gbps.median and .gbps.median <= .gbps.max and .hits > 0'

# --- with the daemon
check 'the daemon starts' control_start
exits 'load' 0 wg --json rules load cli.wgb
prints 'load says what it did' '.rules == 10 and .serial == 7'
exits 'a file that is no bundle' 5 wg rules load "$RULES"
exits 'a bundle of another key' 0 wg rules pack --id cli --serial 9 --sign other.key -o other.wgb "$RULES"
exits 'is refused' 5 wg rules load other.wgb
spawn - "$WORK/dataplane.log" "$BUILD/wireglass-dataplane" --socket "$DP_SOCKET" --wait-rules --port "pcap:$PCAP"
DATAPLANE=$SPAWNED
check 'the capture is played and every hit stored' wait_for "$PATIENCE" hits_are 17
exits 'the same again' 8 wg rules load cli.wgb
says 'the same again: why' 'not newer'
for topic in status stats ports workers rules; do
    exits "show $topic" 0 wg show $topic
    at_least "show $topic prints a table" "$(wc -l <"$WORK/out")" 1
    exits "show $topic --json" 0 wg show $topic --json
    check "show $topic --json is JSON" jq -es 'length == 1' "$WORK/out"
done
exits 'show rules --all' 0 wg --json show rules --all
prints 'with each rule' '[.. | objects | select(has("sid"))] | length == 10'
exits 'hits list' 0 wg hits list
is 'hits list: a line for each' "$(grep -c ' DEMO ' "$WORK/out")" 17
exits 'hits list --sid' 0 wg --json hits list --sid 1000009
prints 'hits list --sid: only these' '[.hits[].sid] | unique == [1000009]'
exits 'hits list --match' 0 wg --json hits list --match six.example
prints 'hits list --match: only that host' '.hits | length == 1'
exits 'hits list --limit' 0 wg --json hits list --limit 3
prints 'hits list --limit: three' '.hits | length == 3'
exits 'hits show' 0 wg hits show 1
exits 'hits show of none' 1 wg hits show 99999
exits 'hits show of nonsense' 2 wg hits show abc
exits 'hits list with a nonsense limit' 2 wg hits list --limit x
exits 'hits list of a prefix' 0 wg --json hits list --client 0.0.0.0/0 --limit 10000
prints 'hits list of a prefix: all IPv4' '(.hits | length == 16) and all(.hits[]; .client_ip | contains(":") | not)'
exits 'hits list --server' 0 wg --json hits list --server 2001:db8::/32
prints 'hits list --server: only IPv6' '.hits | length == 1 and .[0].host == "six.example"'
exits 'hits list of a host' 0 wg --json hits list --host SIX.example --sid 1
prints 'hits list: filters hold together' '.hits == []'
exits 'hits list --before' 0 wg --json hits list --before 5 --limit 2
prints 'hits list --before: the page before' '[.hits[].id] == [3, 4]'
exits 'hits list --to' 0 wg --json hits list --to 1999-12-31
prints 'hits list --to: nothing is so old' '.hits == []'
exits 'hits list --from' 0 wg --json hits list --from 1999-12-31T23:59:59
prints 'hits list --from: all' '.hits | length == 17'
exits 'a time that is none' 2 wg hits list --from yesterday
exits 'a prefix that is none' 1 wg hits list --client 10.0.0.0/99
says 'a prefix that is none: says so' 'neither an address nor a prefix'
exits 'hits ack' 0 wg --json hits ack 3 5-7 --note 'looking'
prints 'hits ack: four' '.changed == 4'
exits 'hits close' 0 wg hits close 3 6 --verdict false --note 'test page'
exits 'close needs a verdict' 2 wg hits close 3
exits 'ack takes none' 2 wg hits ack 3 --verdict true
exits 'and not all hits by accident' 2 wg hits close --verdict true
exits 'close by filter' 0 wg --json hits close --sid 1000009 --verdict true
prints 'close by filter: those of the rule' '.changed > 0'
exits 'what is closed stays so' 0 wg --json hits close 3 --verdict true
prints 'what is closed stays so: nothing changed' '.changed == 0'
exits 'hits list --state' 0 wg --json hits list --state acked
prints 'hits list --state: the two that are left' '[.hits[].id] == [5, 7]'
exits 'hits show of it' 0 wg --json hits show 3
prints 'hits show of it: who did what' '.state == "closed" and .verdict == "false" and (.desk | length == 2) and
    .desk[0].note == "looking" and .desk[1].note == "test page" and .desk[1].uid == 0'
exits 'hits show for people' 0 wg hits show 3
check 'hits show for people: a line for each' grep -q 'closed as false by root (uid 0): test page' out
exits 'hits reopen' 0 wg hits reopen 3 5 6 7
exits 'open again' 0 wg --json hits list --state open
prints 'open again: but for those closed by filter' 'all(.hits[]; .sid != 1000009)'
exits 'export as CSV' 0 wg hits export --format csv
is 'export as CSV: a header and a line for each' "$(wc -l <out)" 18
is 'export as CSV: the same columns everywhere' \
    "$(python3 -c 'import csv; print({len(r) for r in csv.reader(open("out", newline=""))})')" '{28}'
exits 'export as EVE' 0 wg hits export --format eve
check 'export as EVE: valid' python3 "$SOURCE/tests/schema/validate.py" out
is 'export as EVE: the lines of the file' "$(jq -Sc 'select(.event_type == "alert") | del(.host)' "$EVE" | sort)" \
    "$(jq -Sc 'del(.host)' out | sort)"
reporter=(--org 'Example Hosting' --contact abuse@hosting.example --domain hosting.example)
exits 'export as X-ARF' 0 wg hits export --format xarf "${reporter[@]}" --xarf-type malware
check 'export as X-ARF: valid' python3 "$SOURCE/tests/schema/validate.py" --xarf out
is 'export as X-ARF: one for each' "$(jq -r .report_id out | sort -u | wc -l)" 17
exits 'export as X-ARF without a type' 6 wg hits export --format xarf "${reporter[@]}"
exits 'export as X-ARF of nobody' 2 wg hits export --format xarf
exits 'export as MISP' 0 wg hits export --format misp --limit 1
prints 'export as MISP: an event with attributes' '.Event | (.Attribute | length > 1) and
    all(.Attribute[]; .uuid and .type and .category and .value) and .info == "wireglass: 1 hits"'
exits 'export of a limit' 0 wg hits export --format csv --limit 5
is 'export of a limit: the oldest' "$(tail -n 1 out | cut -d, -f1)" 5
exits 'export without a format' 2 wg hits export
exits 'report as JSON' 0 wg report transparency --json
prints 'report as JSON: every hit, by rule' '([.rules[].hits] | add == 17) and ([.rules[] | .open + .acked + .true + .false] | add == 17)'
prints 'report as JSON: the verdict' '.rules[] | select(.sid == 1000009) | .true == .hits'
prints 'report as JSON: what became of all bytes' "$(printf '([.coverage[].bytes] | add) == %s' "$(stat_of capture.bytes)")"
exits 'report of another time' 0 wg --json report transparency --to 1999-12-31
prints 'report of another time: nothing' '.rules == [] and ([.coverage[].bytes] | add == 0)'
exits 'report as text' 0 wg report transparency
check 'report as text: a row of the ledger' grep -q '^inspected ' out
exits 'report as CSV' 0 wg report transparency --format csv
is 'report as CSV: the same columns everywhere' \
    "$(python3 -c 'import csv; print({len(r) for r in csv.reader(open("out", newline=""))})')" '{14}'
exits 'help report' 0 wg help report
at_least 'help report has a synopsis' "$(grep -c '^usage: wireglass' out)" 1
exits 'report of nothing' 2 wg report
exits 'report of something else' 2 wg report transparence
exits 'report in another format' 2 wg report transparency --format xml
exits 'show coverage' 0 wg show coverage
check 'show coverage: a sum' grep -q '^all ' out
"$BUILD/wireglass" --socket "$CTL_SOCKET" --json hits follow --since 14 >follow.out 2>follow.err &
follower=$!
check 'hits follow prints' wait_for "$PATIENCE" has_lines follow.out 3
stop "$follower"
is 'hits follow: what came after' "$(jq -c .id follow.out | xargs)" '15 16 17'
exits 'rules list' 0 wg --json rules list
prints 'rules list: the live one' '[.bundles[] | select(.live)] | length == 1 and .[0].serial == 7'
exits 'rollback without an older one' 1 wg rules rollback
exits 'activate of what is live' 1 wg rules activate 7
exits 'a limit without a trial' 2 wg rules load --max-busy 80 drop.wgb
exits 'a trial without an end' 2 wg rules load --canary x drop.wgb
exits 'activate of none' 1 wg rules activate 99
exits 'activate without a serial' 2 wg rules activate
is 'a store that minisign-signed bundles reach too' "$(
    wg rules pack --id cli --serial 20 -o plain.wgb "$RULES" >/dev/null 2>&1
    wg keygen tool >/dev/null 2>&1
    minisign -S -s publisher.key -m plain.wgb -x plain.wgb.minisig >minisign.out 2>&1 </dev/null
    wg rules load plain.wgb >/dev/null 2>load.err
    echo $?
)" 0
wg rules pack --id cli --serial 21 --sign publisher.key -o drop.wgb drop.rules >/dev/null
exits 'load of a rule that would drop' 0 wg rules load drop.wgb
check 'says that it alerts' grep -q '^1 of them say drop or reject' out
printf 'match 7\n> GET /dropped HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n\n' >good.txt
sed 's/^match/nomatch/' good.txt >bad.txt
wg rules pack --id cli --serial 22 --selftest bad.txt --sign publisher.key -o bad.wgb drop.rules >/dev/null
wg rules pack --id cli --serial 22 --selftest good.txt --sign publisher.key -o good.wgb drop.rules >/dev/null
exits 'load of a bundle that fails its self-test' 13 wg rules load bad.wgb
says 'which rule, and where' 'tests/bad.txt:1: self-test: rule 7 matches what it must not match'
exits 'load of one that passes' 0 wg --json rules load good.wgb
prints 'how many cases were played' '.self_tests == 1 and .serial == 22'
exits 'activate' 0 wg --json rules activate 7
prints 'activate: the one that was asked for' '.state == "live" and .serial == 7'

# --- the audit log
exits 'audit show' 0 wg --json audit show --state state --action 'rules load'
prints 'audit show: who asked for what, and what became of it' \
    '[.entries[] | select(.result == "refused")] | length > 1 and all(.uid == 0 and .pid > 1 and (.reason | length > 10))'
exits 'audit show as text' 0 wg audit show --state state
at_least 'audit show as text: lines' "$(grep -c 'rules load' out)" 6
exits 'audit verify' 0 wg --json audit verify --state state
prints 'audit verify: all of it' '.ok and .entries > 8 and .bad == null'
LAST=$(jq -r '"\(.first + .entries - 1):\(.hash)"' out)
exits 'audit verify against what was noted' 0 wg audit verify --state state --expect "$LAST"
exits 'audit verify against something else' 5 wg audit verify --state state --expect "2:${LAST#*:}"
exits 'audit export' 0 wg audit export --state state --from 3 --to 5 -o part.jsonl
exits 'audit verify of a part' 0 wg --json audit verify --key state/audit.pub part.jsonl --state state
prints 'audit verify of a part: where it begins' '.ok and .first == 3 and .entries == 3'
exits 'audit export does not overwrite' 1 wg audit export --state state -o part.jsonl
mkdir copy && cp state/audit.* copy/
sed -i '4s/"uid":0/"uid":1/' copy/audit.jsonl
exits 'a changed entry' 5 wg audit verify --state copy
says 'a changed entry: which' 'entry 4 was changed'
exits 'a changed entry is not shown' 5 wg audit show --state copy
sed '$d' state/audit.jsonl >copy/audit.jsonl
exits 'a log that was cut' 5 wg audit verify --state copy
exits 'audit of nothing' 1 wg audit verify --state none
says 'audit of nothing: what to name' '--state'
exits 'audit without a command' 2 wg audit
exits 'audit: misspelt' 2 wg audit verfy
check 'the daemon stops cleanly' stop "$CONTROL"
check 'the dataplane stops cleanly' stop "$DATAPLANE"
finish
