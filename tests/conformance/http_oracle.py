#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""http_oracle.py [--wireglass PROG] [--shared DIR] [--mutants N] [--seed N] [--models N] [--verbose]

Whatever a server takes for a request or a body must be inspected, or the flow must carry an anomaly. Two parts:

  vectors   93 ambiguous requests whose effect on five servers is on record (corpora/oracle/http_oracle.json in DIR, default
            ../shared); the bytes come from the script that asked the servers; skipped without them
  mutants   requests put together from odd start lines, lengths, codings, chunks and line ends, plain and compressed, read
            by a model of servers below: strict ones, lax ones, and those in between

Each request travels in a flow of its own, whole and in small segments. TAP-like output; exit 1 if anything was missed.
"""
import argparse
import ast
import gzip
import itertools
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zlib

NEEDLE = b"EVIL"
RULES = """\
alert http any any -> any any (msg:"body"; flow:to_server; http.request_body; content:"EVIL"; sid:1;)
alert http any any -> any any (msg:"first"; http.uri; content:"/a"; sid:2;)
alert http any any -> any any (msg:"next"; http.uri; content:"/next"; sid:3;)
"""
CLIENT, SERVER = b"\xc0\x00\x02\x0a", b"\xc6\x33\x64\x14"


# ---- captures ----

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(src, dst, sport, dport, seq, ack, flags, data):
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 0x50, flags, 65535, 0, 0)
    pseudo = src + dst + struct.pack(">BBH", 0, 6, len(tcp) + len(data))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp + data)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) + len(data), 0, 0x4000, 64, 6, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + ip + tcp + data


def flow_frames(port, segments):
    """A connection that sends the segments and ends."""
    seq, ack = 1000, 5000
    yield frame(CLIENT, SERVER, port, 80, seq, 0, 2, b"")
    yield frame(SERVER, CLIENT, 80, port, ack, seq + 1, 18, b"")
    seq, ack = seq + 1, ack + 1
    yield frame(CLIENT, SERVER, port, 80, seq, ack, 16, b"")
    for data in segments:
        yield frame(CLIENT, SERVER, port, 80, seq, ack, 24, data)
        seq += len(data)
    yield frame(CLIENT, SERVER, port, 80, seq, ack, 17, b"")
    yield frame(SERVER, CLIENT, 80, port, ack, seq + 1, 17, b"")
    yield frame(CLIENT, SERVER, port, 80, seq + 1, ack + 1, 16, b"")


def replay(prog, streams):
    """streams: list of lists of segments. Per stream: the sids that hit and the anomalies that were told."""
    with tempfile.TemporaryDirectory() as tmp:
        pcap, rules = os.path.join(tmp, "in.pcap"), os.path.join(tmp, "test.rules")
        with open(pcap, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            when = 0
            for i, segments in enumerate(streams):
                for data in flow_frames(1024 + i, segments):
                    when += 10
                    f.write(struct.pack("<IIII", 1700000000 + when // 1000000, when % 1000000, len(data), len(data)))
                    f.write(data)
        with open(rules, "w") as f:
            f.write(RULES)
        run = subprocess.run([prog, "replay", "--events", "alert,anomaly", "--rules", rules, pcap],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        if run.returncode not in (0, 1, 6):
            sys.exit("replay failed: %d %s" % (run.returncode, run.stderr.decode("latin1")))
    result = [(set(), set()) for _ in streams]
    for line in run.stdout.decode("utf-8", "replace").splitlines():
        event = json.loads(line)
        port = event.get("src_port") if event.get("src_port") != 80 else event.get("dest_port")
        if event["event_type"] == "alert":
            result[port - 1024][0].add(event["alert"]["signature_id"])
        elif event["event_type"] == "anomaly" and event["anomaly"]["event"].startswith("http."):
            result[port - 1024][1].add(event["anomaly"]["event"])
        elif event["event_type"] == "stats" and event["stats"].get("event", {}).get("lost", 0):
            sys.exit("events were lost")
    return result


def decoded(body):
    """As an application would see it, as far as it goes."""
    if body[:2] != b"\x1f\x8b":
        return body
    try:
        return zlib.decompressobj(31).decompress(body)
    except zlib.error:
        return body


def wanted(requests):
    """The sids that requests as (uri, body) must hit."""
    sids = set()
    for uri, body in requests:
        if b"/next" in uri:
            sids.add(3)
        elif b"/a" in uri:
            sids.add(2)
        if NEEDLE in decoded(body):
            sids.add(1)
    return sids


# ---- the vectors ----

def vectors(script):
    """Names and bytes: the literals of the script, evaluated; nothing else of it runs."""
    tree = ast.parse(script.read_text())
    keep = [n for n in tree.body
            if (isinstance(n, ast.FunctionDef) and n.name == "post")
            or (isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
                and n.targets[0].id in ("H", "N", "CH", "TE", "V"))]
    space = {"gzip": gzip}
    exec(compile(ast.Module(keep, []), str(script), "exec"), space)  # pylint: disable=exec-used
    return space["V"]


def run_vectors(prog, shared, verbose):
    table = vectors(shared / "tools/oracle/http_oracle.py")
    record = {r["vector"]: r["results"]
              for r in json.loads((shared / "corpora/oracle/http_oracle.json").read_text())}
    streams = [[raw] for _, raw in table] + [[raw[i:i + 7] for i in range(0, len(raw), 7)] for _, raw in table]
    results = replay(prog, streams)
    missed = told = 0
    for i, (name, raw) in enumerate(table):
        taken = [(u.encode("latin1"), b.encode("latin1"))
                 for server in record[name].values() for _, u, b in server["requests"]]
        want = wanted(taken)
        bad = False
        for hits, anomalies in (results[i], results[i + len(table)]):
            bad |= not want <= hits and not anomalies
            told += not want <= hits and bool(anomalies)
            if verbose:
                print("# %s: want %s, hits %s, anomalies %s" % (name, sorted(want), sorted(hits), sorted(anomalies)))
        missed += bad
        print("%s %d - %s" % ("not ok" if bad else "ok", i + 1, name.replace("#", "")))
    print("# %d vectors in 2 segmentations, %d silent, %d not inspected but told" % (len(table), missed, told))
    return missed


# ---- a model of servers ----

class Refused(Exception):
    """No server of this kind takes the message."""


class Server:
    """One way to read requests. Every option is something that a server in use, or one that was, does."""

    OPTIONS = {
        "lf": (False, True),             # a bare LF ends a line
        "te": ("exact", "last", "inside", "ignore"),  # what counts as chunked
        "both": ("te", "length", "refuse"),
        "length": ("strict", "lax"),     # strtol() and the first of several
        "name": ("strict", "trim"),      # blanks around a field's name
        "fold": ("refuse", "join", "drop"),
        "chunk": ("strict", "lax"),      # blanks, signs, 0x, junk behind the size
        "end": ("strict", "lax"),        # line ends behind a chunk's data may be missing
    }

    def __init__(self, **options):
        self.o = options

    def line(self, data, at):
        end = data.find(b"\n" if self.o["lf"] else b"\r\n", at)
        if end < 0:
            raise Refused
        text = data[at:end]
        if self.o["lf"]:
            return text[:-1] if text.endswith(b"\r") else text, end + 1
        if b"\n" in text:
            raise Refused
        return text, end + 2

    def fields(self, data, at):
        fields = []
        while True:
            text, at = self.line(data, at)
            if not text:
                return fields, at
            if text[:1] in b" \t":
                if self.o["fold"] == "refuse" or not fields:
                    raise Refused
                if self.o["fold"] == "join":
                    fields[-1][1] += b" " + text.strip()
                continue
            name, colon, value = text.partition(b":")
            if not colon:
                if self.o["name"] == "strict":
                    raise Refused
                continue
            if name != name.strip():
                if self.o["name"] == "strict":
                    raise Refused
                name = name.strip()
            fields.append([name.lower(), value.strip(b" \t")])

    def content_length(self, values):
        if self.o["length"] == "strict":
            if len(set(values)) != 1 or not values[0].isdigit():
                raise Refused
            return int(values[0])
        text = values[0].lstrip(b" \t+")
        digits = bytes(itertools.takewhile(lambda c: 48 <= c <= 57, text))
        if not digits:
            raise Refused
        return int(digits) % 2**64

    def is_chunked(self, values, version):
        joined = b",".join(values).lower()
        items = [i.strip(b" \t") for i in joined.split(b",")]
        how = self.o["te"]
        if how == "ignore":
            return False
        if how == "inside":
            return b"chunked" in joined
        if how == "last":
            return items[-1] == b"chunked"
        if items != [b"chunked"] or version == b"HTTP/1.0":
            raise Refused
        return True

    def size(self, text):
        text = text.split(b";")[0]
        if self.o["chunk"] == "strict":
            if not text or any(c not in b"0123456789abcdefABCDEF" for c in text) or len(text) > 16:
                raise Refused
            return int(text, 16)
        text = text.strip(b" \t+").lower()
        if text.startswith(b"0x"):
            text = text[2:]
        digits = bytes(itertools.takewhile(lambda c: c in b"0123456789abcdef", text))
        if not digits:
            raise Refused
        return int(digits, 16) % 2**64

    def chunks(self, data, at):
        body = b""
        while True:
            text, at = self.line(data, at)
            if self.o["end"] == "lax" and not text:
                continue
            n = self.size(text)
            if n == 0:
                _, at = self.fields(data, at)
                return body, at
            body += data[at:at + n]
            if at + n > len(data):
                return body, len(data)
            at += n
            if data[at:at + 2] == b"\r\n":
                at += 2
            elif self.o["lf"] and data[at:at + 1] == b"\n":
                at += 1
            elif self.o["end"] == "strict":
                raise Refused

    def request(self, data, at):
        while data[at:at + 2] == b"\r\n":
            at += 2
        text, at = self.line(data, at)
        words = text.split()
        if len(words) != 3 or not words[2].upper().startswith(b"HTTP/"):
            raise Refused
        fields, at = self.fields(data, at)
        te = [v for n, v in fields if n == b"transfer-encoding"]
        length = [v for n, v in fields if n == b"content-length"]
        if te and length and self.o["both"] == "refuse":
            raise Refused
        chunked = bool(te) and self.is_chunked(te, words[2])
        if chunked and length and self.o["both"] == "length":
            chunked = False
        if chunked:
            body, at = self.chunks(data, at)
        elif length:
            n = self.content_length(length)
            body, at = data[at:at + n], at + n
        else:
            body = b""
        return (words[1], body), at

    def requests(self, data):
        taken, at = [], 0
        try:
            while at < len(data) and len(taken) < 4:
                request, at = self.request(data, at)
                taken.append(request)
        except Refused:
            pass
        return taken


def servers(count):
    """So many of all the kinds there can be, the strictest and the laxest among them."""
    names = list(Server.OPTIONS)
    kinds = [Server(**dict(zip(names, combo))) for combo in itertools.product(*Server.OPTIONS.values())]
    if count >= len(kinds):
        return kinds
    return [kinds[0], kinds[-1]] + random.Random(0).sample(kinds[1:-1], count - 2)


# ---- mutants ----

def mutant(rnd):
    eol = rnd.choice([b"\r\n"] * 6 + [b"\n", b"\r\n", b"\r\r\n"])
    version = rnd.choice([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/1.2", b"http/1.1"])
    blank = rnd.choice([b" "] * 8 + [b"\t", b"  "])
    junk = [b"", b" ", b"\t", b"\v", b"\0", b"\r", b"\xa0", b"+", b"-", b"0x", b"0", b";", b",", b'"', b"x"]
    te_values = [b"chunked", b"chunked", b"chunked", b"Chunked", b"identity", b"gzip, chunked", b"chunked, identity",
                 b"chunked, chunked", b"identity, chunked", b"chunked;q=1", b"x", b"", b"\r\n chunked", b"\r\n\tchunked"]
    body = b"%sEVIL%s" % (b"z" * rnd.randrange(4), b"y" * rnd.randrange(4))
    packed = rnd.random() < 0.2
    if packed:
        body = gzip.compress(body, mtime=0)
    chunked = b""
    pieces = rnd.choice([[body], [body], [body[:3], body[3:]]])
    for piece in pieces:
        size = b"%x" % len(piece)
        if rnd.random() < 0.25:
            size = rnd.choice(junk) + size if rnd.random() < 0.5 else size + rnd.choice(junk)
        if rnd.random() < 0.1:
            size += rnd.choice([b";a=b", b";", b" ;x", b";\r", b";a\nb"])
        chunked += size + rnd.choice([b"\r\n"] * 8 + [b"\n", b"\r"]) + piece
        chunked += rnd.choice([b"\r\n"] * 10 + [b"\n", b"", b"\r", b"zz", b"\r\n\r\n"])
    chunked += rnd.choice([b"0", b"0", b"0", b"00", b"0x0", b"", b"-0"]) + rnd.choice([b"\r\n\r\n"] * 5 + [b"\n\n", b"\r\nX: y\r\n\r\n", b"\r\n"])
    payload = rnd.choice([chunked, chunked, body])
    fields = []
    for _ in range(rnd.choice([0, 1, 1, 1, 2])):
        value = rnd.choice(te_values)
        if rnd.random() < 0.2:
            value = rnd.choice(junk) + value
        if rnd.random() < 0.2:
            value += rnd.choice(junk)
        fields.append((rnd.choice([b"Transfer-Encoding"] * 6 + [b"transfer-encoding", b"Transfer-Encoding ", b"Transfer_Encoding",
                                   b" Transfer-Encoding", b"Transfer-Encoding\0", b"X: y\rTransfer-Encoding", b"X: y\nTransfer-Encoding"]), value))
    for _ in range(rnd.choice([0, 1, 1, 2] if fields else [1, 1, 1, 2, 3])):
        value = b"%d" % rnd.choice([len(payload)] * 5 + [0, 1, 4, len(payload) + 1, len(body), 2**64 + len(body)])
        if rnd.random() < 0.2:
            value = rnd.choice(junk) + value
        if rnd.random() < 0.2:
            value += rnd.choice(junk + [b", 4", b", " + value, b"\r\n 4"])
        fields.append((rnd.choice([b"Content-Length"] * 6 + [b"content-length", b"Content-Length ", b"Content\0-Length",
                                   b"\tContent-Length", b"X: y\rContent-Length"]), value))
    rnd.shuffle(fields)
    if packed:
        fields.append((b"Content-Encoding", rnd.choice([b"gzip", b"gzip", b"x-gzip", b"GZip"])))
    head = [b"POST" + blank + b"/a" + blank + version]
    if rnd.random() < 0.9:
        head.append(b"Host: x")
    if rnd.random() < 0.1:
        head.append(rnd.choice([b"no colon", b": no name", b"X\xff: y", b"X: a\0b", b" folded: y", b"Expect: 100-continue"]))
    head += [name + rnd.choice([b": "] * 8 + [b":", b":\t", b" : "]) + value for name, value in fields]
    if rnd.random() < 0.05:
        head.append(rnd.choice([b" ", b"\t", b"\r"]))
    raw = rnd.choice([b""] * 12 + [b"\r\n", b" ", b"\n\n"]) + eol.join(head) + eol + eol + payload
    return raw + b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


def cut(rnd, raw):
    segments = []
    size = rnd.choice([1, 3, 20, 2000])
    while raw:
        n = rnd.randrange(1, size + 1)
        segments.append(raw[:n])
        raw = raw[n:]
    return segments


def run_mutants(prog, count, seed, models, verbose):
    rnd = random.Random(seed)
    models = servers(models)
    silent = taken = told = 0
    for start in range(0, count, 2500):
        raws = [mutant(rnd) for _ in range(min(2500, count - start))]
        results = replay(prog, [cut(rnd, raw) for raw in raws])
        for raw, (hits, anomalies) in zip(raws, results):
            want = set()
            for model in models:
                want |= wanted(model.requests(raw))
            taken += bool(want)
            if want <= hits:
                continue
            told += bool(anomalies)
            silent += not anomalies
            if not anomalies:
                print("# silent: want %s, hits %s: %r" % (sorted(want), sorted(hits), raw))
            elif verbose:
                print("# told: want %s, hits %s, %s: %r" % (sorted(want), sorted(hits), sorted(anomalies), raw))
    print("%s 94 - %d mutants, %d of them taken by some of %d kinds of server, %d silent, %d not inspected but told"
          % ("not ok" if silent else "ok", count, taken, len(models), silent, told))
    return silent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wireglass", default="build/wireglass")
    parser.add_argument("--shared", type=pathlib.Path, default=pathlib.Path("../shared"))
    parser.add_argument("--mutants", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=int, default=120)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    missed = 0
    if (args.shared / "corpora/oracle/http_oracle.json").exists():
        missed = run_vectors(args.wireglass, args.shared, args.verbose)
    else:
        print("ok 1 - vectors # SKIP no record of five servers beside the repository (%s)" % args.shared)
    missed += run_mutants(args.wireglass, args.mutants, args.seed, args.models, args.verbose)
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
