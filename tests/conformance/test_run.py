#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does run.py notice what it is there to notice? A corpus runner of a few lines stands in for conform.py."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
STAND_IN = """import sys
assert sys.argv[-1] == "sv" and "--verbose" in sys.argv
{body}
"""

# what conform.py says, exceptions, exit code of run.py, a line that it prints
CASES = {
    "all pass": ("print('sv: 100 passed, 0 failed')", "", 0, "100 cases passed"),
    "unlisted failure": (
        "print('sv a/b.pcap: missing [1], extra []'); print('sv: 99 passed, 1 failed')",
        "",
        1,
        "not ok - sv a/b.pcap: missing [1], extra []",
    ),
    "listed failure": (
        "print('sv a/b.pcap: missing [1], extra []'); print('sv: 99 passed, 1 failed')",
        "sv a/b.pcap: its oracle is wrong: see RFC 9112\n",
        0,
        "ok - sv a/b.pcap # SKIP exception: its oracle is wrong: see RFC 9112",
    ),
    "other suite's exception": (
        "print('sv: 100 passed, 0 failed')",
        "tx a/b.pcap: its oracle is wrong\n",
        0,
        "100 cases passed",
    ),
    "stale exception": (
        "print('sv: 100 passed, 0 failed')",
        "sv a/b.pcap: its oracle is wrong\n",
        1,
        "not ok - sv a/b.pcap: passes or is gone",
    ),
    "too many exceptions": (
        "[print('sv %d: x' % i) for i in range(3)]; print('sv: 97 passed, 3 failed')",
        "".join(f"sv {i}: its oracle is wrong\n" for i in range(3)),
        1,
        "not ok - sv: 3 exceptions are more than 2 % of 100 cases",
    ),
    "exception without a sentence": (
        "print('sv: 100 passed, 0 failed')",
        "sv a/b.pcap: todo\n",
        1,
        "expected \"SUITE CASE: reason in a sentence\"",
    ),
    "exception listed twice": (
        "print('sv: 100 passed, 0 failed')",
        "sv a/b.pcap: its oracle is wrong\n" * 2,
        1,
        "is listed twice",
    ),
    "the runner dies": ("sys.exit('boom')", "", 1, "not ok - sv: conform.py gave up: boom"),
    "failures without names": (
        "print('sv: 99 passed, 1 failed')",
        "",
        1,
        "not ok - sv: conform.py counts 1 failures but names 0",
    ),
    "no corpus": (None, "", 0, "ok - sv # SKIP no corpus in"),
}


def run(shared, body, exceptions):
    if body is not None:
        os.makedirs(os.path.join(shared, "corpora/http"))
        os.makedirs(os.path.join(shared, "tools/conform"))
        with open(os.path.join(shared, "tools/conform/conform.py"), "w", encoding="utf-8") as out:
            out.write(STAND_IN.format(body=body))
    with open(os.path.join(shared, "exceptions"), "w", encoding="utf-8") as out:
        out.write("# a comment\n\n" + exceptions)
    command = [sys.executable, os.path.join(HERE, "run.py"), "--shared", shared]
    command += ["--exceptions", os.path.join(shared, "exceptions"), "sv"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main():
    failed = 0
    for name, (body, exceptions, code, line) in CASES.items():
        with tempfile.TemporaryDirectory() as shared:
            done = run(shared, body, exceptions)
        fine = done.returncode == code and line in done.stdout and done.stderr == ""
        print(f"{'ok' if fine else 'not ok'} - {name}")
        if not fine:
            print(f"# exit code {done.returncode}\n# " + "\n# ".join((done.stdout + done.stderr).splitlines()))
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
