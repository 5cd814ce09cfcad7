# SPDX-License-Identifier: BSD-2-Clause
"""What an IP packet of a conversation travels in: fragments, tunnels, link headers (see README.md).

A packet on its way is (ethertype, bytes); every wrapping turns one into a list of them, the innermost comes first in
the text: wrap=frag:8,vxlan:7 is VXLAN around each piece of 8 bytes.
"""
import itertools
import struct

MACS = [b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"]
OUTER = [bytes([203, 0, 113, 1]), bytes([203, 0, 113, 2])]
OUTER6 = [bytes.fromhex("20010db800ff00000000000000000001"), bytes.fromhex("20010db800ff00000000000000000002")]
IPV4, IPV6, MPLS, PPPOE, TEB = 0x0800, 0x86DD, 0x8847, 0x8864, 0x6558

# name: (link type of the file, header for an ethertype)
LINKS = {
    "ethernet": (1, None),
    "null": (0, lambda kind: struct.pack("<I", 2 if kind == IPV4 else 10)),
    "loop": (108, lambda kind: struct.pack(">I", 2 if kind == IPV4 else 24)),
    "raw": (101, lambda kind: b""),
    "sll": (113, lambda kind: struct.pack(">HHHQH", 0, 1, 6, 0, kind)),
    "sll2": (276, lambda kind: struct.pack(">HHIHBBQ", kind, 0, 1, 1, 0, 6, 0)),
    "hdlc": (104, lambda kind: struct.pack(">HH", 0x0F00, kind)),
    "ppp": (9, lambda kind: b"\xff\x03" + ppp_proto(kind)),
    "mpls": (219, lambda kind: label(kind)),
    "arcnet": (129, lambda kind: struct.pack(">BBHBBH", 1, 2, 0, 212 if kind == IPV4 else 196, 0, 1)),
}


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ppp_proto(kind):
    return struct.pack(">H", {IPV4: 0x21, IPV6: 0x57, MPLS: 0x281}[kind])


def label(_kind, number=16):
    return struct.pack(">I", number << 12 | 1 << 8 | 64)


def ethernet(kind, data, direction):
    return MACS[1 - direction] + MACS[direction] + struct.pack(">H", kind) + data


def sealed(head):
    return head[:10] + struct.pack(">H", checksum(head[:10] + b"\0\0" + head[12:])) + head[12:]


class Wrapper:
    """The wrapping of one flow; numbers of datagrams go up across flows."""

    numbers = itertools.count(0x1000)

    def __init__(self, steps, link, line, error):
        self.steps = [step.split(":") for step in steps.split(",")] if steps else []
        self.link = link or "ethernet"
        for name in [step[0] for step in self.steps]:
            if not hasattr(self, "in_" + name):
                raise error(f"line {line}: unknown wrapping {name}")
        if self.link not in LINKS:
            raise error(f"line {line}: unknown link type {self.link}")

    def frames(self, kind, data, direction, tags):
        packets = [(kind, data)]
        for name, *args in self.steps:
            made = []
            for packet in packets:
                made += getattr(self, "in_" + name)(*packet, direction, *args)
            if name == "frag" and "rev" in args:
                made.reverse()
            packets = made
        if self.link == "ethernet":
            mac = MACS[1 - direction] + MACS[direction]
            return [mac + tags + struct.pack(">H", kind) + data for kind, data in packets]
        return [LINKS[self.link][1](kind) + data for kind, data in packets]

    def outer(self, protocol, data, direction, version=4):
        if version == 6:
            head = struct.pack(">IHBB", 6 << 28, len(data), protocol, 64)
            return [(IPV6, head + OUTER6[direction] + OUTER6[1 - direction] + data)]
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), next(self.numbers) & 0xFFFF, 0, 64, protocol, 0)
        return [(IPV4, sealed(head + OUTER[direction] + OUTER[1 - direction]) + data)]

    def udp(self, sport, dport, data, direction):
        return self.outer(17, struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data, direction)

    def in_frag(self, kind, data, _direction, size="8", *_how):
        size, number = int(size), next(self.numbers)
        head = (data[0] & 15) * 4 if kind == IPV4 else 40
        pieces = [data[i : i + size] for i in range(head, len(data), size)]
        if len(pieces) < 2:
            return [(kind, data)]
        out = []
        for i, piece in enumerate(pieces):
            more = i + 1 < len(pieces)
            if kind == IPV4:
                field = (0x2000 if more else 0) | i * size // 8
                start = struct.pack(">BBHHH", data[0], data[1], head + len(piece), number & 0xFFFF, field)
                out.append((kind, sealed(start + data[8:head]) + piece))
            else:
                start = data[:4] + struct.pack(">HB", 8 + len(piece), 44) + data[7:40]
                out.append((kind, start + struct.pack(">BBHI", data[6], 0, i * size | more, number) + piece))
        return out

    def in_ipip(self, kind, data, direction, version="4"):
        return self.outer(4 if kind == IPV4 else 41, data, direction, int(version))

    def in_gre(self, kind, data, direction, key=None):
        head = struct.pack(">HH", 0 if key is None else 0x2000, kind)
        # a key of its own for each direction
        head += b"" if key is None else struct.pack(">I", int(key) + direction)
        return self.outer(47, head + data, direction)

    def in_nvgre(self, kind, data, direction):
        return self.outer(47, struct.pack(">HHI", 0x2000, TEB, 77) + ethernet(kind, data, direction), direction)

    def in_greudp(self, kind, data, direction):
        return self.udp(50000, 4754, struct.pack(">HH", 0, kind) + data, direction)

    def in_pptp(self, kind, data, direction):
        body = b"\xff\x03" + ppp_proto(kind) + data
        return self.outer(47, struct.pack(">HHHHI", 0x3001, 0x880B, len(body), direction, 1) + body, direction)

    def in_wccp(self, _kind, data, direction):
        return self.outer(47, struct.pack(">HHI", 0, 0x883E, 0) + data, direction)

    # A mirror sends both directions to one collector.
    def in_erspan(self, kind, data, direction, version="2"):
        frame = ethernet(kind, data, direction)
        if version == "1":
            head = struct.pack(">HH", 0, 0x88BE)
        elif version == "2":
            head = struct.pack(">HHIHHI", 0x1000, 0x88BE, 1, 0x1007, 3 + direction, 0)
        else:
            head = struct.pack(">HHIHHIHHQ", 0x1000, 0x22EB, 1, 0x2007, 3, 0, 0, 1, 0)
        return self.outer(47, head + frame, 0)

    def in_vxlan(self, kind, data, direction, number="7", port="4789"):
        head = struct.pack(">II", 0x08000000, int(number) << 8)
        return self.udp(50000 + direction, int(port), head + ethernet(kind, data, direction), direction)

    def in_gpe(self, kind, data, direction):
        head = struct.pack(">BBBBI", 0x0C, 0, 0, 1 if kind == IPV4 else 2, 9 << 8)
        return self.udp(50000, 4790, head + data, direction)

    def in_geneve(self, kind, data, direction, number="7"):
        head = struct.pack(">BBHI", 1, 0, TEB, int(number) << 8) + struct.pack(">HBB", 0x0103, 1, 0)
        return self.udp(50000 + direction, 6081, head + ethernet(kind, data, direction), direction)

    def in_teredo(self, _kind, data, direction):
        origin = struct.pack(">HHI", 0, 0x1234, 0x01020304) if direction else b""
        ports = (3544, 40000) if direction else (40000, 3544)
        return self.udp(*ports, origin + data, direction)

    def in_l2tp(self, kind, data, direction):
        body = b"\xff\x03" + ppp_proto(kind) + data
        head = struct.pack(">HHHHHHH", 0x4A02, 16 + len(body), 5 + direction, 9, 0, 0, 2) + b"\0\0"
        return self.udp(1701, 1701, head + body, direction)

    def in_pppoe(self, kind, data, _direction, session="5"):
        body = ppp_proto(kind) + data
        return [(PPPOE, struct.pack(">BBHH", 0x11, 0, int(session), len(body)) + body)]

    def in_mpls(self, kind, data, direction):
        stack = struct.pack(">I", (100 + direction) << 12 | 64)
        return [(MPLS, stack + label(kind) + data)]

    def in_pseudowire(self, kind, data, direction):
        return [(MPLS, label(kind) + b"\0\0\0\0" + ethernet(kind, data, direction))]

    def in_mplsudp(self, kind, data, direction):
        return self.udp(50000, 6635, label(kind) + data, direction)

    def in_pbb(self, kind, data, direction, service="9"):
        return [(0x88E7, struct.pack(">I", int(service)) + ethernet(kind, data, direction))]

    def in_gtp(self, _kind, data, direction):
        return self.udp(2152, 2152, struct.pack(">BBHI", 0x30, 0xFF, len(data), 1 + direction) + data, direction)
