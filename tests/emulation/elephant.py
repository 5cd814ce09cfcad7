#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sends a TLS connection that goes on and on, out of an interface.

usage: elephant.py IFACE PORT FIRST COUNT      COUNT segments of 1,000 bytes from the server, from number FIRST on; 0: begin
"""
import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(port, to_server, seq, ack, flags, payload=b""):
    ends = [(bytes([10, 3, 0, 1]), port), (bytes([10, 4, 0, 1]), 443)]
    (src, sport), (dst, dport) = ends if to_server else ends[::-1]
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0) + payload
    tcp = tcp[:16] + struct.pack(">H", checksum(src + dst + struct.pack(">HH", 6, len(tcp)) + tcp)) + tcp[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + src + dst
    return b"\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a\x08\0" + head[:10] + struct.pack(">H", checksum(head)) + head[12:] + tcp


def main(interface, port, first, count):
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((interface, 0))
    hello = b"\x16\x03\x01\x00\x3b\x01\x00\x00\x37\x03\x03".ljust(64, b"\0")
    if first == 0:
        for args in ((True, 100, 0, 0x02), (False, 500, 101, 0x12), (True, 101, 501, 0x18, hello)):
            out.send(frame(port, *args))
    for i in range(first, first + count):
        out.send(frame(port, False, 501 + 1000 * i, 165, 0x18, bytes(1000)))


main(sys.argv[1], *(int(arg) for arg in sys.argv[2:5]))
