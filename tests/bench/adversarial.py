#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two captures of one download each, of the same size: plain words, and every content of a rule file one after the other,
again and again, which is what wakes most rules most often.

usage: adversarial.py RULES BENIGN.pcap HOSTILE.pcap [MEBIBYTES]

Bench both with the same rules and compare: docs/BENCHMARKS.md.
"""
import random
import re
import struct
import sys

CLIENT, SERVER = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 1])
WORDS = "the of and to in is that it was for on are as with his they at be this from have or by one had not but what all".split()


def contents(path):
    """The bytes of every content of the rules, |hex| resolved."""
    found = set()
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            for text in re.findall(r'[; (]content:\s*"((?:[^"\\]|\\.)*)"', line):
                out = bytearray()
                for i, part in enumerate(text.split("|")):
                    if i % 2:
                        try:
                            out += bytes.fromhex(part)
                        except ValueError:
                            out = bytearray()
                            break
                    else:
                        out += re.sub(r"\\(.)", r"\1", part).encode("latin-1", "replace")
                if out:
                    found.add(bytes(out))
    return sorted(found)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Capture:
    def __init__(self, path):
        self.out = open(path, "wb")
        self.out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        self.ticks = 0

    def frame(self, to_server, seq, ack, flags, data=b""):
        src, dst = (CLIENT, SERVER) if to_server else (SERVER, CLIENT)
        ports = (40000, 80) if to_server else (80, 40000)
        tcp = struct.pack("!HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
        pseudo = src + dst + struct.pack("!BBH", 0, 6, len(tcp) + len(data))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp + data)) + tcp[18:]
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) + len(data), 0, 0x4000, 64, 6, 0, src, dst)
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        frame = bytes(12) + b"\x08\x00" + ip + tcp + data
        self.ticks += 10
        self.out.write(struct.pack("<IIII", 1700000000 + self.ticks // 1000000, self.ticks % 1000000, len(frame), len(frame)))
        self.out.write(frame)


def write(path, body):
    capture = Capture(path)
    request = b"GET /file HTTP/1.1\r\nHost: www.example.test\r\n\r\n"
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    capture.frame(True, 1000, 0, 2)
    capture.frame(False, 5000, 1001, 18)
    capture.frame(True, 1001, 5001, 16)
    capture.frame(True, 1001, 5001, 24, request)
    client, server = 1001 + len(request), 5001
    for at in range(0, len(reply), 1448):
        piece = reply[at : at + 1448]
        capture.frame(False, server, client, 24, piece)
        server += len(piece)
        if at // 1448 % 2:
            capture.frame(True, client, server, 16)
    capture.frame(False, server, client, 17)
    capture.frame(True, client, server + 1, 17)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    size = int(sys.argv[4] if len(sys.argv) == 5 else 4) << 20
    rng = random.Random(1)
    words = []
    while sum(map(len, words)) + len(words) < 1 << 16:
        words.append(rng.choice(WORDS))
    write(sys.argv[2], (" ".join(words).encode() * (size // (1 << 16) + 1))[:size])
    every = contents(sys.argv[1])
    rng.shuffle(every)
    cycle = b" ".join(every)
    write(sys.argv[3], (cycle * (size // len(cycle) + 1))[:size])
    print(f"{len(every)} contents, {len(cycle)} bytes a cycle", file=sys.stderr)


if __name__ == "__main__":
    main()
