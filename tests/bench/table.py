#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""table.py [options] [PCAP]...: every capture without rules and with each rule file, `wireglass bench` each time; the table as text
and, with --out, as FOLDER/bench.json and FOLDER/bench.svg. Numbers of different sittings on a shared machine do not
compare; ratios within one table do."""
import argparse
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import chart

HEAD = ("capture", "rules", "Gbit/s", "min", "max", "ns/pkt", "of limit", "packets", "trans.", "hits", "Suricata")
FORMAT = "%-18s %-16s %8s %8s %8s %8s %8s %9s %8s %8s %9s"


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-b", "--build", default="build", help="build folder (default build)")
    p.add_argument("-r", "--rules", action="append", help="rule file, repeat for more (default the demo's)")
    p.add_argument("-v", "--var", action="append", default=[], help="rule variable, e.g. HOME_NET=any, repeat for more")
    p.add_argument("-s", "--seconds", default="1", help="of a run (default 1)")
    p.add_argument("-n", "--runs", default="5", help="default 5")
    p.add_argument("--cpu", help="to run on (default any)")
    p.add_argument("--suricata", metavar="DIR", help="also compare with Suricata, see tests/bench/compare.py")
    p.add_argument("--stages", action="store_true", help="also what each stage costs")
    p.add_argument("--out", metavar="FOLDER", help="write bench.json and bench.svg there")
    p.add_argument("pcap", nargs="*", default=["tests/demo/demo.pcap"])
    return p.parse_args()


def first(pattern_file, start):
    for line in open(pattern_file):
        if line.startswith(start):
            return line.split(":", 1)[1].strip()
    return None


def said(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def bench(o, pcap, rules):
    """What bench says, or None after it said on stderr what is wrong."""
    pin = ["taskset", "-c", o.cpu] if o.cpu else []
    arguments = ["--runs", o.runs, "--seconds", o.seconds]
    if rules:
        arguments += ["--rules", rules] + [a for v in o.var for a in ("--var", v)]
    row = {"capture": os.path.basename(pcap), "rules": os.path.basename(rules) if rules else None}
    row["bench"] = said([*pin, o.build + "/wireglass", "--json", "bench", *arguments,
                         *(["--stages"] if o.stages else []), pcap])
    if row["bench"] and o.suricata and rules:
        cpu = ["--cpu", o.cpu] if o.cpu else []
        row["compare"] = said([sys.executable, os.path.dirname(os.path.abspath(__file__)) + "/compare.py", "--json",
                               "--wireglass", o.build + "/wireglass", *cpu, *arguments, o.suricata, pcap])
    return row if row["bench"] else None


def show(row):
    b, c = row["bench"], row.get("compare")
    ratio = (b["limit"] or {}).get("ratio")
    print(FORMAT % (row["capture"], row["rules"] or "none", *("%.2f" % b["gbps"][k] for k in ("median", "min", "max")),
                    "%.1f" % b["ns_per_packet"], "%.0f %%" % (100 * ratio) if ratio else "-",
                    b["packets"], b["transactions"], b["hits"], "x %.2f" % c["ratio"]["median"] if c else "-"), flush=True)


def main():
    o = options()
    rows, failed = [], False
    print(FORMAT % HEAD)
    for pcap in o.pcap:
        for rules in [None] + (o.rules or ["rules/examples/demo.rules"]):
            row = bench(o, pcap, rules)
            if row:
                rows.append(row)
                show(row)
            failed = failed or row is None or (bool(o.suricata) and bool(rules) and row.get("compare") is None)
    if o.out and rows:
        os.makedirs(o.out, exist_ok=True)
        version = subprocess.run([o.build + "/wireglass", "version"], stdout=subprocess.PIPE, text=True).stdout
        table = {"cpu": first("/proc/cpuinfo", "model name"), "wireglass": version.split("\n")[0].strip(), "rows": rows}
        with open(o.out + "/bench.json", "w") as f:
            f.write(json.dumps(table, indent=1) + "\n")
        with open(o.out + "/bench.svg", "w") as f:
            f.write(chart.table(table))
    sys.exit(failed)


main()
