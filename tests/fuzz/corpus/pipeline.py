#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the seeds of fuzz_pipeline and fuzz_image; run it in tests/fuzz/corpus. Formats: the targets' first comments."""
import gzip
import os
import struct

SYN, FIN, RST, ACK = 2, 1, 4, 16


def seg(data=b"", flow=0, server=False, flags=ACK, seq=0, short=False):
    out = b""
    while True:
        piece, data = data[:255], data[255:]
        out += bytes([flow | server << 4, len(piece), (flags ^ ACK) | short << 6, seq & 255]) + piece
        if not data:
            return out


def handshake(flow=0):
    return seg(flow=flow, flags=SYN) + seg(flow=flow, server=True, flags=SYN | ACK) + seg(flow=flow)


def close(flow=0):
    return seg(flow=flow, flags=FIN | ACK) + seg(flow=flow, server=True, flags=FIN | ACK) + seg(flow=flow)


def post(body, more=b"", method=b"POST"):
    return method + b" /a HTTP/1.1\r\n" + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def ok(body, more=b""):
    return b"HTTP/1.1 200 OK\r\n" + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(body):
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def idle(seconds):
    return bytes([0x80 | seconds])


def control(bits):
    return bytes([0xC0 | bits])


def frame(data, tail=1):
    return bytes([0xE0 | tail, len(data)]) + data


def h2(kind, flags, stream, data=b""):
    return struct.pack(">I", len(data))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + data


def ws(opcode, data, masked=False):
    return bytes([opcode, len(data) | masked << 7]) + (bytes(4) if masked else b"") + data


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2(4, 0, 0)
WS_GET = b"GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n"
WS_OK = b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
H2C_OK = b"HTTP/1.1 101 OK\r\nUpgrade: h2c\r\n\r\n"
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
zipped = gzip.compress(b"one and two exact end" * 9, mtime=0)
seeds = {
    "get": handshake() + seg(GET) + seg(ok(b"exact"), server=True) + close(),
    "bytes": handshake() + b"".join(seg(bytes([c])) for c in post(b"one two")) + close(),
    "pipelined": handshake() + seg(GET + GET + post(b"1x")) + seg(ok(b"") + ok(b"end") + ok(b"two"), server=True),
    "gzip": handshake() + seg(GET) + seg(ok(zipped, b"Content-Encoding: gzip\r\n"), server=True) + close(),
    "chunked": handshake() + seg(GET) + seg(chunked(b"one--two"), server=True) + close(),
    "chunks-broken": handshake() + seg(GET) + seg(chunked(b"one")[:-8] + b"x raw", server=True) + close(),
    "until-close": handshake() + seg(GET) + seg(b"HTTP/1.0 200 OK\r\n\r\nthe end", server=True) + close(),
    "reordered": handshake() + seg(post(b"one two")[20:], seq=20) + seg(post(b"one two")[:20]),
    "overlapping": handshake() + seg(GET[:10]) + seg(GET[4:20], seq=-6) + seg(b"xxxx", seq=-20) + seg(GET[10:]),
    "hole": handshake() + seg(post(b"one")[:-3]) + seg(b"ne", seq=1) + idle(60) + idle(63) + control(0),
    "fin-before-data": handshake() + seg(GET[5:], seq=5) + seg(b"late", seq=60) + seg(GET[:5]) + seg(flags=FIN | ACK, seq=9),
    "midstream": seg(ok(b"exact"), server=True) + seg(GET) + seg(ok(b"end"), server=True),
    "midstream-turned": seg(GET[3:], server=True, seq=3) + seg(GET, server=True) + seg(ok(b"one")),
    "tls": handshake() + seg(b"\x16\x03\x01\x02\x00\x01\x00 raw") + seg(b"\x16\x03\x03", server=True) + close(),
    "connect": handshake() + seg(b"CONNECT h:443 HTTP/1.1\r\n\r\n") + seg(b"HTTP/1.1 200 OK\r\n\r\n", server=True) + seg(b"\x16\x03\x01"),
    "connect-http": handshake() + seg(b"CONNECT h:80 HTTP/1.1\r\n\r\n") + seg(b"HTTP/1.1 200 OK\r\n\r\n", server=True) + seg(GET)
    + seg(ok(b"exact") + ok(b"end"), server=True) + seg(b"CONNECT h:80 HTTP/1.1\r\nContent-Length: 9\r\n\r\none") + seg(b"HTTP/1.1 200 OK\r\n\r\n" + ok(b"two"), server=True) + close(),
    "socks": handshake() + seg(b"\5\1\0") + seg(b"\5\0", server=True) + seg(b"\5\1\0\3\1h\0P" + GET) + seg(b"\5\0\0\1\0\0\0\0\0P" + ok(b"exact"), server=True) + close(),
    "socks-4": handshake() + seg(b"\4\1\0P\0\0\0\1u\0h\0" + GET) + seg(b"\0\x5a\0P\0\0\0\0" + ok(b"exact"), server=True) + close(),
    "swap": handshake() + seg(post(b"one two")[:-5]) + control(3) + seg(b"e two" + post(b"xxtwo"))
    + control(1) + control(8) + control(7) + seg(GET),
    "crowd": b"".join(handshake(f) + seg(post(b"one two raw wake", b"Cookie: c\r\n")[: 30 + 3 * f], f) for f in range(16)),
    "resets": handshake() + seg(GET[:9]) + seg(flags=RST) + seg(flags=RST, seq=5) + handshake() + seg(GET, short=True),
    "raw-rules": handshake() + seg(post(b"raw wake", b"Cookie: c\r\n")[:25]) + seg(post(b"raw wake", b"Cookie: c\r\n")[25:], short=True),
    "frames": frame(b"") + frame(b"\x02" * 13, 0) + frame(b"\x02" * 12 + b"\x08\x00\x45" + b"\x00" * 30) + frame(b"\x02" * 12 + b"\x86\xdd\x60" + b"\x00" * 50, 0),
    "websocket": handshake() + seg(WS_GET) + seg(WS_OK + ws(0x81, b"exact") + ws(2, b"one "), server=True)
    + seg(ws(0x81, b"1x raw", True) + ws(0x89, b"ping", True)) + seg(ws(0x80, b"two"), server=True) + close(),
    "websocket-deflate": handshake() + seg(WS_GET) + seg(WS_OK + ws(0xC1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"), server=True)
    + seg(ws(0xC1, b"\xf2\x00\x11\x00\x00"), server=True) + control(3) + seg(ws(0x83, b"no frame")) + close(),
    "h2": handshake() + seg(PREFACE + h2(1, 5, 1, b"\x82\x86\x04\x02/a") + h2(1, 4, 3, b"\x83\x86\x84"))
    + seg(h2(4, 0, 0) + h2(1, 4, 1, b"\x88") + h2(0, 0, 1, b"exa") + h2(0, 1, 1, b"ct"), server=True)
    + seg(h2(0, 8, 3, b"\x02one\0\0") + h2(3, 0, 3, bytes(4)) + h2(0x99, 0, 0, b"raw")) + close(),
    "h2-server-first": handshake() + seg(h2(4, 0, 0), server=True) + seg(PREFACE) + idle(9) + control(7)
    + seg(h2(1, 1, 1, b"\x82\x84") + h2(9, 4, 1, b"\0\1a\1b")) + seg(h2(5, 4, 1, b"\0\0\0\2\x82") + h2(0, 0, 2, b"two"), server=True),
    "h2c": handshake() + seg(b"GET /a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n") + seg(H2C_OK + h2(4, 0, 0) + h2(1, 5, 1, b"\x88"), server=True)
    + seg(PREFACE + h2(9, 0, 1) + b"raw") + close(),
    "head-large": handshake() + b"".join(seg(b"X: " + b"y" * 200 + b"\r\n" if i else b"GET /a HTTP/1.1\r\n") for i in range(12)) + seg(b"\r\n"),
}

os.makedirs("pipeline", exist_ok=True)
for name, data in seeds.items():
    with open(os.path.join("pipeline", name), "wb") as f:
        f.write(data)

patches = {
    "good": b"",
    "magic": struct.pack(">HBB", 0, 0, 1),
    "version": struct.pack(">HBB", 4, 1, 2),
    "length": struct.pack(">HBB", 8, 0, 0x80),
    "digest": struct.pack(">HBB", 30, 0, 0xFF),
    "sections": b"".join(struct.pack(">HBB", 0x100 + 8 * i, 0, 1 << i % 8) for i in range(4)),
    "everywhere": b"".join(struct.pack(">HBB", 37 * i, 2, 0xFF) for i in range(3)),
}
os.makedirs("image", exist_ok=True)
for name, data in patches.items():
    with open(os.path.join("image", name), "wb") as f:
        f.write(data)
# One record after the other behind the header, so that most of them stay good enough to be loaded.
for i in range(24):
    with open(os.path.join("image", "record-%02d" % i), "wb") as f:
        f.write(struct.pack(">HBB", 700 + 43 * i, 0, 1 << i % 8))
