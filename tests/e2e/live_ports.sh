#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a kernel interface does to frames and to its link is seen: frames the kernel had no room for, frames that were cut,
# a link that goes and comes back, inline and under traffic.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl ss jq python3

port_of() {
    wg --json show ports | jq -r ".ports[0].$1"
}

port_is() {
    [ "$(port_of "$1")" = "$2" ]
}

# frames IFACE COUNT BYTES : so many frames that are nothing, or of IP and TCP if they are long
frames() {
    python3 - "$@" <<'PY'
import socket, struct, sys
interface, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((interface, 0))
head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size - 14, 1, 0, 64, 6, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
total = sum(struct.unpack(">10H", head))
total = (total & 0xFFFF) + (total >> 16)
head = head[:10] + struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + head[12:]
tcp = struct.pack(">HHIIBBHHH", 1000, 80, 1, 1, 0x50, 0x10, 100, 0, 0)
frame = bytes(12) + b"\x08\0" + head + tcp
for _ in range(count):
    out.send(frame + bytes(size - len(frame)))
PY
}

wg keygen "$WORK/publisher" >>"$WORK/cli.log" 2>&1 || bail 'keygen'
ip link add t0 type veth peer name t1
port_up - t0
port_up - t1
check 'it starts' dataplane_start --profiles "$SOURCE/hwprofiles" --port af_packet:t1
check 'control starts' control_start
check 'its port is known' wait_for "$PATIENCE" port_is link true
is 'the kernel has dropped nothing' "$(port_of kernel_drops)" 0

# The ring has 8,192 slots; nobody empties it.
kill -STOP "$DATAPLANE"
check '20,000 frames while it sleeps' frames t0 20000 60
kill -CONT "$DATAPLANE"
check 'what found no room is counted' wait_for "$PATIENCE" port_is kernel_drops $((20000 - 8192))
check 'and what did' wait_for "$PATIENCE" stat_is capture.packets 8192

# Larger than was the MTU when the slots were made.
ip link set t0 mtu 9000
ip link set t1 mtu 9000
check '10 frames of 5,000 bytes' frames t0 10 5000
check 'are cut, and that is seen' wait_for "$PATIENCE" stat_is decode.truncated 10
check '10 of 1,900' frames t0 10 1900
check 'are whole' wait_for "$PATIENCE" stat_is capture.packets 8212
is 'none of them is taken for cut' "$(stat_of decode.truncated)" 10

ip link set t0 down
check 'the link goes' wait_for "$PATIENCE" grep -q 'port 0: t1: the link is down' "$WORK/dataplane.log"
check 'control knows' wait_for "$PATIENCE" port_is link false
ip link set t0 up
check 'and comes back' wait_for "$PATIENCE" grep -q 'port 0: t1: the link is up again' "$WORK/dataplane.log"
check '10 frames more' frames t0 10 60
check 'are seen' wait_for "$PATIENCE" stat_is capture.packets 8222
check 'control stops' stop "$CONTROL"
check 'it stops' stop "$DATAPLANE"
check 'the log says what the kernel dropped' grep -q "the kernel dropped $((20000 - 8192)) frames" "$WORK/dataplane.log"

# --- inline: both ports go and come back in turn
inline_topology
site
for type in af_packet net_pcap; do
    check "$type: it starts inline" dataplane_start --mode inline --port $type:p0 --port $type:p1
    check "$type: a page comes" get http://10.20.0.1/clean.html
    for interface in p0 p1; do
        ip link set $interface down
        check "$type: $interface goes" wait_for "$PATIENCE" grep -q "$interface: the link is down" "$WORK/dataplane.log"
        ip link set $interface up
        check "$type: $interface comes back" wait_for "$PATIENCE" grep -q "$interface: the link is up again" "$WORK/dataplane.log"
        check "$type: pages come again" wait_for "$PATIENCE" get --max-time 3 http://10.20.0.1/clean.html
        check "$type: whole" cmp "$WORK/answer" "$WORK/www/clean.html"
    done
    check "$type: it stops" stop "$DATAPLANE"
    : >"$WORK/dataplane.log"
done
finish
