#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""traffic.py FILE [HTTP TLS]: a capture to be played in a circle: HTTP connections (400) of four transactions each, a page with the needle
of the end-to-end tests in every hundredth, and TLS ones (400), 50 at a time. Prints one line of JSON: how many frames, and after which
of them there is a hit; the same in every round. IPv4, Ethernet, right checksums."""
import json
import random
import struct
import sys

WORDS = b"the of and to in is that for it was on are as with his they at be this from have or by one had not ".split()


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Connection:
    """Frames of both directions, in order."""

    def __init__(self, n, port):
        self.ends = [(struct.pack(">BBH", 10, 1, n), 20000 + n), (struct.pack(">BBH", 10, 2, n), port)]
        self.seq = [1000 * n + 1, 7000 * n + 5]
        self.frames = []
        self.hits = []
        self.send(0, 0x02)
        self.send(1, 0x12)
        self.send(0, 0x10)

    def send(self, side, flags, payload=b"", hit=False):
        (src, sport), (dst, dport) = self.ends[side], self.ends[1 - side]
        ack = self.seq[1 - side] if flags & 0x10 else 0
        tcp = struct.pack(">HHIIBBHHH", sport, dport, self.seq[side], ack, 5 << 4, flags, 65535, 0, 0) + payload
        tcp = tcp[:16] + struct.pack(">H", checksum(src + dst + struct.pack(">HH", 6, len(tcp)) + tcp)) + tcp[18:]
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + src + dst
        packet = head[:10] + struct.pack(">H", checksum(head)) + head[12:] + tcp
        self.frames.append(b"\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a\x08\0" + packet)
        self.hits.append(hit)
        self.seq[side] += len(payload) + (1 if flags & 0x03 else 0)

    def close(self):
        self.send(0, 0x11)
        self.send(1, 0x11)
        self.send(0, 0x10)


def web(n):
    c = Connection(n, 80)
    for k in range(4):
        c.send(0, 0x18, b"GET /page/%d/%d HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: traffic\r\nAccept: */*\r\n\r\n" % (n, k))
        c.send(1, 0x10)
        needle = (4 * n + k) % 100 == 0
        body = b" ".join(random.choice(WORDS) for _ in range(500)) + (b"E2E-NEEDLE" if needle else b"")
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        for at in range(0, len(answer), 1460):
            c.send(1, 0x18, answer[at:at + 1460], needle and at + 1460 >= len(answer))
            c.send(0, 0x10)
    c.close()
    return c


def tls(n):
    c = Connection(n, 443)
    c.send(0, 0x18, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(505))
    for _ in range(16):
        c.send(1, 0x18, b"\x17\x03\x03\x04\x00" + random.randbytes(1024))
        c.send(0, 0x10)
        c.send(0, 0x18, b"\x17\x03\x03\x00\x60" + random.randbytes(96))
        c.send(1, 0x10)
    c.close()
    return c


random.seed(1)
webs, others = ([int(a) for a in sys.argv[2:4]] + [400, 400])[:2]
connections = [web(n) for n in range(webs)] + [tls(30000 + n) for n in range(others)]
random.shuffle(connections)
frames, hits = 0, []
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for at in range(0, len(connections), 50):
        group = connections[at:at + 50]
        for turn in range(max(len(c.frames) for c in group)):
            for c in group:
                if turn < len(c.frames):
                    frames += 1
                    if c.hits[turn]:
                        hits.append(frames)
                    f.write(struct.pack("<IIII", 0, frames, len(c.frames[turn]), len(c.frames[turn])) + c.frames[turn])
print(json.dumps({"frames": frames, "hits": hits}))
