#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Both daemons as services: what they tell a service manager, that a stuck worker keeps the dataplane from holding the watchdog
# off, that the capabilities of its unit are enough, and that the units are good.
# Topology: t0-t1, a mirror that the dataplane reads.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need ss setpriv python3

# listen NAME : a manager's socket that NAME.notify is the log of; the daemon that is started next has it
listen() {
    spawn - "$WORK/$1.notify" python3 "$SOURCE/tests/e2e/notify_listen.py" "$WORK/$1.manager"
    export NOTIFY_SOCKET=$WORK/$1.manager
    wait_for "$PATIENCE" test -S "$NOTIFY_SOCKET"
}

# said NAME LINE... : the manager was told
said() {
    grep -qx -- "$2" "$WORK/$1.notify"
}

# times NAME LINE
times() {
    grep -cx -- "$2" "$WORK/$1.notify"
}

times_at_least() {
    [ "$(times "$1" "$2")" -ge "$3" ]
}

link_add - t0 - t1
port_up - t0
port_up - t1
wg keygen "$WORK/publisher" >"$WORK/cli.log"

# --- what is said, in its order
check 'a manager listens to the daemon' listen control
check 'the daemon starts' control_start
check 'it is ready' wait_for "$PATIENCE" said control READY=1
check 'it holds the watchdog off' wait_for "$PATIENCE" times_at_least control WATCHDOG=1 1
check 'and says what is missing' said control 'STATUS=dataplane not connected; bundle none, serial 0; 0 hits stored'
check 'a manager listens to the dataplane' listen dataplane
check 'the dataplane starts' dataplane_start --port af_packet:t1
check 'it is ready' wait_for "$PATIENCE" said dataplane READY=1
check 'both say that they are connected' wait_for "$PATIENCE" said dataplane \
    'STATUS=1 workers, 1 ports, control is connected; rule set 0 with 0 rules'
check 'and again' wait_for "$PATIENCE" said control 'STATUS=dataplane connected; bundle none, serial 0; 0 hits stored'
check 'it holds the watchdog off, again and again' wait_for "$PATIENCE" times_at_least dataplane WATCHDOG=1 3
is 'nothing is ending' "$(times dataplane STOPPING=1) $(times control STOPPING=1)" '0 0'
check 'the dataplane stops' stop "$DATAPLANE"
is 'and said so, once' "$(times dataplane STOPPING=1)" 1
is 'ready was said once' "$(times dataplane READY=1)" 1
check 'the daemon stops' stop "$CONTROL"
is 'and said so' "$(times control STOPPING=1)" 1

# --- a worker is stuck
check 'a manager listens' listen stuck
check 'a dataplane with two workers' dataplane_start --workers 2 --port af_packet:t1
check 'it holds the watchdog off' wait_for "$PATIENCE" times_at_least stuck WATCHDOG=1 2
spawn - "$WORK/hold.log" python3 "$SOURCE/tests/e2e/hold_thread.py" "$DATAPLANE" rte-worker-2
holder=$SPAWNED
check 'a worker is stuck' wait_for "$PATIENCE" grep -q held "$WORK/hold.log"
before=$(times stuck WATCHDOG=1) turns=$(grep -c STATUS "$WORK/stuck.notify")
check 'the process ends' wait_for "$PATIENCE" not_running "$DATAPLANE"
after=$(times stuck WATCHDOG=1)
at_least 'it has looked nine times meanwhile' $(($(grep -c STATUS "$WORK/stuck.notify") - turns)) 8
check "and held the watchdog off for the first two at most ($before, $after)" test $((after - before)) -le 2
kill "$DATAPLANE" "$holder" 2>/dev/null && sleep 1
kill -KILL "$DATAPLANE" 2>/dev/null
wait "$holder" "$DATAPLANE"
unset NOTIFY_SOCKET

# --- what the unit of the dataplane gives it
unit=$BUILD/etc/systemd/wireglass-dataplane.service
capabilities=$(sed -n 's/^AmbientCapabilities=//p' "$unit" | tr A-Z a-z | sed 's/cap_/+/g; s/ /,/g')
cp "$BUILD/wireglass-dataplane" "$WORK/dataplane"
install -d -o 65534 "$WORK/run"
unprivileged() {
    spawn - "$WORK/unprivileged.log" setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
        --inh-caps "-all,$capabilities" --ambient-caps "-all,$capabilities" --bounding-set "-all,$capabilities" \
        "$WORK/dataplane" --socket "$WORK/run/socket" --profiles "$SOURCE/hwprofiles" --port af_packet:t1
    DATAPLANE=$SPAWNED
    wait_for "$PATIENCE" answers "$WORK/run/socket" "$DATAPLANE"
}
check "another user with $capabilities starts it" unprivileged
none_left() {
    [ "$(sed -n 's/^CapPrm:[[:space:]]*//p' /proc/"$DATAPLANE"/task/*/status | sort -u)" = 0000000000000000 ]
}
check 'and gives them up' wait_for "$PATIENCE" none_left
check 'it stops' stop "$DATAPLANE"
is 'nothing is complained about' "$(grep -c 'error:\|warning:' "$WORK/unprivileged.log")" 0

# --- the units
if command -v systemd-analyze >/dev/null; then
    for unit in wireglassd wireglass-dataplane; do
        # the programs need not be installed
        sed "s|^ExecStart=[^ ]*|ExecStart=/bin/true|" "$BUILD/etc/systemd/$unit.service" >"$WORK/$unit.service"
        is "$unit.service: nothing to complain about" \
            "$(systemd-analyze verify --man=no "$WORK/$unit.service" 2>&1 | grep -F "$unit")" ''
        check "$unit.service: little is exposed" systemd-analyze security --offline=yes --threshold=30 --no-pager \
            "$WORK/$unit.service"
    done
else
    ok 'the units # SKIP systemd-analyze is not installed'
fi
finish
