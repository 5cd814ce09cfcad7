#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One suite of the public corpus against the program, and the written exceptions against what fails.

usage: run.py [--wireglass PROG] [--shared DIR] [--exceptions FILE] SUITE

The corpus and conform.py, which runs it, lie outside this repository (DIR, default ../shared): without them the
suite is skipped. Instead of conform.py transactions.py compares the suite tx, and alerts.py the suite diff: each says how. A
case may fail only if the file of exceptions lists it with a reason; an exception that is no longer needed, one without a
reason, or more of them than 2 % of the suite's cases is a failure too. Prints
TAP-like lines for the cases that are not plain passes, and the number of the others for tests/summary.py.
"""
import argparse
import os
import re
import subprocess
import sys

import alerts
import transactions

MOST = 0.02  # of a suite's cases may be exceptions
OWN = {"diff": alerts.suite, "tx": transactions.suite}  # compared here
EXCEPTION = re.compile(r"^(\S+) (.+?): (\S.*)$")
TOTAL = re.compile(r"^(\S+): (\d+) passed, (\d+) failed$")


def exceptions_of(path, suite):
    """Lines "SUITE CASE: why": {case: why}, and what is wrong with the file."""
    found, wrong = {}, []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = EXCEPTION.match(line)
            if match is None or len(match[3].split()) < 4:
                wrong.append(f"{path}:{number}: expected \"SUITE CASE: reason in a sentence\"")
            elif match[1] == suite and match[2] in found:
                wrong.append(f"{path}:{number}: {match[2]} is listed twice")
            elif match[1] == suite:
                found[match[2]] = match[3]
    return found, wrong


def conform(args, corpus):
    """Run the suite: ({failing case: why}, cases passed), or a message."""
    command = [sys.executable, os.path.join(args.shared, "tools/conform/conform.py"), "--verbose"]
    command += ["--wireglass", args.wireglass, "--corpus", corpus, args.suite]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    failing, passed, failed = {}, None, 0
    for line in run.stdout.splitlines():
        total, case = TOTAL.match(line), EXCEPTION.match(line)
        if total is not None:
            passed, failed = int(total[2]), int(total[3])
        elif case is not None and case[1] == args.suite:
            failing[case[2]] = case[3]
    if passed is None:
        return f"conform.py gave up: {(run.stderr.strip().splitlines() or ['?'])[-1]}"
    if failed != len(failing):
        return f"conform.py counts {failed} failures but names {len(failing)}"
    return failing, passed


def judge(suite, failing, passed, excepted):
    """Print the verdicts. True: nothing is wrong."""
    fine = True
    total = passed + len(failing)
    print(f"{passed} cases passed")
    for case, why in failing.items():
        if case in excepted:
            print(f"ok - {suite} {case} # SKIP exception: {excepted[case]}")
        else:
            print(f"not ok - {suite} {case}: {why}")
            fine = False
    for case in sorted(excepted.keys() - failing.keys()):
        print(f"not ok - {suite} {case}: passes or is gone: take it off the list of exceptions")
        fine = False
    if len(excepted) > MOST * total:
        print(f"not ok - {suite}: {len(excepted)} exceptions are more than 2 % of {total} cases")
        fine = False
    return fine


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("--wireglass", default="build/wireglass")
    parser.add_argument("--shared", default=os.path.join(here, "../../../shared"))
    parser.add_argument("--exceptions", default=os.path.join(here, "exceptions"))
    parser.add_argument("suite")
    args = parser.parse_args()
    args.wireglass = os.path.abspath(args.wireglass)

    excepted, wrong = exceptions_of(args.exceptions, args.suite)
    for text in wrong:
        print(f"not ok - {text}")
    if wrong:
        return 1
    corpus = os.path.join(args.shared, "corpora/http")
    if not os.path.isdir(corpus):
        print(f"ok - {args.suite} # SKIP no corpus in {os.path.normpath(args.shared)}")
        return 0
    if args.suite in OWN:
        outcome = OWN[args.suite](args.wireglass, corpus)
    else:
        outcome = conform(args, corpus)
    if isinstance(outcome, str):
        print(f"not ok - {args.suite}: {outcome}")
        return 1
    return 0 if judge(args.suite, *outcome, excepted) else 1


if __name__ == "__main__":
    sys.exit(main())
