#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the seeds of fuzz_pkt (frames), fuzz_frag (pieces), fuzz_tcp (operations) and fuzz_http (a control byte and a stream)
beside this script."""
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "golden"))

import wrap
SRC, DST = bytes([10, 0, 0, 1]), bytes([192, 0, 2, 7])
SRC6 = bytes.fromhex("20010db8000000000000000000000001")
DST6 = bytes.fromhex("20010db8000000000000000000000002")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def tcp(src, dst, payload=b"", options=b"", flags=0x18):
    head = struct.pack("!HHIIBBHHH", 40000, 80, 1, 2, (20 + len(options)) // 4 << 4, flags, 65535, 0, 0)
    segment = head + options + payload
    pseudo = src + dst + struct.pack("!II", len(segment), 6)
    return segment[:16] + checksum(pseudo + segment) + segment[18:]


def ipv4(payload, options=b"", fragment=0, protocol=6):
    head = struct.pack("!BBHHHBB", 0x40 | (20 + len(options)) // 4, 0, 20 + len(options) + len(payload),
                       1, fragment, 64, protocol)
    rest = SRC + DST + options
    return head + checksum(head + b"\0\0" + rest) + rest + payload


def ipv6(payload, first=6):
    return struct.pack("!IHBB", 0x60000000, len(payload), first, 64) + SRC6 + DST6 + payload


def ether(payload, kind, tags=()):
    tagged = b"".join(struct.pack("!HH", tpid, tag) for tpid, tag in tags)
    return b"\2" * 12 + tagged + struct.pack("!H", kind) + payload


def wrapped():
    """A segment in every wrapping that golden cases know."""
    packets = [("", ipv4(tcp(SRC, DST, b"GET /")), 0x0800), ("6", ipv6(tcp(SRC6, DST6, b"GET /")), 0x86DD)]
    wrap.Wrapper.numbers = iter(range(1, 1000))
    for name in sorted(n[3:] for n in dir(wrap.Wrapper) if n.startswith("in_")):
        for version, packet, kind in packets:
            if version != "" and name in ("wccp",) or version == "" and name == "teredo":
                continue
            wrapper = wrap.Wrapper("frag:24" if name == "frag" else name, None, 0, ValueError)
            yield "in_" + name + version, wrapper.frames(kind, packet, 0, b"")[0]


def pieces():
    """id and flags (0x40: more, 0x10: lengths by 16, 0x20: large offsets), offset / 8, length, which bytes."""
    def piece(flags, offset, length, text=0):
        return bytes([flags, offset >> 11, offset // 8 & 255, length, text])

    yield "in_order", piece(0x40, 0, 16) + piece(0x40, 16, 8) + piece(0, 24, 3)
    yield "backwards", piece(0, 24, 3) + piece(0x40, 16, 8) + piece(0x40, 0, 16)
    yield "duplicate", piece(0x40, 0, 16) + piece(0x40, 8, 8, 9) + piece(0, 16, 3)
    yield "overlap", piece(0x41, 0, 16) + piece(0x41, 8, 16) + piece(1, 16, 3)
    yield "two_ends", piece(0x40, 0, 16) + piece(0, 24, 3) + piece(0, 24, 8)
    yield "too_long", piece(0x30 | 2, 65528, 200) + piece(0x72, 0, 16)
    yield "age", piece(0x43, 0, 16) + bytes([0x80, 0xFF, 1, 1, 0]) + piece(3, 16, 3)


def frames():
    segment = tcp(SRC, DST, b"GET / HTTP/1.1\r\n\r\n")
    segment6 = tcp(SRC6, DST6, b"GET / HTTP/1.1\r\n\r\n")
    options = bytes.fromhex("020405b4 0103030a 080a0000000100000000 0101".replace(" ", ""))
    yield "v4", ether(ipv4(segment), 0x0800)
    yield "v4_padding", ether(ipv4(tcp(SRC, DST)) + b"\0" * 6, 0x0800)
    yield "v4_options", ether(ipv4(segment, options=b"\x07\x07\x04\0\0\0\0\x01"), 0x0800)
    yield "v4_source_route", ether(ipv4(segment, options=b"\x83\x03\x04\0"), 0x0800)
    yield "v4_fragment", ether(ipv4(segment, fragment=0x2000), 0x0800)
    yield "v4_udp", ether(ipv4(segment, protocol=17), 0x0800)
    yield "v4_syn", ether(ipv4(tcp(SRC, DST, options=options, flags=2)), 0x0800)
    yield "v4_bad_option", ether(ipv4(tcp(SRC, DST, options=b"\x03\x03\x07\x08\x0a\x01\x02\x03")), 0x0800)
    yield "vlan", ether(ipv4(segment), 0x0800, [(0x8100, 0x2123)])
    yield "qinq", ether(ipv4(segment), 0x0800, [(0x88A8, 0x100), (0x8100, 0x200)])
    yield "three_tags", ether(ipv4(segment), 0x0800, [(0x88A8, 1), (0x8100, 2), (0x8100, 3)])
    yield "v6", ether(ipv6(segment6), 0x86DD)
    chain = bytes.fromhex("3c00050200000100 2b00010400000000 2c00020000000000 0600000000000007".replace(" ", ""))
    yield "v6_chain", ether(ipv6(chain + segment6, first=0), 0x86DD)
    many = b"\x3c\0\x01\x04\0\0\0\0" * 149 + b"\x06\0\x01\x04\0\0\0\0"
    yield "v6_150_headers", ether(ipv6(many + segment6, first=60), 0x86DD)
    yield "v6_fragment", ether(ipv6(b"\x06\0\0\x01\0\0\0\x07" + segment6, first=44), 0x86DD)
    yield "v6_auth", ether(ipv6(b"\x06\x04" + b"\0" * 22 + segment6, first=51), 0x86DD)
    yield from wrapped()
    yield "arp", ether(b"\0\1\x08\0\6\4\0\1", 0x0806)


FIN, SYN, RST, ACK, URG = 1, 2, 4, 16, 32
STAMP, OLD_STAMP, MD5 = 1, 2, 3
IN_TWO, BACKWARDS, TWICE = 1, 2, 3


def operations():
    def seg(flow=0, server=0, flags=ACK, seq=0, ack=0, n=0, options=0, shape=0, other=0, six=0):
        return bytes([other << 6 | shape << 4 | six << 3 | server << 2 | flow, (flags ^ ACK) | options << 6,
                      seq & 255, ack & 255, n])

    def opened(flow=0, options=STAMP):
        return (seg(flow, flags=SYN, options=options) + seg(flow, 1, SYN | ACK, options=options)
                + seg(flow, options=options))

    def closed(flow=0):
        return seg(flow, flags=FIN | ACK) + seg(flow, 1, FIN | ACK) + seg(flow)

    def shapes(flow):
        return b"".join(seg(flow, n=90, shape=s) for s in (IN_TWO, BACKWARDS, TWICE))

    wait, end, frame = bytes([0x80 | 30]), bytes([0xC0, 0]), bytes([0xE0, 60])
    yield "plain", opened() + seg(n=100) + seg(server=1, n=200, six=1) + seg() + closed()
    yield "reordered", (opened() + seg(seq=100, n=50) + seg(seq=50, n=50) + seg(n=50) + seg(server=1, ack=100)
                        + closed())
    yield "overlap", (opened() + seg(seq=10, n=30) + seg(seq=5, n=30, other=1) + seg(seq=20, n=60, other=1)
                      + seg(n=12) + seg(server=1) + closed())
    yield "retransmitted", (opened() + seg(n=50) + seg(seq=-50, n=50, other=1) + seg(server=1) + seg(seq=-50, n=70)
                            + closed())
    yield "fragments", opened() + shapes(0) + closed()
    yield "fragments6", opened(1) + shapes(1) + closed(1)
    yield "urgent", opened() + seg(n=20, flags=ACK | URG) + seg(n=30) + closed()
    yield "reset", opened() + seg(n=20) + seg(flags=RST, seq=3) + seg(flags=RST) + seg(n=9) + opened()
    yield "reuse", opened() + seg(n=20) + closed() + opened() + seg(n=5)
    yield "old", (opened() + seg(options=STAMP, n=9) + seg(options=OLD_STAMP, n=9) + seg(options=MD5, n=9)
                  + seg(options=STAMP, seq=127, n=4) + wait + seg(n=5) + end)
    yield "midstream", seg(2, n=40) + seg(2, 1, n=90) + seg(2, seq=40, n=40) + seg(2, 1, n=9, ack=127)
    yield "raw", opened() + frame + bytes(12) + b"\x08\x00\x45" + bytes(45)


END = 2
CLIENT, HEAD, CONNECT, GAPS, NO_BUFFER = 1, 4, 8, 16, 32


def streams():
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    yield "get", END, b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: u\r\n\r\n"
    yield "pipelined", END, b"GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /3\r\n"
    yield "chunked", END, b"POST / HTTP/1.1\r\n" + chunked + b"5;x=\"y\"\r\nhello\r\n0\r\nT: x\r\n\r\n"
    yield "chunked_broken", END, b"POST / HTTP/1.1\r\n" + chunked + b"5\r\nhelloX\r\nmore"
    yield "two_lengths", END, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    yield "both", END, b"POST / HTTP/1.1\r\nContent-Length: 1\r\n" + chunked + b"0\r\n\r\n"
    yield "folded", END, b"GET / HTTP/1.1\nA: b\n c\nno colon\n: x\n\n"
    yield "old", END, b"GET /old\r\nGET /old\nGET / HTTP/1.1 \r\n\r\n"
    yield "connect", END, b"CONNECT h:443 HTTP/1.1\r\n\r\n\x16\x03\x01\x02\x00"
    yield "not_http", END, b"\r\nEHLO x\r\n\r\n"
    yield "cut", END, b"GET / HTTP/1.1\r\nHost: "
    yield "long_line", END | NO_BUFFER, b"GET /" + b"x" * 500 + b" HTTP/1.1\r\n\r\n"
    yield "gaps", END | GAPS, b"POST / HTTP/1.1\r\nContent-Length: 300\r\n\r\n" + b"abc" * 60 + b"GET / HTTP/1.1\r\n\r\n"
    yield "length", END | CLIENT, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip, br\r\n\r\nok"
    yield "blank_length", END | CLIENT, b"HTTP/1.1 200 OK\r\nContent-Length: \n2\rContent-Encoding: gzip\r\n\r\nok"
    yield "until_close", END | CLIENT, b"HTTP/1.0 200 OK\r\n\r\nall of it"
    yield "interim", END | CLIENT, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.1 304 No\r\n\r\n"
    yield "upgrade", END | CLIENT, b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"
    yield "head", END | CLIENT | HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    yield "tunnel", CLIENT | CONNECT, b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03"
    yield "icy", CLIENT, b"ICY 200 OK\r\nicy-name: x\r\n\r\nmusic"


def main():
    http = ((n, bytes([c]) + s) for n, c, s in streams())
    for folder, seeds in (("pkt", frames()), ("frag", pieces()), ("tcp", operations()), ("http", http)):
        (HERE / folder).mkdir(exist_ok=True)
        for name, data in seeds:
            (HERE / folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
