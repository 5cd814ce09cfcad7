#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does transactions.py notice a missing transaction or body? A script that says prepared events stands in for replay."""
import hashlib
import json
import os
import sys
import tempfile

import transactions

BODY = "some body"
DIGEST = hashlib.sha256(BODY.encode()).hexdigest()
RECORD = {
    "client": "192.0.2.1",
    "cport": 1024,
    "server": "192.0.2.2",
    "sport": 80,
    "method": "GET",
    "uri": "/a",
    "host": "www.example.test",
    "req": {"frame": 4, "first": "GET /a HTTP/1.1\r\n", "hdr": []},
    "status": "200",
    "resp": {"frame": 5, "hdr": [], "body_len": len(BODY), "body_sha256": DIGEST, "body_head": BODY},
    "sha256": "0123456789abcdef",
}
HTTP = {"http_method": "GET", "url": "/a", "hostname": "www.example.test", "status": 200, "length": 9}
ONLY_REQUEST = {"status": None, "resp": None}
ONLY_RESPONSE = {"method": None, "uri": None, "req": None}
POST = {
    "method": "POST",
    "req": {
        "frame": 4,
        "first": "POST /a HTTP/1.1\r\n",
        "hdr": ["Content-Type: multipart/form-data; boundary=b\r\n"],
        "body_len": len(BODY),
        "body_sha256": DIGEST,
        "body_head": BODY,
    },
    **ONLY_REQUEST,
}
HEAD = {"http_method": "POST", "url": "/a", "hostname": "www.example.test"}
BLANK = {"uri": "/a", "req": {**RECORD["req"], "first": "GET  /a b HTTP/1.1\r\n"}}
LONG = "/" + "a" * 500

# changes of the record, http events, digests of fileinfo events, evader, stream bytes, what is missing
CASES = {
    "equal": ([{}], [HTTP], [DIGEST], False, "", ""),
    "no event": ([{}], [], [DIGEST], False, "", "GET /a 200"),
    "other method": ([{}], [{**HTTP, "http_method": "PUT"}], [DIGEST], False, "", "GET /a 200"),
    "other target": ([{}], [{**HTTP, "url": "/b"}], [DIGEST], False, "", "GET /a 200"),
    "other host": ([{}], [{**HTTP, "hostname": "b.test"}], [DIGEST], False, "", "GET /a 200"),
    "host in capitals": ([{"host": "WWW.example.test"}], [HTTP], [DIGEST], False, "", ""),
    "host with a NUL": ([{}], [{**HTTP, "hostname": "www.example.test\0b"}], [DIGEST], False, "", ""),
    "other status": ([{}], [{**HTTP, "status": 404}], [DIGEST], False, "", "GET /a 200"),
    "other body": ([{}], [HTTP], [64 * "0"], False, "", "resp body"),
    "no body": ([{}], [HTTP], [], False, "", "resp body"),
    "one event for two": ([{}, {}], [HTTP], [DIGEST], False, "", "GET /a 200"),
    "halves of one event": ([ONLY_REQUEST, ONLY_RESPONSE], [HTTP], [DIGEST], False, "", ""),
    "half that is missing": ([ONLY_RESPONSE] * 2, [HTTP], [DIGEST], False, "", "response 200"),
    "half of another": ([ONLY_RESPONSE], [{**HTTP, "status": 404}], [DIGEST], False, "", "response 200"),
    "halves of two events": ([{}], [{**HTTP, "status": 404}, {"status": 200}], [DIGEST], False, "", "GET /a 200"),
    "answer before its request": (
        [{"resp": {**RECORD["resp"], "frame": 3}}],
        [{"http_method": "GET", "url": "/a", "hostname": "www.example.test"}, {"status": 200}],
        [DIGEST],
        False,
        "",
        "",
    ),
    "target with a blank": ([BLANK], [{**HTTP, "url": "/a b"}], [DIGEST], False, "", ""),
    "target cut at a blank": ([BLANK], [HTTP], [DIGEST], False, "", "GET /a 200"),
    "target without room": ([{"uri": LONG}], [{**HTTP, "url": LONG[:384]}], [DIGEST], False, "", ""),
    "target cut early": ([{"uri": LONG}], [{**HTTP, "url": LONG[:383]}], [DIGEST], False, "", "GET /aaa"),
    "empty body": ([{"resp": {**RECORD["resp"], "body_len": 0}}], [HTTP], [], False, "", ""),
    "evader": ([{}], [{**HTTP, "status": 0}], [transactions.EICAR], True, "", ""),
    "evader without its file": ([{}], [HTTP], [64 * "0"], True, "", "resp body"),
    "EICAR elsewhere": ([{}], [HTTP], [transactions.EICAR], False, "", "resp body"),
    "multipart": ([POST], [HEAD], [], False, f"a {BODY[:5]} and {BODY}", ""),
    "multipart, other bytes": ([POST], [HEAD], [], False, f"a {BODY[:5]} and", "req body"),
}


def run(changes, events, digests, evader, stream):
    ends = {"src_ip": "192.0.2.1", "src_port": 1024, "dest_ip": "192.0.2.2", "dest_port": 80}
    said = [{"event_type": "http", "http": event, **ends} for event in events]
    said += [{"event_type": "fileinfo", "fileinfo": {"sha256": digest}, **ends} for digest in digests]
    records = [{**RECORD, **change} for change in changes]
    with tempfile.TemporaryDirectory() as corpus:
        program = os.path.join(corpus, "replay")
        with open(program, "w", encoding="utf-8") as out:
            out.write(f"#!{sys.executable}\nimport sys\n")
            out.write("if '--streams' in sys.argv:\n")
            out.write(f"    open(sys.argv[sys.argv.index('--streams') + 1] + '/1.bin', 'w').write({stream!r})\n")
            out.write("".join(f"print({json.dumps(event)!r})\n" for event in said))
        os.chmod(program, 0o755)
        with open(os.path.join(corpus, "MANIFEST.tsv"), "w", encoding="utf-8") as out:
            out.write("head\n" + "\t".join(["a.pcap"] + ["-"] * 6 + [RECORD["sha256"] * 4]) + "\n")
        with open(os.path.join(corpus, "diff_oracle.jsonl"), "w", encoding="utf-8") as out:
            out.write(json.dumps({"pcap": "a.pcap", "evader": evader}) + "\n")
        with open(os.path.join(corpus, "tshark_tx.jsonl"), "w", encoding="utf-8") as out:
            out.write("".join(json.dumps(record) + "\n" for record in records))
            out.write(json.dumps({"sha256": RECORD["sha256"], "continuations": 1}) + "\n")
        failing, passed = transactions.suite(program, corpus)
    assert len(failing) + passed == 1
    return failing.get("a.pcap", "")


def main():
    failed = 0
    for name, (*given, missing) in CASES.items():
        why = run(*given)
        fine = why.startswith(missing) if missing else not why
        print(f"{'ok' if fine else 'not ok'} - {name}")
        if not fine:
            print(f"# {why or 'nothing is missing'}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
