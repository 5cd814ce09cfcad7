#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A capture on stdout: 20 HTTP downloads in frames of 60,000 bytes, as a card that merges segments delivers them."""
import struct
import sys


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(src, dst, sport, dport, seq, ack, flags, payload=b""):
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0) + payload
    tcp = tcp[:16] + struct.pack(">H", checksum(src + dst + struct.pack(">HH", 6, len(tcp)) + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + src + dst
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return b"\0" * 12 + b"\x08\0" + ip + tcp


frames = []
for n in range(20):
    client, server, port = bytes([10, 0, n, 1]), bytes([10, 0, n, 2]), 1000 + n
    request = b"GET /large HTTP/1.1\r\nHost: example.test\r\n\r\n"
    body = b"A" * 59000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (3 * len(body)) + body
    acked = 2 + len(request)
    frames += [frame(client, server, port, 80, 1, 0, 2), frame(server, client, 80, port, 1, 2, 18),
               frame(client, server, port, 80, 2, 2, 24, request)]
    seq = 2
    for part in (answer, body, body):
        frames.append(frame(server, client, 80, port, seq, acked, 24, part))
        seq += len(part)
    frames += [frame(server, client, 80, port, seq, acked, 17), frame(client, server, port, 80, acked, seq + 1, 17),
               frame(server, client, 80, port, seq + 1, acked + 1, 16)]

out = sys.stdout.buffer
out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
for number, data in enumerate(frames):
    out.write(struct.pack("<IIII", 1700000000, number, len(data), len(data)) + data)
