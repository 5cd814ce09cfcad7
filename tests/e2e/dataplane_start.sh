#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# How wireglass-dataplane starts, refuses to start, and stops: each failure is one sentence that says what to do.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need ss setpriv python3

PCAP=$SOURCE/tests/demo/demo.pcap
DP=$BUILD/wireglass-dataplane

# refuses NAME EXIT-CODE TEXT ARGUMENTS... : ends with the code, says the text, in one line per message and without
# anything of a library's own
refuses() {
    local name=$1 code=$2 text=$3 got
    shift 3
    timeout "$PATIENCE" "$DP" "$@" >"$WORK/refusal" 2>&1
    got=$?
    if [ "$got" != "$code" ] || ! grep -qF -- "$text" "$WORK/refusal"; then
        not_ok "$name" "exit code $got instead of $code, or no '$text' in: $(cat "$WORK/refusal")"
    elif grep -qE 'EAL|usage|Usage' "$WORK/refusal"; then
        not_ok "$name" "a library speaks: $(cat "$WORK/refusal")"
    else
        ok "$name"
    fi
}

frames_in_log() {
    sed -n 's/.*: \([0-9]*\) frames, .*/\1/p' "$1" | tail -n 1
}

transactions_in_log() {
    sed -n 's/.*, \([0-9]*\) transactions, .*/\1/p' "$1" | tail -n 1
}

# play LOG ARGUMENTS... : run to the end
play() {
    local log=$1
    shift
    timeout "$PATIENCE" "$DP" --socket "$DP_SOCKET" --exit-when-done "$@" >"$log" 2>&1
}

refuses 'no port' 2 'give --port'
refuses 'misspelt option' 2 'did you mean --port?' --prot x
refuses 'missing capture file' 1 'No such file' --port pcap:/nonexistent.pcap
refuses 'missing interface' 1 'see ip link' --port af_packet:nope0
refuses 'missing interface, libpcap' 1 'see ip link' --port net_pcap:nope0
refuses 'missing NIC' 1 'see lspci' --port pci:ffff:00:00.0
refuses 'odd number of inline ports' 2 'not an even number' --mode inline --port af_packet:lo
refuses 'missing folder of the socket' 1 'the directory of the socket' --port "pcap:$PCAP" --socket /nonexistent/s
refuses 'not a capture' 1 'not a pcap' --port "pcap:$SOURCE/README.md" --socket "$DP_SOCKET"
refuses 'not an image' 1 'too short' --port "pcap:$PCAP" --socket "$DP_SOCKET" --image "$SOURCE/.gitignore"
refuses 'unreadable configuration' 2 'No such file' --config /nonexistent.cfg
printf 'prots = [ ];\n' >"$WORK/bad.cfg"
refuses 'unknown key' 2 'bad.cfg:1' --config "$WORK/bad.cfg"
refuses 'capture and interface' 2 'cannot be mixed' --port "pcap:$PCAP" --port af_packet:lo
refuses 'too little packet memory' 1 'do not fit in 1 MB: try --memory 6' --no-huge --memory 1 --port "pcap:$PCAP" \
    --socket "$DP_SOCKET"
nic=$(for device in /sys/bus/pci/devices/*/driver; do
    case $(readlink "$device") in */virtio-pci | */e1000* | */ahci) basename "$(dirname "$device")" && break ;; esac
done)
if [ -n "$nic" ]; then
    refuses 'a device with its kernel driver' 1 "driverctl set-override $nic vfio-pci" --port "pci:$nic"
else
    ok 'a device with its kernel driver # SKIP there is no PCI device with a driver here'
fi
check 'the shipped configuration is good' "$DP" --config "$SOURCE/etc/dataplane.cfg" --port "pcap:$PCAP" --check
is 'nothing is left of all these' "$(find /run -maxdepth 1 -name '*dpdk*' | wc -l)" 0

# --- interfaces
ip link add t0 type veth peer name t1
port_up - t0
port_up - t1
ethtool -K t0 gro on >/dev/null 2>&1
refuses 'merging offloads, inline' 1 'ethtool -K t0 gro off' --mode inline --port af_packet:t0 --port af_packet:t1 \
    --socket "$DP_SOCKET"
ethtool -K t0 gro off >/dev/null 2>&1
# another user may not be able to reach the build directory
cp "$DP" "$WORK/dataplane"
setpriv --reuid 65534 --clear-groups --inh-caps -all "$WORK/dataplane" --port af_packet:t0 --check >"$WORK/refusal" 2>&1
check 'capturing without the right to' grep -q CAP_NET_RAW "$WORK/refusal"

# --- running
for workers in 1 2 5; do
    check "$workers workers: a capture in 7 rounds" play "$WORK/play$workers.log" --workers "$workers" \
        --port "pcap:$PCAP,rounds=7"
    frames=$(frames_in_log "$WORK/play$workers.log")
    [ "$workers" = 1 ] && first=$frames
    is "$workers workers: every frame was seen" "$frames" "$first"
    is "$workers workers: in each round the same" "$((frames % 7))" 0
    transactions=$(transactions_in_log "$WORK/play$workers.log")
    [ "$workers" = 1 ] && first_transactions=$transactions
    is "$workers workers: both directions of a flow met" "$transactions" "$first_transactions"
done
python3 "$SOURCE/tests/e2e/jumbo.py" >"$WORK/jumbo.pcap"
for workers in 1 3; do
    check "$workers workers: frames of 60,000 bytes" play "$WORK/jumbo$workers.log" --workers "$workers" \
        --port "pcap:$WORK/jumbo.pcap,rounds=3"
    is "$workers workers: each is seen whole" "$(transactions_in_log "$WORK/jumbo$workers.log")" 60
done
python3 "$SOURCE/tests/golden/run.py" --pcap "$WORK/fragments.pcap" fragments_mixed >/dev/null
for workers in 1 2 3; do
    check "$workers workers: large segments in fragments" play "$WORK/fragments$workers.log" --workers "$workers" \
        --port "pcap:$WORK/fragments.pcap,rounds=9"
    is "$workers workers: each meets the flow it belongs to" "$(transactions_in_log "$WORK/fragments$workers.log")" 54
done
check 'the log says how memory was found' grep -q 'memory: .*hugepages' "$WORK/play1.log"
head -c -7 "$PCAP" >"$WORK/cut.pcap"
check 'a cut capture is played' play "$WORK/cut.log" --port "pcap:$WORK/cut.pcap"
check 'and its end is complained about' grep -q 'damaged or cut after frame' "$WORK/cut.log"
is 'it has one frame less' "$(frames_in_log "$WORK/cut.log")" $((first / 7 - 1))

# Folders that systemd or a session names are not for DPDK to write to.
mkdir "$WORK/runtime"
check 'runtime folders in the environment' env RUNTIME_DIRECTORY="$WORK/runtime:/x" XDG_RUNTIME_DIR="$WORK/runtime" \
    timeout "$PATIENCE" "$DP" --socket "$DP_SOCKET" --exit-when-done --port "pcap:$PCAP"
is 'stay empty' "$(ls "$WORK/runtime")" ''

check 'it stays when its capture has ended' dataplane_start --port "pcap:$PCAP"
refuses 'a second instance' 1 'another wireglass-dataplane' --port "pcap:$PCAP" --socket "$DP_SOCKET"
check 'does not disturb the first' kill -0 "$DATAPLANE"
check 'SIGTERM ends it with 0' stop "$DATAPLANE"
is 'its socket is gone' "$(ls "$DP_SOCKET" 2>/dev/null)" ''
check 'interfaces: it starts' dataplane_start --port af_packet:t0 --port net_pcap:t1
kill -INT "$DATAPLANE"
check 'SIGINT ends it, too' wait "$DATAPLANE"
spawn - "$WORK/killed.log" "$DP" --socket "$DP_SOCKET" --port "pcap:$PCAP"
killed=$SPAWNED
wait_for "$PATIENCE" answers "$DP_SOCKET" "$killed"
kill -KILL "$killed"
wait "$killed" 2>/dev/null
check 'after a crash the next one takes the socket over' play "$WORK/again.log" --port "pcap:$PCAP"
is 'DPDK leaves nothing behind' "$(find /run -maxdepth 1 -name '*dpdk*' | wc -l)" 0
finish
