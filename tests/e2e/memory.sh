#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What was on the wire is not kept: after a run the memory of the dataplane is searched for strings that were in the payload of
# encrypted connections and in bodies. They may be in packet buffers, which keep a frame until the next one comes into them (DPDK's
# pool, the kernel's rings), and nowhere else. Topology: inline_topology.
. "$(dirname "$0")/lib.sh"
e2e_enter "$@"
need nginx curl openssl ss jq python3
[ "${WIREGLASS_SANITIZED:-0}" = 0 ] || skip_all 'AddressSanitizer keeps what was freed: the plain build is asked'

# Made of parts, so that they are in no command line and in no script.
secret() {
    printf 'CANARY-%s-%s' "$1" "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
}

# What looks like TLS, with a string in its records that can be recognised: it is not really encrypted.
tls_like() {
    in_ns server python3 - <<PY &
import socket
s = socket.create_server(("10.20.0.1", 4443))
c, _ = s.accept()
c.recv(65536)
c.sendall(b"\x16\x03\x03\x00\x40" + bytes(64))
while c.recv(65536):
    c.sendall(b"\x17\x03\x03\x04\x00" + b"${TLS_DOWN}".ljust(1024, b"."))
PY
    local peer=$!
    sleep 0.5
    in_ns client python3 - <<PY
import socket, time
c = socket.create_connection(("10.20.0.1", 4443))
c.sendall(b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(194))
c.recv(65536)
for _ in range(20):
    c.sendall(b"\x17\x03\x03\x04\x00" + b"${TLS_UP}".ljust(1024, b"."))
    c.recv(65536)
c.close()
PY
    wait "$peer"
}

BODY=$(secret body)
UPLOAD=$(secret upload)
TLS_UP=$(secret tls-up)
TLS_DOWN=$(secret tls-down)
inline_topology
site
{ cat "$WORK/www/clean.html" && printf '%s E2E-NEEDLE' "$BODY" && cat "$WORK/www/clean.html"; } >"$WORK/www/secret.html"
pack 1 "$WORK/needle.rules"
check 'it starts' dataplane_start --mode inline --no-huge --port af_packet:p0 --port af_packet:p1
check 'control starts' control_start
check 'the bundle is loaded' wg rules load "$WORK/1.wgb"
check 'it is live' wait_for "$PATIENCE" status_is .rules.live true
for _ in 1 2 3; do
    check 'a page' get http://10.20.0.1/secret.html
    check 'compressed' get --compressed http://10.20.0.1/secret.html
    check 'an upload' get -d "a=E2E-UPLOAD&b=$UPLOAD" http://10.20.0.1/upload
    check 'what looks like TLS' tls_like
done
check 'the bodies were scanned' wait_for "$PATIENCE" hits_are 9

# scan : where the strings are, one line for each and each kind of memory
scan() {
    python3 "$SOURCE/tests/e2e/memory_scan.py" "$DATAPLANE" "$BODY" "$UPLOAD" "$TLS_UP" "$TLS_DOWN" >"$WORK/scan"
}

only_in_packets() {
    scan && ! grep -v ' packets ' "$WORK/scan"
}

# What is not in use any more is wiped when nothing else is to be done.
check 'they are in no memory but that of packets' wait_for "$PATIENCE" only_in_packets
sed 's/^/# /' "$WORK/scan"
is 'where each of them still is: the search does find what there is' "$(grep -c ' packets ' "$WORK/scan")" 4
check 'control stops' stop "$CONTROL"
check 'it stops' stop "$DATAPLANE"
finish
