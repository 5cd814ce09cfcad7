#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does a capture (classic pcap, Ethernet) have a TCP payload that ends inside the needle?

usage: check_split.py FILE.pcap NEEDLE
"""
import struct
import sys


def payloads(data):
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        if frame[12:14] == b"\x08\x00":
            head = (frame[14] & 15) * 4
            total = struct.unpack_from(">H", frame, 16)[0]
            tcp = frame[14 + head : 14 + total]
        elif frame[12:14] == b"\x86\xdd":
            tcp = frame[54 : 54 + struct.unpack_from(">H", frame, 18)[0]]
        else:
            continue
        yield tcp[(tcp[12] >> 4) * 4 :]


def main(path, needle):
    with open(path, "rb") as capture:
        data = capture.read()
    needle = needle.encode()
    ends = [needle[:n] for n in range(4, len(needle))]
    # a chunk ends with a line end of its own
    cut = [p for p in payloads(data) if any(p.removesuffix(b"\r\n").endswith(end) for end in ends)]
    full = [p for p in cut if len(p) >= 1400]
    print(f"{len(cut)} segments end inside the needle, {len(full)} of them are full segments")
    return 0 if len(full) >= 1 and len(cut) >= 2 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
