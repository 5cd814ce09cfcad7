#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""instructions.py [--write] [--build TEXT] WIREGLASS: instructions per packet, stage by stage, against those on record.

The demo capture runs through `wireglass bench` under callgrind, five rounds. What is counted are the instructions of the engine's own
functions, inlined ones included, by the source file they stand in; a stage is a set of files. So nothing depends on the machine
and its load. Libraries (libhs, ISA-L, PCRE2, libc), which choose their code by the CPU, are left out. The engine itself
chooses between AVX2 and none, and callgrind knows nothing newer: without AVX2 the check is skipped. It is skipped, too, with
another compiler or other options than those on record. More than TOLERANCE above the record is a failure; --write
puts the figures on record."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

RECORD = "tests/bench/instructions.json"
TOLERANCE = 0.03
ROUNDS = 3
ROUNDS_BEFORE = 2  # bench's first rounds
PCAP = "tests/demo/demo.pcap"
RULES = ["rules/examples/demo.rules", "tests/bench/instructions.rules"]
INTO_ENGINE = ["pipeline_burst", "pipeline_idle", "pipeline_flush"]

# The first that matches.
STAGES = [
    ("decode", r"pkt|tunnel|frag"),
    ("tcp", r"pipeline|flow|tcp|app"),
    ("inflate", r"decode|arena|mime|range|ws_inflate|conn_body|conn_file|conn_range"),
    ("http", r"http|conn|h2|ws"),
    ("scan", r"detect\.c|view|uri|ruleset|grams"),
    ("verify", r"detect_|eval|find|teddy|number|xbits|head_events|transform"),
    ("other", r""),
]


def stage_of(file):
    return next(name for name, pattern in STAGES if re.match(pattern, file))


def skip(why):
    print("ok 1 - instructions # SKIP " + why)
    print("1..1")
    sys.exit(0)


def count(wireglass):
    """(packets in all rounds, text of callgrind's file)"""
    with tempfile.TemporaryDirectory() as folder:
        out = folder + "/callgrind"
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, "--compress-strings=no"]
        command += ["--toggle-collect=" + f for f in INTO_ENGINE]
        command += [wireglass, "--json", "bench", "--no-limit", "--runs", "1", "--rounds", str(ROUNDS)]
        for rules in RULES:
            command += ["--rules", rules]
        done = subprocess.run([*command, PCAP], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("valgrind or bench failed:\n" + done.stdout + done.stderr[-2000:])
        said = json.loads(done.stdout)
        return said["packets"] * (ROUNDS + ROUNDS_BEFORE), open(out).read()


def own_costs(text):
    """(file, instructions of a function itself), one pair for each line of cost. Callgrind says ob=, fl=, fn= when it goes to
    another function; fi= and fe= name the file of inlined code, which counts for the function it is in. The line behind
    a calls= is what was called."""
    file, called = None, False
    for line in text.splitlines():
        if line.startswith("fl="):
            file = line[3:]
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[0-9+*-]", line):
            if not called:
                yield file, int(line.split()[1])
            called = False


def measure(wireglass):
    """Instructions per packet: of stages, and of files."""
    packets, text = count(wireglass)
    files = {}
    for path, cost in own_costs(text):
        m = re.search(r"dataplane/engine/([^/]+)$", path or "")
        if m:
            files[m[1]] = files.get(m[1], 0) + cost
    files = {name: round(files[name] / packets, 1) for name in sorted(files)}
    stages = {name: round(sum(n for file, n in files.items() if stage_of(file) == name), 1) for name, _ in STAGES}
    return {"stages": {**stages, "all": round(sum(files.values()), 1)}, "files": files}


def compare(got, record):
    failed = 0
    for i, (name, was) in enumerate(record["stages"].items(), 1):
        now = got["stages"][name]
        more = now / was - 1 if was else float(now > 0)
        failed += more > TOLERANCE
        print("%s %d - %s: %.1f instructions per packet, %.1f on record (%+.1f %%)" % (
            "ok" if more <= TOLERANCE else "not ok", i, name, now, was, 100 * more))
        if abs(more) <= TOLERANCE:
            continue
        for file in sorted({**got["files"], **record["files"]}):
            pair = got["files"].get(file, 0), record["files"].get(file, 0)
            if stage_of(file) == name and pair[0] != pair[1]:
                print("#   %s: %.1f, %.1f on record" % (file, *pair))
        if more > 0:
            print("# if that is worth it: tests/bench/instructions.py --write, and say why in the commit")
        else:
            print("# that is cheaper: put it on record, tests/bench/instructions.py --write")
    print("1..%d" % len(record["stages"]))
    return failed > 0


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--write", action="store_true", help="record what is counted")
    p.add_argument("--build", default="", help="compiler and options, as the record has them")
    p.add_argument("wireglass")
    o = p.parse_args()
    record = json.load(open(RECORD)) if os.path.exists(RECORD) else {}
    if not shutil.which("valgrind"):
        skip("valgrind is not installed")
    if not re.search(r"^flags\b.*\bavx2\b", open("/proc/cpuinfo").read(), re.M):
        skip("this CPU has no AVX2")
    if not o.write and o.build != record["build"]:
        skip("figures are on record for %s, this is %s" % (record["build"], o.build))
    got = measure(o.wireglass)
    if o.write:
        record = {"build": o.build or record.get("build", ""), "instructions_per_packet": got}
        with open(RECORD, "w") as f:
            f.write(json.dumps(record, indent=2) + "\n")
        return
    sys.exit(compare(got, record["instructions_per_packet"]))


main()
