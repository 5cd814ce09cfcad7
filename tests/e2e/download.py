#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A long download out of an interface, step by step, and noise.

usage: download.py IFACE begin             the request, the head of the answer, and a needle
       download.py IFACE more FIRST COUNT  so many pieces of 1,000 bytes of the answer
       download.py IFACE end PIECES        both sides end, behind so many pieces
       download.py IFACE noise COUNT       frames that are nothing
"""
import sys
import time

from flows import frame, opened

FLOW = 9000
PIECE = 1000
REQUEST = b"GET /large HTTP/1.1\r\nHost: example.test\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nE2E-NEEDLE".ljust(PIECE, b".")
ASKED, TOLD = 101 + len(REQUEST), 501 + len(ANSWER)
ACK, PUSH_ACK, FIN_ACK = 0x10, 0x18, 0x11


def begin():
    yield True, 100, 0, 0x02, b""
    yield False, 500, 101, 0x12, b""
    yield True, 101, 501, ACK, b""
    yield True, 101, 501, PUSH_ACK, REQUEST
    yield False, 501, ASKED, PUSH_ACK, ANSWER
    yield True, ASKED, TOLD, ACK, b""


def more(first, count):
    for at in range(TOLD + first * PIECE, TOLD + (first + count) * PIECE, PIECE):
        yield False, at, ASKED, ACK, b"." * PIECE
        yield True, ASKED, at + PIECE, ACK, b""


def end(pieces):
    told = TOLD + pieces * PIECE
    yield False, told, ASKED, FIN_ACK, b""
    yield True, ASKED, told + 1, FIN_ACK, b""
    yield False, told + 1, ASKED + 1, ACK, b""


def noise(count):
    return (bytes(60) for _ in range(count))


step = {"begin": begin, "more": more, "end": end, "noise": noise}[sys.argv[2]]
out = opened(sys.argv[1])
for n, data in enumerate(step(*map(int, sys.argv[3:])), 1):
    out.send(data if isinstance(data, bytes) else frame(FLOW, *data))
    if n % 500 == 0 and step is more:
        time.sleep(0.01)  # it is not the download that is too much
