#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Replays every case of this folder and compares what comes out. See README.md for the files of a case.

usage: run.py [--wireglass PROGRAM] [CASE...]
       run.py --pcap OUT.pcap CASE         write the capture of a case and stop
       run.py --show CASE                  print what replay says, to write expected.json from
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import flow as flowtext  # noqa: E402 (the folder is not a package)

EVENTS = "alert,http,fileinfo,flow,anomaly"
LISTS = {"alerts": "alert", "http": "http", "fileinfo": "fileinfo", "flows": "flow", "anomalies": "anomaly"}
# Cut otherwise, the same bytes must give the same hits and transactions.
OTHER_SEGMENTS = [1, 7]


def is_subset(want, have):
    """Is all of want in have? Lists must have the same length; {"min": n} compares numbers."""
    if isinstance(want, dict):
        if set(want) == {"min"} and isinstance(have, (int, float)):
            return have >= want["min"]
        return isinstance(have, dict) and all(k in have and is_subset(v, have[k]) for k, v in want.items())
    if isinstance(want, list):
        return isinstance(have, list) and len(want) == len(have) and all(map(is_subset, want, have))
    return type(want) is type(have) and want == have


def compare_list(kind, want, lines):
    """Each wanted object must match a line of its own, and no line may be left over."""
    problems = []
    rest = list(lines)
    for item in want:
        match = next((line for line in rest if is_subset(item, line)), None)
        if match is None:
            problems.append(f"no {kind} event like {json.dumps(item)}")
        else:
            rest.remove(match)
    problems += [f"unexpected {kind} event {json.dumps(line)}" for line in rest]
    return problems


def counter(stats, name):
    for part in name.split("."):
        stats = stats.get(part) if isinstance(stats, dict) else None
    return stats


def compare(expected, events, counters):
    problems = []
    for key, kind in LISTS.items():
        if key in expected:
            lines = [e for e in events if e.get("event_type") == kind]
            problems += compare_list(kind, expected[key], lines)
    if counters:
        stats = [e for e in events if e.get("event_type") == "stats"]
        if len(stats) != 1 or events[-1] is not stats[0]:
            return problems + ["the last line is not the one stats event"]
        ledger = stats[0]["stats"]["ledger"]
        for unit, whole in (("bytes", "capture.bytes"), ("flows", "flow.created")):
            rows = [row[unit] for row in ledger.values()]
            if sum(rows) != counter(stats[0]["stats"], whole) or max(rows) > sum(rows):
                problems.append(f"the ledger's {unit} do not add up to {whole}: {ledger}")
        for name, want in expected.get("counters", {}).items():
            have = counter(stats[0]["stats"], name)
            if not is_subset(want, have):
                problems.append(f"counter {name}: expected {json.dumps(want)}, got {have}")
    return problems


def replay(program, rules, capture):
    """(events, problems) of one run."""
    command = [program, "replay", "--rules", rules, "--events", EVENTS, capture]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], [str(error)]
    if done.returncode != 0:
        text = done.stderr.decode(errors="replace").strip().split("\n")
        return [], [f"exit code {done.returncode}"] + text[-5:]
    events = []
    for line in done.stdout.decode(errors="strict").splitlines():
        events.append(json.loads(line))
    if not events:
        return [], ["replay printed nothing"]
    return events, []


def runs_of(folder, expected, scratch):
    """(name, capture, are counters compared) of each run of a case."""
    pcap = os.path.join(folder, "input.pcap")
    if os.path.exists(pcap):
        return [("", pcap, True)]
    with open(os.path.join(folder, "input.flow"), encoding="utf-8") as text:
        flows = flowtext.parse(text.read())
    runs = [("", 0, True)]
    if flowtext.is_as_sent(flows) and not expected.get("one_segmentation"):
        runs += [(f" in segments of {n}", n, False) for n in OTHER_SEGMENTS]
    result = []
    for name, segment_bytes, counters in runs:
        path = os.path.join(scratch, f"{os.path.basename(folder)}-{segment_bytes}.pcap")
        with open(path, "wb") as out:
            out.write(flowtext.pcap_of(flowtext.packets_of(flows, segment_bytes), flows))
        result.append((name, path, counters))
    return result


def run_case(program, case, scratch):
    """[(name, problems)]"""
    folder = os.path.join(HERE, case)
    try:
        with open(os.path.join(folder, "expected.json"), encoding="utf-8") as text:
            expected = json.load(text)
        unknown = set(expected) - set(LISTS) - {"counters", "one_segmentation"}
        if unknown:
            return [(case, [f"expected.json: unknown key {sorted(unknown)[0]}"])]
        if not os.path.exists(os.path.join(folder, "README")):
            return [(case, ["README is missing: say what the case is for and where it comes from"])]
        runs = runs_of(folder, expected, scratch)
    except (OSError, ValueError, flowtext.FlowError) as error:
        return [(case, [str(error)])]
    results = []
    for name, capture, counters in runs:
        try:
            events, problems = replay(program, os.path.join(folder, "test.rules"), capture)
        except ValueError as error:
            events, problems = [], [f"output is not JSON lines: {error}"]
        if not problems:
            if not counters:
                part = {k: v for k, v in expected.items() if k != "flows"}
            else:
                part = expected
            problems = compare(part, events, counters)
        results.append((case + name, problems))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wireglass", default="build/wireglass")
    parser.add_argument("--pcap")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("case", nargs="*")
    args = parser.parse_args()
    cases = args.case or sorted(
        name for name in os.listdir(HERE) if os.path.exists(os.path.join(HERE, name, "expected.json"))
    )
    with tempfile.TemporaryDirectory() as scratch:
        if args.pcap or args.show:
            capture = runs_of(os.path.join(HERE, cases[0]), {"one_segmentation": True}, scratch)[0][1]
            if args.pcap:
                with open(capture, "rb") as source, open(args.pcap, "wb") as out:
                    out.write(source.read())
                return 0
            rules = os.path.join(HERE, cases[0], "test.rules")
            return subprocess.call([args.wireglass, "replay", "--rules", rules, "--events", EVENTS, capture])
        number = failed = 0
        for case in cases:
            for name, problems in run_case(args.wireglass, case, scratch):
                number += 1
                failed += bool(problems)
                print(f"{'not ok' if problems else 'ok'} {number} - {name}")
                for problem in problems:
                    print(f"# {problem}")
    print(f"1..{number}")
    return 1 if failed or number == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
