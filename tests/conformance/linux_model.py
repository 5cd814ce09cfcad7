#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does the model of tests/unit/test_tcp_model.c read what the running kernel reads? By hand, as root.

usage: linux_model.py [--program PROG] [--sequences N] [--seed S]

PROG (default build/tests/unit/test_tcp_model) prints random sequences of segments and what the model delivers; each is
sent to a socket of this machine's kernel, in a network namespace of its own, and compared.

Where the two differ it is for something that no packet shows: whether the kernel could join two segments of its queue in
memory (then an early FIN between them is passed over), and whether it had memory for a segment on its short way, where
an old acknowledgement is looked at only after the data was taken. Then all that the kernel read must at least have been
scanned as another reading: every eight bytes of it in one piece. Fails if something was not.
"""
import argparse
import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import time

FIN, SYN, RST, ACK = 1, 2, 4, 16
ISN, TS_BASE, PORT = 0xFFFFFFF0, 500000, 80
CLIENT, SERVER = socket.inet_aton("10.99.0.77"), socket.inet_aton("10.99.0.2")
ETHER = bytes.fromhex("020000000002020000000077") + b"\x08\x00"
OPT_NONE, OPT_MD5 = 0, 4
CLONE_NEWNET = 0x40000000


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def run(command):
    subprocess.run(command, shell=True, check=True)


def namespace():
    """A network of our own, which ends with this process: both ends of one link."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        sys.exit(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    run("ip link set lo up; ip link add v0 type veth peer name v1")
    run("ip link set v0 address 02:00:00:00:00:02; ip link set v1 address 02:00:00:00:00:77")
    run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1; ip link set v0 up; ip link set v1 up; ip addr add 10.99.0.2/24 dev v0")
    run("ip neigh replace 10.99.0.77 lladdr 02:00:00:00:00:77 dev v0 nud permanent")


class Client:
    def __init__(self, wire, port):
        self.wire, self.port, self.ack, self.echo = wire, port, 0, 0

    def send(self, seq, flags, data=b"", ack=None, options=b""):
        options += b"\1" * (-len(options) % 4)
        ack = self.ack if ack is None else ack
        head = struct.pack(
            ">HHIIBBHHH", self.port, PORT, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (20 + len(options)) // 4 << 4, flags, 60000, 0, 0
        )
        segment = head + options + data
        total = checksum(CLIENT + SERVER + struct.pack(">BBH", 0, 6, len(segment)) + segment)
        segment = segment[:16] + struct.pack(">H", total) + segment[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, 6, 0) + CLIENT + SERVER
        self.wire.send(ETHER + ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + segment)

    def stamp(self, value):
        return b"\1\1\x08\x0a" + struct.pack(">II", value, self.echo)

    def open(self, case):
        options = b"\2\4\5\xb4" + (b"\1\1\4\2" if case["sack"] else b"")
        self.send(ISN, SYN, ack=0, options=options + (self.stamp(TS_BASE) if case["ts"] else b""))
        while True:
            frame, address = self.wire.recvfrom(65536)
            if address[2] == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00" or frame[23] != 6:
                continue
            tcp = frame[34:]
            if struct.unpack(">H", tcp[2:4])[0] == self.port and tcp[13] & (SYN | ACK) == SYN | ACK:
                break
        self.ack = struct.unpack(">I", tcp[4:8])[0] + 1
        at = tcp[20:].find(b"\x08\x0a")
        self.echo = struct.unpack(">I", tcp[20 + at + 2 : 20 + at + 6])[0] if case["ts"] else 0
        self.send(ISN + 1, ACK, options=self.stamp(TS_BASE) if case["ts"] else b"")

    def step(self, step):
        options = b""
        if step["option"] == OPT_MD5:
            options = b"\x13\x12" + b"\xaa" * 16
        elif step["option"] != OPT_NONE:
            options = self.stamp(step["tsval"])
        self.send(ISN + 1 + step["at"], step["flags"], bytes.fromhex(step["data"]), self.ack + step["ack"], options)


def drain(wire):
    wire.setblocking(False)
    try:
        while True:
            wire.recv(65536)
    except BlockingIOError:
        wire.settimeout(2)


def kernel_reads(wire, listener, case, port):
    drain(wire)  # a full buffer would look at no packet
    client = Client(wire, port)
    client.open(case)
    for step in case["steps"]:
        client.step(step)
    connection, _ = listener.accept()
    connection.setblocking(False)
    data, end = b"", "open"
    try:
        while True:
            piece = connection.recv(65536)
            if not piece:
                end = "eof"
                break
            data += piece
    except BlockingIOError:
        pass
    except ConnectionResetError:
        end = "reset"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return data, end


def is_scanned(data, case, window=8):
    pieces = [bytes.fromhex(piece) for piece in case["scanned"]]
    return all(any(data[at : at + window] in piece for piece in pieces) for at in range(max(1, len(data) - window + 1)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/tests/unit/test_tcp_model")
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.sequences > 60000:
        parser.error("at most 60000 sequences: each has a port of its own; take another seed for more")
    dump = subprocess.run(
        [args.program, "dump", str(args.sequences), str(args.seed)], capture_output=True, text=True, check=True
    )
    namespace()
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    wire.bind(("v1", 0x0800))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    wire.settimeout(2)
    listener = socket.socket()
    listener.settimeout(2)
    listener.bind(("10.99.0.2", PORT))
    listener.listen(100)
    differ, missed, start, cases = 0, 0, time.time(), [json.loads(line) for line in dump.stdout.splitlines() if line.startswith("{")]
    for number, case in enumerate(cases):
        want = bytes.fromhex(case["read"])
        got, end = kernel_reads(wire, listener, case, 1024 + number % 60000)
        if got == want:
            continue
        differ += 1
        if not is_scanned(got, case):
            missed += 1
            print(f"seed {args.seed + number}: the kernel reads {got!r} ({end}), the model {want!r} ({case['end']})")
            print(json.dumps(case))
    print(f"{len(cases)} sequences, {differ} read differently, of {missed} of these something was not scanned", end=", ")
    print(f"{time.time() - start:.1f} s, Linux {os.uname().release}")
    return 1 if missed else 0


sys.exit(main())
