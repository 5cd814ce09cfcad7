#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The parts of multipart bodies as Python's email package has them, and as the engine has them.

usage: mime_email.py MIME_DUMP [CASES] [SEED]
"""
import base64
import email.feedparser
import email.utils
import quopri
import random
import re
import struct
import subprocess
import sys


def noise(r, boundary):
    """A body that tries to look like boundaries. No CR of its own: email takes it for a line end."""
    pieces = [
        b"\r\n",
        b"\n",
        b"--",
        b"-",
        b"\r\n--",
        b"\r\n--" + boundary[:-1],
        b"\r\n--" + boundary + b"x",
        b"--" + boundary,
        boundary,
        bytes(r.randrange(32, 127) for _ in range(r.randrange(60))),
        bytes(r.choice(b"\x00\x80\xff\xe9z") for _ in range(r.randrange(9))),
    ]
    body = b"".join(r.choice(pieces) for _ in range(r.randrange(12)))
    # A line of a body must not be a boundary after all.
    return b"\n".join(b"x" + l if l.startswith(b"--" + boundary) else l for l in body.split(b"\n"))


def disposition(r):
    kind = r.randrange(5)  # beyond ASCII only where it is encoded: email replaces it elsewhere
    name = "".join(r.choice("abc \\\"';=%," + "\u00e9" * (kind == 2)) for _ in range(r.randrange(1, 9))).strip() or "n"
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if kind == 0:
        return "form-data; name=%s" % quoted
    if kind == 1:
        return "form-data; name=plain; filename=%s" % quoted
    if kind == 2:
        return "attachment; filename*=UTF-8''" + "".join("%%%02X" % b for b in name.encode())
    if kind == 3:
        return 'attachment;\r\n\tfilename*0="%s"; filename*1*=%s' % ("a b", "%20c")
    return "form-data ;name=x;filename=y.txt"


def case(r):
    boundary = "".join(r.choice("abAB01'_-=?") for _ in range(r.randrange(1, 70))).encode()
    quote = r.random() < 0.6 or b"=" in boundary or b"?" in boundary or b"'" in boundary
    ctype = b"multipart/%s; " % r.choice([b"form-data", b"mixed", b"byteranges"])
    ctype += b"boundary=" + (b'"%s"' % boundary if quote else boundary)
    eol = r.choice([b"\r\n", b"\r\n", b"\n"])
    body = noise(r, boundary) + eol if r.random() < 0.3 else b""
    for _ in range(r.randrange(1, 5)):
        data = noise(r, boundary)
        head = b"Content-Disposition: " + disposition(r).encode() + eol if r.random() < 0.8 else b""
        encoding = r.randrange(4)
        if encoding == 0:
            head += b"Content-Transfer-Encoding: base64" + eol
            data = base64.encodebytes(data)
        elif encoding == 1:
            head += b"Content-Transfer-Encoding: quoted-printable" + eol
            data = quopri.encodestring(data)
        body += b"--" + boundary + r.choice([b"", b" ", b" \t"]) + eol + head + eol + data + eol
    if r.random() < 0.8:
        body += b"--" + boundary + b"--" + (eol + b"end" if r.random() < 0.5 else b"")
    return ctype, body


def text(value):
    """As bytes; what email has made of RFC 2231 is undone."""
    if isinstance(value, tuple):
        value = email.utils.collapse_rfc2231_value(value)
    return value.encode("utf-8", "surrogateescape")


def expected(ctype, body):
    parser = email.feedparser.BytesFeedParser()
    parser.feed(b"Content-Type: " + ctype + b"\r\n\r\n" + body)
    parts = []
    for part in parser.close().get_payload():
        name = part.get_param("name", header="content-disposition")
        filename = part.get_param("filename", header="content-disposition")
        parts.append(
            (
                text(name).hex() if name else "",
                text(filename).hex() if filename is not None else "-",
                part.get_payload(decode=True).hex(),
            )
        )
    return parts


def found(line):
    parts = []
    for part in line.rstrip(";").split(";"):
        cut = part.endswith("!")
        name, filename, data, decoded = part.rstrip("!").split(",")
        either = {data, decoded}
        if cut:  # email drops the line end in front of a boundary that is missing
            either |= {re.sub("(0d)?0a$", "", text) for text in either}
        parts.append((name, filename, either))
    return parts


def main():
    dump, (cases, seed) = sys.argv[1], map(int, (sys.argv[2:] + ["400", "1"][len(sys.argv[2:]) :]))
    r = random.Random(seed)
    all_cases = [case(r) for _ in range(cases)]
    stdin = b"".join(struct.pack("<II", len(t), len(b)) + t + b for t, b in all_cases)
    lines = subprocess.run([dump], input=stdin, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(lines) == cases, "%d lines for %d bodies" % (len(lines), cases)
    wrong = parts = 0
    for (ctype, body), line in zip(all_cases, lines):
        want = expected(ctype, body)
        got = found(line)
        same = len(want) == len(got) and all(
            w[:2] == g[:2] and w[2] in g[2] for w, g in zip(want, got)
        )
        parts += len(want)
        if not same:
            wrong += 1
            if wrong < 4:
                print("# %r\n# %r\n# want %s\n# got  %s" % (ctype, body, want, got))
    print("%s 1 - %d bodies with %d parts, %d differ" % ("ok" if wrong == 0 else "not ok", cases, parts, wrong))
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
