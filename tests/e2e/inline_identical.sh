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

for type in af_packet net_pcap; do
    check "$type: the dataplane starts" dataplane_start --mode inline --port $type:p0 --port $type:p1
    in_ns ends python3 "$SOURCE/tests/e2e/frames.py" e0 e1 "$type" >"$WORK/frames.out" 2>&1
    while IFS= read -r line; do
        case $line in
        'ok '*) ok "${line#ok }" ;;
        'not ok '*) not_ok "${line#not ok }" ;;
        *) printf '# %s\n' "$line" ;;
        esac
    done <"$WORK/frames.out"
    at_least "$type: the script ran to its end" "$(grep -c 'ok ' "$WORK/frames.out")" 20
    check "$type: the dataplane stops cleanly" stop "$DATAPLANE"
done
finish
