#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Counts individual test cases in meson's test logs.

usage: summary.py TESTLOG.json|OUTPUT.tap...

Understands what cmocka prints, TAP-like lines ("ok 1 - name", "not ok 2 - name", "ok 3 - name # SKIP why") and
"N cases passed" for cases not worth a line each. A program that prints none of these counts as one case; one that dies counts at least one failure. Names failures and
skips, then prints one last line "N passed, N failed, N skipped". Exit code 1 if anything failed or nothing ran.
"""
import json
import os
import re
import sys

CMOCKA = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) test\(s\)\.", re.M),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) test\(s\), listed below:", re.M),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) test\(s\), listed below:", re.M),
}
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (?!\d+ test)(\S+)$", re.M)
# What a test says between its start and its verdict is why it was skipped.
CMOCKA_SKIPPED = re.compile(r"^\[ RUN      \] (\S+)\n((?:(?!\[ RUN).*\n)*?)\[  SKIPPED \] \1$", re.M)
TAP = re.compile(r"^(not ok|ok)\b(?: \d+)?(?: - )?(.*)$", re.M)
PASSED = re.compile(r"^(\d+) cases passed$", re.M)
TAP_SKIP = re.compile(r"# skip\b", re.I)


def count(entry):
    """Cases of one meson test: (passed, failed, skipped, [messages])."""
    name = entry["name"]
    text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    passed = failed = skipped = 0
    messages = []

    for key, pattern in CMOCKA.items():
        n = sum(int(x) for x in pattern.findall(text))
        if key == "passed":
            passed += n
        elif key == "failed":
            failed += n
        else:
            skipped += n
    for case in dict.fromkeys(CMOCKA_FAILED.findall(text)):
        messages.append(f"failed: {name}: {case}")
    for case, why in CMOCKA_SKIPPED.findall(text):
        messages.append(f"skipped: {name}: {case}: {' '.join(why.split()) or 'no reason given'}")

    for verdict, case in TAP.findall(text):
        if verdict == "not ok":
            failed += 1
            messages.append(f"failed: {name}: {case}")
        elif TAP_SKIP.search(case):
            skipped += 1
            messages.append(f"skipped: {name}: {case}")
        else:
            passed += 1

    passed += sum(int(n) for n in PASSED.findall(text))

    result = entry.get("result", "")
    if result in ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT") and failed == 0:
        failed += 1
        messages.append(f"failed: {name}: {result} (exit code {entry.get('returncode')})")
    elif result == "SKIP" and skipped == 0:
        skipped += 1
        messages.append(f"skipped: {name}")
    elif passed + failed + skipped == 0:
        passed = 1
    return passed, failed, skipped, messages


def entries_of(path):
    """Meson's log has one JSON object per test and line; any other file is the output of one test."""
    with open(path, encoding="utf-8", errors="replace") as log:
        if path.endswith(".json"):
            return [json.loads(line) for line in log if line.strip()]
        return [{"name": os.path.basename(path), "stdout": log.read()}]


def main(paths):
    total = [0, 0, 0]
    for path in paths:
        try:
            entries = entries_of(path)
        except (OSError, ValueError) as error:
            print(f"failed: {path}: {error}")
            total[1] += 1
            continue
        for entry in entries:
            *numbers, messages = count(entry)
            total = [a + b for a, b in zip(total, numbers)]
            for message in messages:
                print(message)
    print("{} passed, {} failed, {} skipped".format(*total))
    return 1 if total[1] or not any(total) else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
