#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Compares EVE lines on stdin with tests/demo/expected.json: hits per rule, counters, and that TLS gave nothing.

usage: wireglass replay ... | check.py
"""
import collections
import json
import os
import sys


def main():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.json"), encoding="utf-8") as text:
        expected = json.load(text)
    events = [json.loads(line) for line in sys.stdin]
    results = []

    hits = collections.Counter(
        str(e["alert"]["signature_id"]) for e in events if e["event_type"] == "alert"
    )
    for sid in sorted(set(hits) | set(expected["alerts"])):
        want = expected["alerts"].get(sid, 0)
        results.append((f"rule {sid}: {want} hits", hits[sid] == want, f"got {hits[sid]}"))

    stats = [e["stats"] for e in events if e["event_type"] == "stats"]
    results.append(("the last line is the stats event", len(stats) == 1 and "stats" in events[-1], ""))
    for name, want in expected["counters"].items():
        value = stats[-1] if stats else None
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        results.append((f"{name} is {want}", value == want, f"got {value}"))

    tls = [e for e in events if 443 in (e.get("src_port"), e.get("dest_port"))]
    results.append(
        (
            "of the TLS connection there is a flow event and nothing else",
            bool(tls) and all(e["event_type"] == "flow" and e["app_proto"] == "tls" for e in tls),
            json.dumps(tls),
        )
    )

    for number, (name, good, detail) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {name}")
        if not good and detail:
            print(f"# {detail}")
    print(f"1..{len(results)}")
    return 0 if all(good for _, good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
