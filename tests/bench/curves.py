#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""curves.py [options] [CURVE]...: how speed changes with the number of rules and flows, body size, loss and reordering, share of
transactions with a hit, and workers. Captures are made by traffic.py. Writes curves.json, curves.csv and curves.svg.

Each point is a `wireglass bench` of its own; points of a curve are measured in one sitting, one after the other. Workers share
nothing, so two of them are two processes on two CPUs at the same time."""
import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import chart
import traffic

BYTES = 20e6  # of a capture, where the curve does not say otherwise
NEEDLE_RULE = ('alert http any any -> any any (flow:to_client; file.data; content:"%s"; sid:99999999;)\n'
               % traffic.NEEDLE.decode())
WEB = {"transactions": 5, "body_bytes": 8000}


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-b", "--build", default="build", help="build folder (default build)")
    p.add_argument("-r", "--rules", default="rules/examples/demo.rules", help="of all curves but `rules` (default the demo's)")
    p.add_argument("--many", help="rule file that `rules` takes its rules from, and varies when it has not enough")
    p.add_argument("-v", "--var", action="append", default=[], help="rule variable, e.g. HOME_NET=any, repeat for more")
    p.add_argument("-s", "--seconds", default="1", help="of a run (default 1)")
    p.add_argument("-n", "--runs", default="5", help="default 5")
    p.add_argument("--cpus", default="1,0", help="the first is for one worker (default 1,0)")
    p.add_argument("--most", type=float, default=float("inf"), help="leave out points beyond it: rules, flows, bytes")
    p.add_argument("--quick", action="store_true", help="small captures and few points: does it work?")
    p.add_argument("--out", default=".", metavar="FOLDER")
    p.add_argument("--scratch", help="folder for captures, up to 5 GB with bodies of 4 GB (default the system's)")
    p.add_argument("curve", nargs="*", choices=[[], *CURVES], help="default all")
    return p.parse_args()


# --- measuring ---

def start(o, pcap, rules, cpu, more=()):
    command = ["taskset", "-c", cpu, o.build + "/wireglass", "--json", "bench", "--seconds", o.seconds, "--runs", o.runs, *more]
    for file in rules:
        command += ["--rules", file]
    for var in o.var:
        command += ["--var", var]
    return subprocess.Popen([*command, pcap], stdout=subprocess.PIPE, text=True)


def finish(process):
    out = process.communicate()[0]
    if process.returncode != 0:
        sys.exit("curves.py: %s failed" % " ".join(process.args))
    return json.loads(out)


def bench(o, pcap, rules, *more):
    return finish(start(o, pcap, rules, o.cpus.split(",")[0], more))


def point(series, x, said, key):
    """key: gbps or ns_per_packet."""
    speed = {k: said["gbps"][k] for k in ("median", "min", "max")}
    if key == "ns_per_packet":
        bits = said["bytes"] * 8 / said["packets"]
        speed = {"median": bits / speed["median"], "min": bits / speed["max"], "max": bits / speed["min"]}
    return {"series": series, "x": x, "y": round(speed["median"], 4), "min": round(speed["min"], 4),
            "max": round(speed["max"], 4), **{k: said[k] for k in ("packets", "transactions", "hits", "rules", "losses")}}


def limit(x, said):
    return {**point("Hyperscan and ISA-L alone", x, said, "gbps"), **dict.fromkeys(("y", "min", "max"), said["limit"]["libraries_gbps"])}


def steps(o, all_, few):
    return [x for x in (few if o.quick else all_) if x <= o.most]


def web_flows(o):
    return 40 if o.quick else int(BYTES / WEB["transactions"] / WEB["body_bytes"])


# --- curves: each yields points ---

def varied(rule, k, sid):
    """Copy k of a rule: each letter of its contents is moved k places in the alphabet. Hexadecimal bytes and escapes stay, and so
    do short contents: most are methods."""
    def moved(match):
        out = []
        if len(match[2]) <= 4:
            return match[0]
        for i, part in enumerate(match[2].split("|")):
            if i % 2 == 0:
                part = re.sub(r"\\.|[a-z]|[A-Z]", lambda m: m[0] if len(m[0]) > 1 else chr(
                    (ord(m[0]) - (base := 97 if m[0] >= "a" else 65) + k) % 26 + base), part)
            out.append(part)
        return match[1] + "|".join(out) + '"'

    rule = re.sub(r'(content:\s*!?")((?:[^"\\]|\\.)*)"', moved, rule) if k else rule
    return re.sub(r"sid:\s*\d+", "sid:%d" % sid, rule)


def curve_rules(o, folder):
    lines = [line.strip() for line in open(o.many or o.rules) if re.match(r"(alert|drop|pass|reject)\s", line)]
    random.Random(1).shuffle(lines)
    pcap = folder + "/web.pcap"
    traffic.write(pcap, traffic.http(web_flows(o), **WEB))
    for n in steps(o, (10, 30, 100, 300, 1000, 3000, 10000, 20000, 50000), (5, 10, 40)):
        with open(folder + "/n.rules", "w") as f:
            for i in range(n):
                f.write(varied(lines[i % len(lines)], i // len(lines), i + 1) + "\n")
        said = bench(o, pcap, [folder + "/n.rules"])
        yield point("engine", n, said, "gbps")
        yield limit(n, said)


def curve_flows(o, folder):
    for n in steps(o, (1000, 4000, 16000, 64000, 256000, 1000000, 4000000), (100, 1000)):
        traffic.write(folder + "/flows.pcap", traffic.many_flows(n), 4e6)
        table = 1 << (n - 1).bit_length()
        said = bench(o, folder + "/flows.pcap", [o.rules], "--no-limit", "--flows", str(table if table >= 1.25 * n else 2 * table))
        yield point("engine", n, said, "ns_per_packet")


def curve_body(o, folder):
    for size in steps(o, [10 ** n for n in range(2, 10)] + [4 * 10 ** 9], (100, 100000)):
        n = max(1, min(20000, int((2e5 if o.quick else BYTES) / (size + 600))))
        traffic.write(folder + "/body.pcap", traffic.http(max(1, n // 5), min(n, 5), size))
        said = bench(o, folder + "/body.pcap", [o.rules], "--no-limit")
        yield point("engine", size, said, "gbps")


def curve_loss(o, folder):
    for percent in (0, 5) if o.quick else (0, 0.1, 0.5, 1, 2, 5):
        for what in ("loss", "reorder"):
            traffic.write(folder + "/loss.pcap", traffic.http(web_flows(o), **WEB, **{what: percent / 100}))
            said = bench(o, folder + "/loss.pcap", [o.rules], "--no-limit")
            yield point({"loss": "lost", "reorder": "out of order"}[what], percent, said, "gbps")


def curve_hits(o, folder):
    with open(folder + "/needle.rules", "w") as f:
        f.write(NEEDLE_RULE)
    for percent in (0, 100) if o.quick else (0, 1, 5, 10, 25, 50, 75, 100):
        traffic.write(folder + "/hits.pcap", traffic.http(web_flows(o), **WEB, hit_share=percent / 100))
        said = bench(o, folder + "/hits.pcap", [o.rules, folder + "/needle.rules"], "--no-limit")
        yield point("engine", percent, said, "gbps")


def curve_workers(o, folder):
    pcap, cpus = folder + "/web.pcap", o.cpus.split(",")
    traffic.write(pcap, traffic.http(web_flows(o), **WEB))
    for n in range(1, len(cpus) + 1):
        said = [finish(p) for p in [start(o, pcap, [o.rules], cpu, ["--no-limit"]) for cpu in cpus[:n]]]
        both = {**said[0], "gbps": {k: sum(s["gbps"][k] for s in said) for k in said[0]["gbps"]}}
        yield point("engine", n, both, "gbps")


GBPS, NS = "Gbit/s of captured frames", "ns per packet"
CURVES = {
    # title, what x is, unit, logarithmic x
    "rules": (curve_rules, "rules", "rules loaded", GBPS, True),
    "flows": (curve_flows, "flows", "TLS connections open at once", NS, True),
    "body": (curve_body, "body size", "bytes of a response's body", GBPS, True),
    "loss": (curve_loss, "loss and reordering", "% of data segments", GBPS, False),
    "hits": (curve_hits, "hits", "% of transactions with a hit", GBPS, False),
    "workers": (curve_workers, "workers", "workers, each on a CPU of its own", GBPS + ", all workers", False),
}


def write(o, curves):
    os.makedirs(o.out, exist_ok=True)
    with open(o.out + "/curves.json", "w") as f:
        f.write(json.dumps({"curves": curves}, indent=1) + "\n")
    with open(o.out + "/curves.csv", "w", newline="") as f:
        columns = ["series", "x", "y", "min", "max", "packets", "transactions", "hits", "rules"]
        out = csv.writer(f)
        out.writerow(["curve", *columns, "lost"])
        for c in curves:
            out.writerows([c["name"], *(p[k] for k in columns), sum(p["losses"].values())] for p in c["points"])
    with open(o.out + "/curves.svg", "w") as f:
        f.write(chart.curves({"curves": curves}))


def main():
    o = options()
    curves = []
    for name in o.curve or CURVES:
        make, title, x, unit, log = CURVES[name]
        points = []
        with tempfile.TemporaryDirectory(dir=o.scratch) as folder:
            for p in make(o, folder):
                points.append(p)
                print("%-8s %-26s %12g %10.3f (%.3f to %.3f)  %d packets, %d transactions, %d hits%s" % (
                    name, p["series"], p["x"], p["y"], p["min"], p["max"], p["packets"], p["transactions"], p["hits"],
                    ", lost: %s" % p["losses"] if p["losses"] else ""), flush=True)
        curves.append({"name": name, "title": title, "x": x, "unit": unit, "log": log, "points": points})
        write(o, curves)  # what there is, should a later one fail


main()
