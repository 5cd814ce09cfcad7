#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a Linux application reads, against what is reassembled: 117 adversarial scripts, recorded.

usage: linux_oracle.py [--wireglass PROG] [--shared DIR] [--live]

Each script has a client port of its own; the first connection of it counts. The bytes that `wireglass replay --streams`
writes as read must be those the application read; what is only scanned must be in the file that ends in ".alt.bin",
and no payload byte that a host could have taken may be in neither. The recording lies outside this repository (DIR,
default ../shared); without it the test is skipped. --live (root) records it anew from the running kernel first, in
private network namespaces. Prints TAP-like lines.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile


def read(path):
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def streams(args, pcap, folder):
    """Run the program; {client port: (main bytes, alternative bytes)} of the first connection of each."""
    command = [args.wireglass, "replay", "--checksums", "--streams", folder, pcap]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if run.returncode not in (0, 1, 6):
        sys.exit(f"Bail out! {' '.join(command)}: exit {run.returncode}: {run.stderr.strip()}")

    def of(port):
        found = []
        for kind in ("", ".alt"):
            names = glob.glob(f"{folder}/*.{port}-*.8[01]{kind}.bin")
            found.append(read(names[0]) if names else b"")
        return found

    return of


def record(args, folder):
    script = os.path.join(args.shared, "tools/oracle/linux_oracle.py")
    subprocess.run([sys.executable, script, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wireglass", default="build/wireglass")
    parser.add_argument("--shared", default="../shared")
    parser.add_argument("--live", action="store_true")
    args = parser.parse_args()
    source = os.path.join(args.shared, "corpora/oracle")
    if not os.path.exists(os.path.join(source, "linux_oracle.json")):
        print("ok 1 # SKIP no recording of a Linux host beside the repository (../shared/corpora/oracle)")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        if args.live:
            source = record(args, folder)
        with open(os.path.join(source, "linux_oracle.json"), encoding="utf-8") as file:
            cases = json.load(file)
        of = streams(args, os.path.join(source, "linux_oracle.pcap"), os.path.join(folder, "streams"))
        for number, case in enumerate(cases, 1):
            want = bytes.fromhex(case["raw"])
            got, alt = of(case["port"])
            good = got == want
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} {case['test']}")
            if not good:
                print(f"# the application read {want[:60]!r}, reassembled was {got[:60]!r}, beside it {alt[:60]!r}")
    print(f"# {len(cases) - failed} of {len(cases)} as Linux")
    return 1 if failed else 0


sys.exit(main())
