#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Inline, every frame leaves as it came: all kinds of frames, both directions, in order, byte for byte.
# No rules are loaded and none are needed: forwarding does not depend on anything else.
#
#   ends                 sensor (this namespace)                ends
#   [e0] ---- [p0]  wireglass-dataplane --mode inline  [p1] ---- [e1]
#   frames.py sends on e0 and compares what arrives on e1, then the other way
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need python3 ss

ns_add ends
link_add ends e0 - p0
link_add ends e1 - p1
for interface in e0 e1; do
    port_up ends $interface
done
port_up - p0
port_up - p1

# through TYPE [jumbo]
through() {
    local label="$1${2:+, $2}"
    check "$label: the dataplane starts" dataplane_start --mode inline --port "$1:p0" --port "$1:p1"
    frames_through "$label" "$([ $# = 1 ] && echo 40 || echo 12)" "$@"
    check "$label: the dataplane stops cleanly" stop "$DATAPLANE"
}

through af_packet
through net_pcap
for interface in p0 p1; do
    ip link set $interface mtu 9000
done
for interface in e0 e1; do
    ip -n ends link set $interface mtu 9000
done
through af_packet jumbo
through net_pcap jumbo
finish
