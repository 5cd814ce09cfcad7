#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_chart.py BUILD: the scripts that make tables, curves and charts, with very short runs: are all points there, with the work
they stand for? Never how fast."""
import csv
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as tree

import cases
from cases import check

BUILD = sys.argv[1]


def run(script, *args):
    return subprocess.run([sys.executable, "tests/bench/" + script, *args], capture_output=True, text=True)


def marks(path, kind):
    """Elements of a kind in a chart, which is XML and has nothing outside of its frame."""
    root = tree.parse(path).getroot()
    width, height = float(root.get("width")), float(root.get("height"))
    for e in root.iter():
        for k, most in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("y1", height),
                        ("y2", height), ("cy", height)):
            if not 0 <= float(e.get(k, 0)) <= most:
                raise ValueError("%s: %s of %s is outside" % (path, k, e.tag))
    return sum(e.tag.endswith("}" + kind) for e in root.iter())


with tempfile.TemporaryDirectory() as folder:
    short = ["-b", BUILD, "-s", "0.001", "-n", "1", "--out", folder]
    done = run("table.py", *short)
    check("a table of the demo", done.returncode == 0, done.stderr)
    rows = json.load(open(folder + "/bench.json"))["rows"]
    check("without rules and with the demo's", [r["rules"] for r in rows] == [None, "demo.rules"], rows)
    check("packets, transactions, hits", [[r["bench"][k] for k in ("packets", "transactions", "hits")] for r in rows] ==
          [[409, 32, 0], [409, 32, 17]], rows)
    check("its chart has a bar for each, and the ground", marks(folder + "/bench.svg", "rect") == 5,
          marks(folder + "/bench.svg", "rect"))
    done = run("table.py", *short, "none.pcap")
    check("a capture that is not there is a failure", done.returncode == 1 and "none.pcap" in done.stderr, done.stderr)

    one = str(min(os.sched_getaffinity(0)))
    done = run("curves.py", *short, "--quick", "--cpus", one + "," + one)
    check("curves", done.returncode == 0, done.stderr)
    curves = {c["name"]: c["points"] for c in json.load(open(folder + "/curves.json"))["curves"]}
    check("all six", list(curves) == ["rules", "flows", "body", "loss", "hits", "workers"], list(curves))
    check("as many rules as said", [p["x"] for p in curves["rules"]] == [p["rules"] for p in curves["rules"]] and
          max(p["x"] for p in curves["rules"]) > 10, curves["rules"])
    check("as many flows as said, of seven packets", [p["packets"] for p in curves["flows"]] ==
          [7 * p["x"] for p in curves["flows"]], curves["flows"])
    check("every transaction is seen", [p["transactions"] for c in ("rules", "hits", "workers") for p in curves[c]] ==
          [200] * sum(len(curves[c]) for c in ("rules", "hits", "workers")), curves)
    check("as many hits as said", [p["hits"] for p in curves["hits"]] == [2 * p["x"] for p in curves["hits"]], curves["hits"])
    whole, lost = [next(p for p in curves["loss"] if p["x"] == x and p["series"] == "lost") for x in (0, 5)]
    check("loss loses packets", whole["packets"] > lost["packets"] > 0.9 * whole["packets"], curves["loss"])
    check("nothing is lost for want of room", not any(p["losses"] for c in curves.values() for p in c), curves)
    points = sum(map(len, curves.values()))
    check("a line of the CSV file for each point", len(list(csv.reader(open(folder + "/curves.csv")))) == points + 1)
    check("a dot of the chart for each point", marks(folder + "/curves.svg", "circle") == points)
    done = run("chart.py", folder + "/curves.json", folder + "/again.svg")
    check("the chart again", open(folder + "/again.svg").read() == open(folder + "/curves.svg").read(), done.stderr)
cases.done()
