#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Is a page of metrics what Prometheus' text format and naming rules ask for?

usage: metrics_check.py FILE
"""
import re
import sys

HEAD = re.compile(r"# (HELP|TYPE) (wireglass_[a-z0-9_]*[a-z0-9]) (\S.*)")
SAMPLE = re.compile(r'(wireglass_[a-z0-9_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
ABBREVIATED = re.compile(r"_(ns|ms|us|sec|secs|s|kb|mb|pkts|pkt|b)(_|$)")

problems, families, seen = [], {}, set()
name, expect = None, "HELP"
with open(sys.argv[1], encoding="utf-8") as f:
    text = f.read()
if not text.endswith("\n"):
    problems.append("the last line does not end")
for number, line in enumerate(text.splitlines(), 1):

    def wrong(what):
        problems.append(f"line {number}: {what}: {line}")

    if line.startswith("#"):
        head = HEAD.fullmatch(line)
        if not head or (head[1] == "HELP") == (expect == "TYPE"):
            wrong("not the expected comment")
        elif head[1] == "HELP":
            name, expect = head[2], "TYPE"
            if name in families:
                wrong("a second family of this name")
            families[name] = None
            if ABBREVIATED.search(name):
                wrong("a unit that is not written out")
        else:
            expect = "sample"
            families[name] = head[3]
            if head[2] != name or head[3] not in ("counter", "gauge"):
                wrong("not a type for this family")
            if (head[3] == "counter") != name.endswith("_total"):
                wrong("only counters end with _total, and all of them")
        continue
    sample = SAMPLE.fullmatch(line)
    if not sample or expect != "sample" or sample[1] != name:
        wrong("not a sample of this family")
        continue
    if (name, sample[2]) in seen:
        wrong("twice")
    seen.add((name, sample[2]))
    if not 0 <= float(sample[3]) < 2**64:
        wrong("no possible value")
print(*problems, f"{len(families)} families, {len(seen)} samples", sep="\n")
sys.exit(1 if problems or len(families) < 100 else 0)
