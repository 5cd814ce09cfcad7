#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Do we read what the running kernel reads of random sequences of segments? By hand, as root.

usage: linux_model.py [--program PROG] [--sequences N] [--seed S]

PROG (default build/tests/unit/test_tcp_model) makes the sequences. Each is sent to a socket of this machine's kernel, in
a network namespace of its own, and what the kernel answers is seen between the segments, as on a wire.

Where the kernel read something else than what is the stream to us, it is for something that no packet shows: the shape
of the tree in which it keeps what is out of order decides which neighbours it joins, and whether it had memory for a
segment on its short way decides whether an old acknowledgement is looked at. Then all that the kernel read must have
been scanned as another reading, every eight bytes of it in one piece, and an anomaly must say that there are two
("told"). Fails if something was not scanned ("missed") or not said ("silent"); such sequences are printed with the
steps that are needed for it.
"""
import argparse
import collections
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
SERVER, PORTS, CLIENTS = socket.inet_aton("10.99.0.2"), 60000, 100  # one client address for as many connections as it has ports
ETHER = bytes.fromhex("020000000002020000000077") + b"\x08\x00"
OPT_NONE, OPT_MD5 = 0, 4
CLONE_NEWNET = 0x40000000
SAME, TOLD, SILENT, MISSED = "the same", "told", "silent", "missed"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def run(command):
    subprocess.run(command, shell=True, check=True)


def client_address(number):
    return bytes([10, 99, 0, 77 + number])


def namespace():
    """A network of our own, which ends with this process: both ends of one link."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        sys.exit(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    run("ip link set lo up; ip link add v0 type veth peer name v1")
    run("ip link set v0 address 02:00:00:00:00:02; ip link set v1 address 02:00:00:00:00:77")
    run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1; ip link set v0 up; ip link set v1 up; ip addr add 10.99.0.2/24 dev v0")
    for number in range(CLIENTS):
        address = socket.inet_ntoa(client_address(number))
        run(f"ip neigh replace {address} lladdr 02:00:00:00:00:77 dev v0 nud permanent")


class Client:
    def __init__(self, wire, number):
        self.wire, self.address, self.port = wire, client_address(number // PORTS), 1024 + number % PORTS
        self.ack, self.echo, self.answers = 0, 0, []

    def send(self, seq, flags, data=b"", ack=None, options=b""):
        options += b"\1" * (-len(options) % 4)
        ack = self.ack if ack is None else ack
        head = struct.pack(
            ">HHIIBBHHH", self.port, PORT, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (20 + len(options)) // 4 << 4, flags, 60000, 0, 0
        )
        segment = head + options + data
        total = checksum(self.address + SERVER + struct.pack(">BBH", 0, 6, len(segment)) + segment)
        segment = segment[:16] + struct.pack(">H", total) + segment[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, 6, 0) + self.address + SERVER
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

    def hear(self, number):
        """What the kernel says to the segment with this number."""
        self.wire.setblocking(False)
        try:
            while True:
                frame, address = self.wire.recvfrom(65536)
                tcp = frame[34:]
                if address[2] == socket.PACKET_OUTGOING or frame[23] != 6 or tcp[2:4] != struct.pack(">H", self.port):
                    continue
                ack, _, flags, window = struct.unpack(">IBBH", tcp[8:16])
                self.answers.append(f"{number}:{flags}:{ack}:{window}")
        except BlockingIOError:
            self.wire.settimeout(2)

    def step(self, number, step):
        options = b""
        if step["option"] == OPT_MD5:
            options = b"\x13\x12" + b"\xaa" * 16
        elif step["option"] != OPT_NONE:
            options = self.stamp(step["tsval"])
        self.send(ISN + 1 + step["at"], step["flags"], bytes.fromhex(step["data"]), self.ack + step["ack"], options)
        self.hear(number)


def kernel_reads(wire, listener, case, number):
    """The bytes, how it ends, and what it said meanwhile."""
    client = Client(wire, number)
    client.hear(0)  # what was said to the last one
    client.open(case)
    for place, step in enumerate(case["steps"]):
        client.step(place, step)
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
    return data, end, client.answers


def is_scanned(data, case, window=8):
    pieces = [bytes.fromhex(piece) for piece in case["scanned"]]
    return all(any(data[at : at + window] in piece for piece in pieces) for at in range(max(1, len(data) - window + 1)))


class Kernel:
    """A listening socket of this machine, in a network of its own, and a wire to it."""

    def __init__(self):
        namespace()
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.wire.bind(("v1", 0x0800))
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.wire.settimeout(2)
        self.listener = socket.socket()
        self.listener.settimeout(2)
        self.listener.bind(("10.99.0.2", PORT))
        self.listener.listen(100)
        self.connections = 0

    def reads(self, case):
        self.connections += 1
        return kernel_reads(self.wire, self.listener, case, self.connections)


class Engine:
    """The program: what a sequence is, and what is read of it."""

    def __init__(self, program):
        self.run = subprocess.Popen([program, "ask"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, seed, steps, answers=()):
        print(seed, steps, *answers, file=self.run.stdin, flush=True)
        return json.loads(self.run.stdout.readline())


def judge(kernel, engine, seed, steps=0xFFFFFFFF):
    """What is read, and whether the kernel reads the same, or its reading is told (scanned, and an anomaly), silent or missed."""
    got, end, answers = kernel.reads(engine.ask(seed, steps))
    case = engine.ask(seed, steps, answers or [""])
    if got == bytes.fromhex(case["read"]):
        return SAME, case, got, end
    if not is_scanned(got, case):
        return MISSED, case, got, end
    return TOLD if case["anomalies"] else SILENT, case, got, end


def shrink(kernel, engine, seed, case, verdict):
    """Leave out the steps that are not needed for it."""
    kept = (1 << len(case["steps"])) - 1
    for step in range(len(case["steps"])):
        less = kept & ~(1 << step)
        if less and judge(kernel, engine, seed, less)[0] == verdict:
            kept = less
    return kept


def script(case):
    """One line for each step: place, flags, what is odd, data."""
    flags = "FSRPA"
    for step in case["steps"]:
        name = "".join(flag for bit, flag in enumerate(flags) if step["flags"] >> bit & 1)
        odd = [f"ack{step['ack']:+}"] if step["ack"] else []
        odd += [("none", f"ts={step['tsval']}", f"ts={step['tsval']}", f"ts={step['tsval']}", "md5")[step["option"]]]
        yield f"{step['at']:5} {name:2} {' '.join(odd):12} {bytes.fromhex(step['data']).decode()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/tests/unit/test_tcp_model")
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    kernel, engine, count, start = Kernel(), Engine(args.program), collections.Counter(), time.time()
    for seed in range(args.seed, args.seed + args.sequences):
        verdict, case, _, _ = judge(kernel, engine, seed)
        count[verdict] += 1
        if verdict not in (SILENT, MISSED):
            continue
        _, case, got, end = judge(kernel, engine, seed, shrink(kernel, engine, seed, case, verdict))
        print(f"seed {seed}, {verdict}: ts={case['ts']} sack={case['sack']}", *script(case), sep="\n")
        print(f"  the kernel reads {got.decode()} ({end}), we {bytes.fromhex(case['read']).decode()}")
        print("  scanned:", *(bytes.fromhex(piece).decode() for piece in case["scanned"]), flush=True)
    print(f"{sum(count.values())} sequences:", ", ".join(f"{count[v]} {v}" for v in (SAME, TOLD, SILENT, MISSED)), end=", ")
    print(f"{time.time() - start:.1f} s, Linux {os.uname().release}")
    return 1 if count[SILENT] + count[MISSED] else 0


sys.exit(main())
