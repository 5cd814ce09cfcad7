#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Do the counters add up on every capture of the public corpus?

usage: identities.py [--wireglass PROG] [--shared DIR]

Every frame is either decoded or has one reason why not; every datagram, flow and payload byte that began has ended in one
way when the input has. Prints TAP-like lines; skips when the corpus is missing.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tarfile
import tempfile

AT_ONCE = 40  # captures per start of the program; a batch that does not add up is looked at one by one
SUMS = {
    "capture.packets": "decode: tcp truncated short not_ip vlan_depth tunnel_depth bad_ipv4 bad_ipv6 fragment not_tcp"
    " bad_tcp bad_checksum",
    "decode.tcp": "decode: ipv4 ipv6",
    "frag.datagrams": "frag: active reassembled timeout evicted source_full overlap bad_end too_long shutdown",
    "flow.created": "flow: active closed timeout evicted shutdown",
}
ZERO = ["frag.active", "flow.active", "tcp.held_bytes", "app.read_after_release"]


def counter(stats, name):
    for part in name.split("."):
        stats = stats[part]
    return stats


def wrong_of(program, captures, options):
    """What does not add up after these captures."""
    command = [program, "replay", "--quiet", *options, *captures]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = run.stdout.splitlines()
    # 1 and 6: one of them cannot be read, or is cut short; the counters are of the others
    if run.returncode not in (0, 1, 6) or not lines:
        return [f"exit code {run.returncode}: {run.stderr.strip()[-200:]}"]
    stats = json.loads(lines[-1])["stats"]
    wrong = []
    for total, parts in SUMS.items():
        group, names = parts.split(": ")
        found = sum(counter(stats, f"{group}.{name}") for name in names.split())
        if found != counter(stats, total):
            wrong.append(f"{total} is {counter(stats, total)}, its parts are {found}")
    return wrong + [f"{name} is {counter(stats, name)}" for name in ZERO if counter(stats, name) != 0]


def judge(program, captures, options):
    failed = 0
    for i in range(0, len(captures), AT_ONCE):
        batch = captures[i : i + AT_ONCE]
        if not wrong_of(program, batch, options):
            continue
        alone = [(os.path.basename(c), wrong_of(program, [c], options)) for c in batch]
        alone = [(name, wrong) for name, wrong in alone if wrong] or [("together", wrong_of(program, batch, options))]
        for name, wrong in alone:
            print(f"not ok - {name} {' '.join(options)}: {'; '.join(wrong)}")
            failed += 1
    return failed


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--wireglass", default="build/wireglass")
    parser.add_argument("--shared", default=os.path.join(here, "../../../shared"))
    args = parser.parse_args()
    corpus = os.path.join(args.shared, "corpora")
    if not os.path.isdir(corpus):
        print(f"ok - identities # SKIP no corpus in {os.path.normpath(args.shared)}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(os.path.join(corpus, "http/derived.tar.xz")) as derived:
            derived.extractall(folder)
        captures = sorted(
            glob.glob(os.path.join(corpus, "http/pcaps/*"))
            + glob.glob(os.path.join(corpus, "oracle/*.pcap"))
            + glob.glob(os.path.join(folder, "**/*.pcap"), recursive=True)
        )
        failed = 0
        for options in ([], ["--checksums", "--events", "http,fileinfo,flow,anomaly"], ["--tunnels", "none"]):
            failed += judge(args.wireglass, captures, options)
    print(f"{3 * len(captures) - failed} cases passed")
    return 1 if failed or not captures else 0


if __name__ == "__main__":
    sys.exit(main())
