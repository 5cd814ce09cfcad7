#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sends HTTP conversations out of an interface, or what clients send out of one and what servers send out of another.

usage: flows.py IFACE[,IFACE] COUNT FIRST      FIRST: number of the first flow, which makes its addresses and ports
"""
import socket
import struct
import sys
import time


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(flow, to_server, seq, ack, flags, payload):
    ends = [(struct.pack(">BBH", 10, 1, flow), 20000 + flow), (struct.pack(">BBH", 10, 2, flow), 80)]
    (src, sport), (dst, dport) = ends if to_server else ends[::-1]
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0) + payload
    tcp = tcp[:16] + struct.pack(">H", checksum(src + dst + struct.pack(">HH", 6, len(tcp)) + tcp)) + tcp[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + src + dst
    packet = head[:10] + struct.pack(">H", checksum(head)) + head[12:] + tcp
    mac = b"\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a"
    return mac + b"\x08\0" + packet


def conversation(flow):
    request = b"GET /%d HTTP/1.1\r\nHost: example.test\r\n\r\n" % flow
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nE2E-NEEDLE"
    asked, told = 101 + len(request), 501 + len(answer)
    for to_server, seq, ack, flags, payload in (
        (True, 100, 0, 0x02, b""), (False, 500, 101, 0x12, b""), (True, 101, 501, 0x10, b""),
        (True, 101, 501, 0x18, request), (False, 501, asked, 0x18, answer), (True, asked, told, 0x11, b""),
        (False, told, asked + 1, 0x11, b""), (True, asked + 1, told + 1, 0x10, b""),
    ):
        yield to_server, frame(flow, to_server, seq, ack, flags, payload)


def opened(interface):
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((interface, 0))
    return out


def main():
    outs = [opened(interface) for interface in sys.argv[1].split(",")]
    talks = [conversation(int(sys.argv[3]) + n) for n in range(int(sys.argv[2]))]
    # Turn by turn, with a pause: the answer of a flow must not be read before its question, by another queue.
    for turn in zip(*talks):
        for to_server, data in turn:
            outs[0 if to_server else -1].send(data)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
