#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the seeds in corpus/ipc: one well-formed packet of each type of common/ipc.h, and a few that are not.

Run it after a change of the messages. The first byte of a seed is the number of descriptors (see fuzz_ipc.c).
"""
import pathlib
import re
import struct

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
OUT = HERE / "corpus" / "ipc"
VERSION = int(re.search(r"IPC_VERSION = (\d+)", (SOURCE / "common/ipc.h").read_text()).group(1))
COUNTERS = len(re.findall(r"^\tX\(", (SOURCE / "common/counters.h").read_text(), re.M))
HIT_BYTES = 112
EVENT_HTTP_BYTES = 8 * 2 + 2 + 6 + 4 + 4 + 16 + 128 + 384 + 128 + 128 + 64
EVENT_BYTES = 8 + 8 + 48 + 4 + 2 + 1 + 1 + EVENT_HTTP_BYTES


def packet(kind, body, fds=0, magic=0x31434757, version=VERSION, length=None):
    length = len(body) if length is None else length
    return bytes([fds]) + struct.pack("<IHHII", magic, kind, version, length, 1) + body


def seeds():
    hello = struct.pack("<16sIIIIQ32sBB6x", b"boot", 1, 2, COUNTERS, 1, 1, b"0.1.0", 0, 0)
    yield "hello", packet(1, hello)
    yield "error", packet(2, struct.pack("<i252s", -71, b"no"))
    yield "offer", packet(3, struct.pack("<QQ32sII", 4096, 1, b"digest", 1, 0), fds=1)
    yield "offer_two_fds", packet(3, struct.pack("<QQ32sII", 4096, 1, b"digest", 1, 0), fds=2)
    yield "state", packet(4, struct.pack("<IIiIQQ32s192s", 1, 1, 0, 3, 1, 1, b"digest", b""))
    hits = struct.pack("<16sIIQQQ", b"boot", 0, 2, 0, 0, 0)
    yield "hits", packet(5, hits + bytes(2 * HIT_BYTES))
    yield "hits_short", packet(5, hits + bytes(HIT_BYTES))
    yield "ack", packet(6, struct.pack("<IIQ", 0, 0, 5))
    yield "events", packet(7, struct.pack("<II", 1, 0) + bytes(EVENT_BYTES))
    yield "stats", packet(8, struct.pack("<IIQQQQ", 0, 1, 1, 1, 1, 0) + bytes(8 * COUNTERS))
    port = struct.pack("<32s32s9QIHHBB6x", b"p0", b"net_pcap", *range(9), 1000, 1, 1, 1, 255)
    yield "ports", packet(9, struct.pack("<II", 1, 0) + port)
    request = "<IIQIIQQQ256s256s64s64sIBB2x256s"
    asked = (0, 0, 0, b"www.example.com", b"", b"192.0.2.0/24", b"", 1, 0, 0, b"")
    yield "request", packet(10, struct.pack(request, 6, 0, 0, 100, 0, *asked))
    empty = (0, 0, 0, b"", b"", b"", b"", 0, 0, 0, b"")
    yield "request_load", packet(10, struct.pack(request, 11, 1, 0, 0, 0, *empty), fds=1)
    work = (0, 0, 0, b"", b"", b"", b"", 0, 2, 1, b"seen")
    yield "request_work", packet(10, struct.pack(request, 10, 0, 16, 1, 0, *work))
    yield "reply", packet(11, struct.pack("<iI", 0, 0) + b'{"hits":[]}')
    yield "bad_version", packet(1, hello, version=VERSION + 1)
    yield "bad_magic", packet(1, hello, magic=1)
    yield "bad_length", packet(1, hello, length=4)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, data in seeds():
        (OUT / name).write_bytes(data)


if __name__ == "__main__":
    main()
