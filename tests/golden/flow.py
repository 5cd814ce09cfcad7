# SPDX-License-Identifier: BSD-2-Clause
"""Turns a conversation written as text (input.flow, see README.md) into the packets of a capture file.

Only the standard library; the same text gives the same bytes everywhere. Checksums are right, sequence numbers add
up, every block is acknowledged. Everything that is odd about a capture is written in its text.
"""
import gzip
import re
import socket
import struct
import zlib

import wrap

MSS = 1400
BASE_TIME_US = 1_700_000_000_000_000
STEP_US = 1000

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


class FlowError(Exception):
    """What is wrong with the text, with its line."""


ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}


def unescape(text, line):
    """C-like escapes: \\r \\n \\t \\0 \\\\ \\xHH."""
    out = bytearray()
    i = 0
    while i < len(text):
        if text[i] != "\\":
            out += text[i].encode()
            i += 1
            continue
        kind = text[i + 1 : i + 2]
        if kind == "x" and re.fullmatch("[0-9a-fA-F]{2}", text[i + 2 : i + 4]):
            out.append(int(text[i + 2 : i + 4], 16))
            i += 4
        elif kind in ESCAPES:
            out += ESCAPES[kind]
            i += 2
        else:
            raise FlowError(f"line {line}: unknown escape \\{kind}")
    return bytes(out)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def raw_deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def chunked(data, size):
    out = b""
    for i in range(0, len(data), size):
        part = data[i : i + size]
        out += b"%x\r\n%s\r\n" % (len(part), part)
    return out + b"0\r\n\r\n"


# What may be done to the bytes of a block before they are cut into segments, in this order.
TRANSFORMS = [
    ("repeat", lambda data, arg: data * int(arg)),
    ("gzip", lambda data, arg: gzip.compress(data, 9, mtime=0)),
    ("zlib", lambda data, arg: zlib.compress(data, 9)),
    ("deflate", lambda data, arg: raw_deflate(data)),
    ("chunked", lambda data, arg: chunked(data, int(arg or 1024))),
]
BLOCK_OPTIONS = {name for name, _ in TRANSFORMS} | {"split", "seg", "send", "fin", "rst", "wait", "noack"}
FLOW_OPTIONS = {"client", "server", "sport", "port", "vlan", "ipv6", "midstream", "isn", "only", "open", "wrap", "link"}


def options_of(text, known, line):
    options = {}
    for word in text.split():
        name, _, value = word.partition("=")
        if name not in known:
            raise FlowError(f"line {line}: unknown option {name}")
        options[name] = value
    return options


class Block:
    def __init__(self, direction, options, data, line):
        self.direction, self.options, self.data, self.line = direction, options, data, line


class Flow:
    def __init__(self, options, line):
        self.options, self.line, self.blocks = options, line, []


def parse(text):
    """The flows of a text, with all bytes of their blocks resolved."""
    flows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "flow":
            flows.append(Flow(options_of(rest, FLOW_OPTIONS, number), number))
        elif word in (">>>", "<<<"):
            if not flows:
                flows.append(Flow({}, number))
            options = {}
            if rest.startswith("["):
                inside, bracket, rest = rest[1:].partition("]")
                if not bracket:
                    raise FlowError(f"line {number}: [ without ]")
                options = options_of(inside, BLOCK_OPTIONS, number)
                rest = rest[1:] if rest.startswith(" ") else rest
            direction = 0 if word == ">>>" else 1
            flows[-1].blocks.append(Block(direction, options, unescape(rest, number), number))
        elif word == "..." and flows and flows[-1].blocks:
            flows[-1].blocks[-1].data += unescape(rest, number)
        else:
            raise FlowError(f"line {number}: expected flow, >>>, <<<, ... or #")
    for flow in flows:
        for block in flow.blocks:
            for name, transform in TRANSFORMS:
                if name in block.options:
                    block.data = transform(block.data, block.options[name])
        # @len stands for the size of the next block of the same side, @len2 for the next two together
        for i, block in enumerate(flow.blocks):
            sizes = [len(b.data) for b in flow.blocks[i + 1 :] if b.direction == block.direction]
            block.data = re.sub(
                rb"@len(\d?)",
                lambda m, sizes=sizes: b"%d" % sum(sizes[: int(m.group(1) or 1)]),
                block.data,
            )
    return flows


def cut(block, segment_bytes):
    """The segments of a block: [bytes]."""
    data = block.data
    if segment_bytes:
        return [data[i : i + segment_bytes] for i in range(0, len(data), segment_bytes)]
    if "split" in block.options:
        marks = [int(x) for x in block.options["split"].split(",")]
        marks = sorted(m if m >= 0 else len(data) + m for m in marks)
        edges = [0] + marks + [len(data)]
        return [data[a:b] for a, b in zip(edges, edges[1:]) if a < b]
    size = int(block.options.get("seg") or MSS)
    return [data[i : i + size] for i in range(0, len(data), size)]


def sending(block, segments):
    """(offset, bytes) in the order in which the wire carries them."""
    offsets = [sum(len(s) for s in segments[:i]) for i in range(len(segments))]
    if "send" not in block.options:
        return list(zip(offsets, segments))
    order = []
    for item in block.options["send"].split(","):
        number, _, other = item.partition("=")
        if number.startswith("@"):
            order.append((int(number[1:]), unescape(other, block.line)))
            continue
        index = int(number) - 1
        if not 0 <= index < len(segments):
            raise FlowError(f"line {block.line}: send={number}, but there are {len(segments)} segments")
        data = segments[index]
        if other:
            data = unescape(other, block.line)
            if len(data) != len(segments[index]):
                raise FlowError(f"line {block.line}: replacement of segment {number} has another length")
        order.append((offsets[index], data))
    return order


class Writer:
    """Frames of one flow, appended to a shared list of (time, bytes)."""

    def __init__(self, flow, number, packets):
        o = flow.options
        self.packets = packets
        self.ipv6 = "ipv6" in o
        family = socket.AF_INET6 if self.ipv6 else socket.AF_INET
        client = o.get("client") or ("2001:db8::c" if self.ipv6 else "192.0.2.10")
        server = o.get("server") or ("2001:db8::5" if self.ipv6 else "198.51.100.20")
        self.address = [socket.inet_pton(family, client), socket.inet_pton(family, server)]
        self.port = [int(o.get("sport") or 40000 + number), int(o.get("port") or 80)]
        self.wrapper = wrap.Wrapper(o.get("wrap"), o.get("link"), flow.line, FlowError)
        self.vlan = [int(x) for x in o["vlan"].split(",")] if "vlan" in o else []
        isn = [int(x) for x in o["isn"].split(",")] if "isn" in o else [1000, 500000]
        self.seq = isn if len(isn) == 2 else isn * 2
        self.only = {"client": 0, "server": 1}.get(o.get("only"))
        self.ident = [1, 1]

    def frame(self, direction, seq, flags, data=b"", options=b""):
        if self.only is not None and direction != self.only:
            return
        src, dst = self.address[direction], self.address[1 - direction]
        ack = self.seq[1 - direction] if flags & ACK else 0
        tcp = struct.pack(
            ">HHIIBBHHH",
            self.port[direction],
            self.port[1 - direction],
            seq & 0xFFFFFFFF,
            ack & 0xFFFFFFFF,
            (20 + len(options)) // 4 << 4,
            flags,
            64240,
            0,
            0,
        )
        tcp += options + data
        pseudo = src + dst + struct.pack(">I3xB" if self.ipv6 else ">xBH", *((len(tcp), 6) if self.ipv6 else (6, len(tcp))))
        tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
        if self.ipv6:
            ip = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + src + dst
        else:
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), self.ident[direction], 0x4000, 64, 6, 0)
            ip += src + dst
            ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
            self.ident[direction] += 1
        tags = b""
        for i, tag in enumerate(self.vlan):
            outer = i == 0 and len(self.vlan) > 1
            tags += struct.pack(">HH", 0x88A8 if outer else 0x8100, tag)
        kind = wrap.IPV6 if self.ipv6 else wrap.IPV4
        for frame in self.wrapper.frames(kind, ip + tcp, direction, tags):
            time = self.packets[-1][0] + STEP_US if self.packets else BASE_TIME_US
            self.packets.append((time, frame))

    def handshake(self):
        mss = struct.pack(">BBH", 2, 4, MSS)
        self.frame(0, self.seq[0], SYN, options=mss)
        self.seq[0] += 1
        self.frame(1, self.seq[1], SYN | ACK, options=mss)
        self.seq[1] += 1
        self.frame(0, self.seq[0], ACK)

    def block(self, block, segment_bytes):
        d = block.direction
        if "wait" in block.options and self.packets:
            pause_us = int(float(block.options["wait"]) * 1e6)
            self.packets.append((self.packets[-1][0] + pause_us, None)) # dropped by packets_of()
        start = self.seq[d]
        for offset, data in sending(block, cut(block, segment_bytes)):
            self.frame(d, start + offset, PSH | ACK, data)
        self.seq[d] = start + len(block.data)
        if "rst" in block.options:
            self.frame(d, self.seq[d], RST | ACK)
            return
        if "fin" in block.options:
            self.frame(d, self.seq[d], FIN | ACK)
            self.seq[d] += 1
        if (block.data or "fin" in block.options) and "noack" not in block.options:
            self.frame(1 - d, self.seq[1 - d], ACK)


def packets_of(flows, segment_bytes=0):
    """[(time in us, frame)] of all flows, one after the other. segment_bytes > 0: cut every block like that."""
    packets = []
    for number, flow in enumerate(flows):
        writer = Writer(flow, number, packets)
        if "midstream" not in flow.options:
            writer.handshake()
        ended = set()
        for block in flow.blocks:
            writer.block(block, segment_bytes)
            if "fin" in block.options:
                ended.add(block.direction)
            if "rst" in block.options:
                ended |= {0, 1}
        if "open" not in flow.options:
            for direction in (0, 1):
                if direction not in ended:
                    writer.block(Block(direction, {"fin": ""}, b"", flow.line), 0)
    return [(time, frame) for time, frame in packets if frame is not None]


def pcap_of(packets, flows):
    link = wrap.LINKS[flows[0].options.get("link") or "ethernet"][0] if flows else 1
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for time, frame in packets:
        out += struct.pack("<IIII", time // 1_000_000, time % 1_000_000, len(frame), len(frame)) + frame
    return out


def is_as_sent(flows):
    """Does no block say how its segments are to be sent? Then other segmentations must give the same result."""
    return not any("send" in block.options for flow in flows for block in flow.blocks)
