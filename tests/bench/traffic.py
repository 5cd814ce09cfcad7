# SPDX-License-Identifier: BSD-2-Clause
"""Captures for curves.py: the same bytes for the same arguments. Ethernet, IPv4, TCP with right checksums."""
import random
import struct

MSS = 1448
FIN, SYN, PSH, ACK = 1, 2, 8, 16
SERVER = bytes((198, 51, 100, 20))
NEEDLE = b"wireglass-curve-needle"


def sum16(data):
    """The ones' complement sum: a number modulo 65535."""
    return int.from_bytes(data if len(data) % 2 == 0 else data + b"\0", "big") % 0xffff


def packet(ends, to_client, seq, ack, flags, payload=b""):
    """ends: (client address, client port, server port)"""
    client, port, server_port = ends
    src, dst, sport, dport = (SERVER, client, server_port, port) if to_client else (client, SERVER, port, server_port)
    length = 20 + len(payload)
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 5 << 4, flags, 65000, 0, 0)
    check = 0xffff - (sum16(src + dst + struct.pack(">HH", 6, length)) + sum16(tcp) + sum16(payload)) % 0xffff
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, 6, 0) + src + dst
    ip = ip[:10] + struct.pack(">H", 0xffff - sum16(ip)) + ip[12:]
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + ip + tcp[:16] + struct.pack(">H", check) + tcp[18:] + payload


def client_of(i):
    """Other flows, other addresses and ports. Below 32768: ports above change between bench's rounds, too."""
    return bytes((10, i >> 16 & 0xff)) + struct.pack(">H", i & 0xffff), 20000 + (i >> 24)


def write(path, packets, per_second=1e6):
    """How many there were."""
    n = 0
    with open(path, "wb", 1 << 20) as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for p in packets:
            at = 1.7e9 + n / per_second
            f.write(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(p), len(p)) + p)
            n += 1
    return n


def words(seed, size=1 << 20):
    """Something like HTML, without a needle."""
    r = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgk"
    vocabulary = ["".join(r.choices(letters, weights=range(22, 0, -1), k=r.randint(2, 11))) for _ in range(4000)]
    parts, n = [], 0
    while n < size:
        word = r.choice(vocabulary)
        if r.random() < 0.1:
            word = '<%s class="%s">' % (r.choice(("div", "p", "a", "span", "li")), word)
        parts.append(word)
        n += len(word) + 1
    return " ".join(parts)[:size].encode()


def disturbed(packets, r, loss, reorder):
    """Data segments go missing, or change places with the next one."""
    held = None
    for p, is_data in packets:
        if is_data and loss and r.random() < loss:
            continue
        if is_data and held is None and reorder and r.random() < reorder:
            held = p
            continue
        yield p
        if held is not None:
            yield held
            held = None
    if held is not None:
        yield held


def conversation(i, r, text, transactions, body_bytes, hit_share):
    """One connection, pairs of a packet and whether it has data that may be disturbed."""
    client, port = client_of(i)
    ends, seq = (client, port, 80), [1000 + i, 5000 + i]

    def say(to_client, flags, payload=b""):
        p = packet(ends, to_client, seq[to_client], seq[1 - to_client], flags, payload)
        seq[to_client] += len(payload) + (flags & (SYN | FIN) != 0)
        return p

    yield say(0, SYN), False
    yield say(1, SYN | ACK), False
    yield say(0, ACK), False
    for n in range(transactions):
        yield say(0, PSH | ACK, b"GET /page/%d/%d.html?v=%d HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: Mozilla/5.0 "
                  b"(X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\nCookie: sid=%016x\r\n\r\n" % (
                      i, n, r.randrange(100), r.getrandbits(64))), False
        head = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % body_bytes
        needle = NEEDLE if r.random() < hit_share and body_bytes >= len(NEEDLE) else b""
        from_, left, start = r.randrange(len(text)), body_bytes, head + needle
        left -= len(needle)
        since = 0
        while start or left:
            n_text = min(left, MSS - len(start), len(text) - from_)
            yield say(1, ACK, start + text[from_:from_ + n_text]), True
            start, left, from_ = b"", left - n_text, (from_ + n_text) % len(text)
            since += 1
            if since % 2 == 0:
                yield say(0, ACK), False
    yield say(0, FIN | ACK), False
    yield say(1, FIN | ACK), False
    yield say(0, ACK), False


def http(flows, transactions, body_bytes, hit_share=0.0, loss=0.0, reorder=0.0, together=64, seed=1):
    """Connections of so many transactions each, `together` of them at a time."""
    r, text = random.Random(seed), words(seed)
    waiting = iter(range(flows))
    open_ = []
    while True:
        while len(open_) < together:
            i = next(waiting, None)
            if i is None:
                break
            open_.append(disturbed(conversation(i, r, text, transactions, body_bytes, hit_share), r, loss, reorder))
        if not open_:
            return
        at = r.randrange(len(open_))
        for _ in range(r.randint(1, 8)):
            p = next(open_[at], None)
            if p is None:
                open_.pop(at)
                break
            yield p


def many_flows(flows, data_packets=4):
    """TLS connections that are all open at once: one packet of each after the other, in another order each time."""
    hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(194)
    data = b"\x17\x03\x03\x00\x5f" + bytes(95)
    stride = next(s for s in (1000003, 15485863, 32452843) if flows % s)

    def each(build):
        for k in range(flows):
            i = (k * stride) % flows
            client, port = client_of(i)
            yield build((client, port, 443))

    yield from each(lambda e: packet(e, 0, 1000, 0, SYN))
    yield from each(lambda e: packet(e, 1, 5000, 1001, SYN | ACK))
    yield from each(lambda e: packet(e, 0, 1001, 5001, ACK | PSH, hello))
    for n in range(data_packets):
        seq = 5001 + n * len(data)
        yield from each(lambda e: packet(e, 1, seq, 1001 + len(hello), ACK | PSH, data))
