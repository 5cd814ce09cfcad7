#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In the emulated machine of systemd.sh, as a service of its own: what systemd makes of the units of the packages.
set -u
PATIENCE=${WIREGLASS_PATIENCE:-60}
number=0
cd /root || exit 1

# check NAME COMMAND... : its output is shown if it fails
check() {
    local name=$1
    shift
    number=$((number + 1))
    if "$@" >/run/check.out 2>&1; then
        printf 'ok %d - %s\n' "$number" "$name"
    else
        printf 'not ok %d - %s\n' "$number" "$name"
        { printf '%s: ' "$*" && tail -n 15 /run/check.out; } | sed 's/^/# /'
    fi
}

is() {
    check "$1" test "$2" = "$3"
    [ "$2" = "$3" ] || printf "# got '%s', expected '%s'\n" "$2" "$3"
}

# wait_for COMMAND... : try for PATIENCE seconds
wait_for() {
    local tries=$PATIENCE
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 1
    done
}

# of UNIT PROPERTY
of() {
    systemctl show -P "$2" "$1"
}

property_is() {
    [ "$(of "$1" "$2")" = "$3" ]
}

# active UNIT : as `systemctl status` says it
active() {
    systemctl status --no-pager "$1" >/run/status.out 2>&1 && grep -q 'Active: active (running)' /run/status.out
}

# status_line UNIT TEXT : the daemon's own line is among what systemctl shows
status_line() {
    active "$1" && grep -q "Status: \".*$2" /run/status.out
}

hits_are() {
    [ "$(wireglass --json hits list --limit 1000 | jq '.hits | length')" -eq "$1" ]
}

# said UNIT TEXT : is that in the journal, of it or about it?
said() {
    journalctl -q -b -u "$1" | grep -q -e "$2"
}

# traffic FIRST : ten flows with the needle
traffic() {
    python3 /test/flows.py t0 10 "$1"
}

# hidden PID PATH : is it out of reach there?
hidden() {
    [ -z "$(find "/proc/$1/root$2" -mindepth 1 -print -quit 2>/dev/null)" ]
}

pid_of() {
    of "$1" MainPID
}

confined() {
    local pid
    pid=$(pid_of "$1")
    grep -q '^NoNewPrivs:.1$' "/proc/$pid/status" && grep -q '^Seccomp:.2$' "/proc/$pid/status" &&
        grep -q '^CapEff:.0000000000000000$' "/proc/$pid/status" && [ "$(stat -c %U "/proc/$pid")" = wireglass ]
}

printf '# %s, %s\n' "$(systemctl --version | head -n 1)" "$(uname -r)"
# --- as installed
check 'wireglassd runs from the start' wait_for active wireglassd
is 'it has told that it is ready' "$(of wireglassd Type) $(of wireglassd SubState)" 'notify running'
is 'the packet path is not started: it has no ports yet' "$(systemctl is-enabled wireglass-dataplane) $(of wireglass-dataplane ActiveState)" 'disabled inactive'

# --- a port, a key, a bundle
ip link add t0 type veth peer name t1
ip link set t0 up
ip link set t1 arp off promisc on up
echo 'ports = [ "af_packet:t1" ];' >>/etc/wireglass/dataplane.cfg
wireglass keygen publisher >/run/keygen.log && install -m 644 publisher.pub /etc/wireglass/keys/
cat >needle.rules <<'RULES'
alert http any any -> any any (msg:"page"; flow:to_client; http.response_body; content:"E2E-NEEDLE"; sid:1;)
RULES
check 'a bundle is made' wireglass rules pack --id test --serial 1 --sign publisher.key -o test.wgb needle.rules
check 'wireglassd reads its configuration again' systemctl reload wireglassd
check 'the packet path starts, and systemctl waits until it is ready' systemctl enable --now wireglass-dataplane
check 'it runs' active wireglass-dataplane
is 'its watchdog is set' "$(of wireglass-dataplane WatchdogUSec)" 20s
check 'both know of each other' wait_for status_line wireglass-dataplane 'control is connected'
check 'and systemctl says so' wait_for status_line wireglassd 'dataplane connected'
check 'the rules go live' wireglass rules load test.wgb
check 'ten flows' traffic 1
check 'ten hits' wait_for hits_are 10
check 'wireglassd is confined' confined wireglassd
check 'so is the packet path' confined wireglass-dataplane
for path in /var/lib/wireglass /etc/wireglass/keys /root; do
    check "it cannot see $path" hidden "$(pid_of wireglass-dataplane)" "$path"
done
is 'no image of its memory would be written' "$(awk '/Max core file size/ { print $5 $6 }' "/proc/$(pid_of wireglass-dataplane)/limits")" '00'

# --- it is watched
first=$(pid_of wireglass-dataplane)
kill -STOP "$first"
check 'the packet path stalls, and is killed' wait_for said wireglass-dataplane 'Watchdog timeout'
check 'by a signal that leaves nothing' said wireglass-dataplane 'status=9/KILL'
check 'it is started again' wait_for property_is wireglass-dataplane NRestarts 1
check 'and runs' wait_for active wireglass-dataplane
check 'with its rules' wait_for status_line wireglass-dataplane 'rule set .* with 1 rules'
check 'ten flows more' traffic 20
check 'ten hits more' wait_for hits_are 20
kill -KILL "$(pid_of wireglassd)"
check 'wireglassd is killed, and started again' wait_for property_is wireglassd NRestarts 1
check 'and runs, and has the packet path' wait_for status_line wireglassd 'dataplane connected'
check 'ten flows more' traffic 40
check 'ten hits more, none twice' wait_for hits_are 30
is 'the packet path was not started again' "$(of wireglass-dataplane NRestarts)" 1

# --- it ends
check 'both stop' systemctl stop wireglass-dataplane wireglassd
is 'in good order' "$(of wireglass-dataplane Result) $(of wireglassd Result)" 'success success'
is 'no socket is left' "$(find /run/wireglass -type s)" ''
echo 'nonsense = 1;' >>/etc/wireglass/dataplane.cfg
check 'with a wrong configuration it does not start' bash -c '! systemctl start wireglass-dataplane'
is 'and is not tried again' "$(of wireglass-dataplane ActiveState) $(of wireglass-dataplane ExecMainStatus)" 'failed 2'
check 'the journal has the line' said wireglass-dataplane 'nonsense'
sed -i '$d' /etc/wireglass/dataplane.cfg
check 'with the right one it does' systemctl start wireglassd wireglass-dataplane
check 'and runs' active wireglass-dataplane

# --- what it wrote
check 'the journal has both' bash -c 'journalctl -q -b -u wireglassd | grep -q . && journalctl -q -b -u wireglass-dataplane | grep -q .'
is 'and no payload' "$(journalctl -q -b -o export | grep -a -c E2E-NEEDLE)" 0
is 'nothing was refused to them' "$(journalctl -q -b -u wireglassd -u wireglass-dataplane | grep -c -i -e 'not permitted' -e 'could be given up')" 0
is 'nothing else has failed' "$(systemctl --failed --no-legend --plain | cut -d ' ' -f 1 | xargs)" ''
for unit in wireglassd wireglass-dataplane; do
    systemd-analyze security --no-pager "$unit" 2>/dev/null | tail -n 1 | sed 's/^/# /'
    journalctl -q -b -u "$unit" -o cat | sed "s/^/# $unit: /"
done
printf '1..%d\n' "$number"
