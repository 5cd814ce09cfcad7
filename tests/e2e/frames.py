#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sends every kind of frame on one interface and compares what arrives on another, in both directions.

usage: frames.py IFACE IFACE LABEL [jumbo] [wire]      prints "ok LABEL: what" or "not ok LABEL: what" per kind and direction

wire: the frames come by cards, which send none of less than 60 bytes.

The kernel takes a VLAN tag out of a received frame and hands it over beside it; it is put back before comparing.
"""
import os
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40
PATIENCE = 10.0


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ether(kind, payload, tags=()):
    head = b"\x02\0\0\0\0\x0b" + b"\x02\0\0\0\0\x0a"
    for tpid, tag in tags:
        head += struct.pack(">HH", tpid, tag)
    return head + struct.pack(">H", kind) + payload


def ipv4(proto, payload, fragment=0x4000, options=b"", total=None):
    length = 20 + len(options) + len(payload)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, total or length, 7, fragment, 64, proto, 0,
        socket.inet_aton("192.0.2.1"), socket.inet_aton("198.51.100.1"),
    ) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def tcp(payload, flags=0x18, bad=0):
    head = struct.pack(">HHIIBBHHH", 40000, 80, 1, 1, 0x50, flags, 64240, 0, 0)
    pseudo = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.1") + struct.pack(">BBH", 0, 6, len(head + payload))
    total = checksum(pseudo + head + payload) ^ bad
    return head[:16] + struct.pack(">H", total) + head[18:] + payload


def ipv6(proto, payload):
    return struct.pack(">IHBB", 6 << 28, len(payload), proto, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + payload


def jumbo_kinds():
    """As large as an MTU of 9000 lets pass: longer than one buffer of the dataplane."""
    web = b"GET /" + b"x" * 8900 + b" HTTP/1.1\r\nHost: a.example\r\n\r\n"
    full = ipv4(6, tcp(web + b"x" * (8960 - len(web))))
    return [
        ("9,014 bytes", ether(0x0800, full)),
        ("9,018 bytes with 802.1Q", ether(0x0800, full, [(0x8100, 100)])),
        ("9,014 bytes of nothing known", ether(0x88B5, bytes(range(250)) * 36)),
        ("one byte more than a buffer takes", ether(0x88B5, bytes(2048 - 14 + 1))),
        ("TCP in 4,014 bytes, wrong checksum", ether(0x0800, ipv4(6, tcp(web[:3960], bad=0x55)))),
    ]


def kinds():
    web = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
    full = ipv4(6, tcp(b"x" * 1460))
    first_fragment = ether(0x0800, ipv4(17, b"f" * 800, fragment=0x2000))
    last_fragment = ether(0x0800, ipv4(17, b"l" * 100, fragment=100))
    return [
        ("TCP with HTTP", ether(0x0800, ipv4(6, tcp(web)))),
        ("TCP SYN", ether(0x0800, ipv4(6, tcp(b"", 2)))),
        ("TCP with a wrong checksum", ether(0x0800, ipv4(6, tcp(web, bad=0x55)))),
        ("1514 bytes", ether(0x0800, full)),
        ("60 bytes with padding that is not zero", ether(0x0800, ipv4(6, tcp(b""))) + b"\xa5PAD!\x5a"),
        ("IPv4 with options", ether(0x0800, ipv4(6, tcp(web), options=b"\x94\x04\0\0"))),
        ("IPv4 shorter than it says", ether(0x0800, ipv4(6, tcp(web), total=1400))),
        ("IPv4 fragments", first_fragment, last_fragment),
        ("UDP", ether(0x0800, ipv4(17, struct.pack(">HHHH", 53, 53, 12, 0) + b"abcd"))),
        ("ICMP", ether(0x0800, ipv4(1, b"\x08\0\xf7\xff\0\0\0\0"))),
        ("IPv6 with TCP", ether(0x86DD, ipv6(6, tcp(web)))),
        ("IPv6 with an unknown header", ether(0x86DD, ipv6(250, b"?" * 40))),
        ("802.1Q", ether(0x0800, ipv4(6, tcp(web)), [(0x8100, 100)])),
        ("802.1Q with priority, 1518 bytes", ether(0x0800, full, [(0x8100, 0xE000 | 4094)])),
        ("802.1ad and 802.1Q", ether(0x0800, ipv4(6, tcp(web)), [(0x88A8, 100), (0x8100, 7)])),
        ("priority tag without VLAN", ether(0x0800, ipv4(6, tcp(web)), [(0x8100, 0xA000)])),
        ("three tags", ether(0x0800, ipv4(6, tcp(web)), [(0x8100, 1), (0x8100, 2), (0x8100, 3)])),
        ("ARP", ether(0x0806, struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + bytes(20))),
        ("LLDP", ether(0x88CC, b"\x02\x07\x04\x02\0\0\0\0\x0a\0\0" + bytes(40))),
        ("802.3 length field", ether(38, b"\x42\x42\x03" + bytes(35) + b"trailer")),
        ("unknown type", ether(0x88B5, bytes(range(256)))),
        ("MPLS", ether(0x8847, b"\0\x01\x01\x40" + ipv4(6, tcp(web)))),
        ("nothing but a header", ether(0x88B5, b"")),
    ]


def listen(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.bind((interface, ETH_P_ALL))
    s.setblocking(False)
    return s


def receive(s):
    frame, ancillary, _, _ = s.recvmsg(65536, 256)
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID:
                tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                frame = frame[:12] + struct.pack(">HH", tpid, tci) + frame[12:]
    return frame


def wait_for_frames(s, count):
    frames = []
    end = time.monotonic() + PATIENCE
    while len(frames) < count and time.monotonic() < end:
        # once something came, the rest is not far
        if select.select([s], [], [], 2 if frames else 0.2)[0]:
            frames.append(receive(s))
        elif frames:
            break
    return frames


def report(good, text, detail=""):
    print(f"{'ok' if good else 'not ok'} {text}{' (' + detail + ')' if detail and not good else ''}", flush=True)


def explain(sent, got):
    if len(got) != len(sent):
        return f"sent {len(sent)} frames, got {len(got)}: {[len(frame) for frame in got]} bytes"
    wrong, right = next((g, s) for g, s in zip(got, sent) if g != s)
    at = next((i for i, (a, b) in enumerate(zip(right, wrong)) if a != b), min(len(right), len(wrong)))
    return f"sent {len(right)} bytes, got {len(wrong)}, first difference at byte {at}: {wrong[:32].hex()}"


def known_limit(label, kind, sent, got):
    """What DPDK's af_packet driver does to a frame whatever its user does; "" if that is not what happened."""
    if label != "af_packet" or len(got) != 1:
        return ""
    if sent[0][12:14] == b"\x88\xa8" and got[0] == sent[0][:12] + b"\x81\x00" + sent[0][14:]:
        return "the driver puts every tag back as 802.1Q; net_pcap does not"
    if kind == "IPv4 fragments" and got[0][34:] == b"f" * 800 + b"l" * 100:
        return "the driver asks the kernel to reassemble; net_pcap does not"
    return ""


def one_way(label, out, into, name):
    for kind, *sent in (jumbo_kinds() if "jumbo" in sys.argv else kinds()):
        if "wire" in sys.argv:
            sent = [frame.ljust(60, b"\0") for frame in sent]
        for frame in sent:
            out.send(frame)
        got = wait_for_frames(into, len(sent))
        # one more would be as wrong as one less
        if len(got) == len(sent) and select.select([into], [], [], 0)[0]:
            got.append(receive(into))
        text = f"{label}, {name}: {kind}"
        limit = known_limit(label, kind, sent, got)
        if limit:
            report(True, f"{text} # SKIP {limit}")
        else:
            report(got == sent, text, explain(sent, got) if got != sent else "")
    # Many, with a number in each: none lost, none twice, none out of order. Kept below the size of a port's ring.
    many = [ether(0x88B5, struct.pack(">I", i) + os.urandom(42 + i % 1400)) for i in range(2000)]
    got = []
    for i in range(0, len(many), 50):
        for frame in many[i : i + 50]:
            out.send(frame)
        got += wait_for_frames(into, min(50, len(many) - i))
    report(got == many, f"{label}, {name}: 2000 frames in order", f"{len(got)} arrived")


def main(first, second, label):
    sockets = [listen(first), listen(second)]
    # The first frame may come before the sensor's ports are up.
    probe = ether(0x88B5, b"probe")
    end = time.monotonic() + PATIENCE
    for out, into in ((sockets[0], sockets[1]), (sockets[1], sockets[0])):
        while time.monotonic() < end:
            out.send(probe)
            if select.select([into], [], [], 0.2)[0] and receive(into) == probe:
                break
    time.sleep(0.5)
    for s in sockets:
        while select.select([s], [], [], 0)[0]:
            receive(s)
    one_way(label, sockets[0], sockets[1], "one way")
    one_way(label, sockets[1], sockets[0], "the other way")


if __name__ == "__main__":
    main(*sys.argv[1:4])
