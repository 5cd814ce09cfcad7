#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""compare.py [options] --rules FILE DIR PCAP: Wireglass and Suricata in alternation on the same capture and rules.

DIR is a folder with Suricata's configuration DIR/lab/full.yaml and, in DIR/trixie, a Debian to chroot into with the
package suricata; without DIR/trixie the suricata of this machine runs. `wireglass bench --compare DIR` starts this.
Suricata reads a file once: short captures are written out as several copies, one after the other in time, with other addresses;
both get the same file. Its time is the CPU time of all its threads from "Engine started" to "read 1 file", so loading and
closing are not in it; ours is that of `wireglass bench`. Needs root for the chroot."""
import argparse
import json
import math
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

COPIES_MAX = 200  # the second byte of an address
LEAST_SECONDS = 0.2  # CPU time is told in hundredths


def die(text):
    sys.exit("wireglass bench: " + text)


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--wireglass", default="build/wireglass", help="the program")
    p.add_argument("--rules", action="append", required=True, metavar="FILE")
    p.add_argument("--var", action="append", default=[], metavar="NAME=VALUE",
                   help="rule variable for Wireglass; Suricata has those of its configuration, HOME_NET any")
    p.add_argument("--runs", type=int, default=5, help="of either (default 5)")
    p.add_argument("--seconds", default="1", help="of a run of Wireglass (default 1)")
    p.add_argument("--megabytes", type=float, default=200, help="copy the capture until it is so long (default 200)")
    p.add_argument("--cpu", default="1", help="to run on (default 1)")
    p.add_argument("--config", default="full", help="DIR/lab/NAME.yaml (default full)")
    p.add_argument("--json", action="store_true")
    p.add_argument("dir", metavar="DIR")
    p.add_argument("pcap", metavar="PCAP")
    return p.parse_args()


# --- the capture ---

def sum_fixed(old_sum, old, new):
    """A checksum after a 16-bit word has changed twice over (RFC 1624)."""
    s = (~old_sum & 0xffff) + (~old & 0xffff) + new
    s = (s & 0xffff) + (s >> 16)
    return ~((s & 0xffff) + (s >> 16)) & 0xffff


def copy_packet(p, i):
    """The packet of copy i: the second byte of both addresses is i more."""
    if i == 0 or p[12:14] != b"\x08\x00":
        return p
    p = bytearray(p)
    tcp = 14 + (p[14] & 15) * 4
    for at in (26, 30):
        old = struct.unpack_from(">H", p, at)[0]
        new = old & 0xff00 | (old + i) & 0xff
        struct.pack_into(">H", p, at, new)
        for where in (24, tcp + 16) if p[23] == 6 else (24,):
            struct.pack_into(">H", p, where, sum_fixed(struct.unpack_from(">H", p, where)[0], old, new))
    return p


def multiply(pcap, out, copies):
    data = open(pcap, "rb").read()
    if data[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") or struct.unpack_from("<I", data, 20)[0] != 1:
        die("%s: only little-endian pcap files of Ethernet can be copied; say --megabytes 0" % pcap)
    packets, at = [], 24
    while at + 16 <= len(data):
        second, part, length, wire = struct.unpack_from("<IIII", data, at)
        packets.append((second, part, wire, data[at + 16:at + 16 + length]))
        at += 16 + length
    times = [p[0] for p in packets]
    period = max(times) - min(times) + 2
    with open(out, "wb", 1 << 20) as f:
        f.write(data[:24])
        for i in range(copies):
            for second, part, wire, packet in packets:
                f.write(struct.pack("<IIII", second + i * period, part, len(packet), wire) + copy_packet(packet, i))


# --- the two ---

def cpu_seconds(pid):
    """Of all threads, also of those that have ended. 0 when the process has."""
    try:
        fields = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_suricata(o, lab):
    """lab: the folder as Suricata sees it, and as we do."""
    seen, ours = lab
    shutil.rmtree(ours + "/log", ignore_errors=True)
    os.makedirs(ours + "/log")
    chroot = ["chroot", o.dir + "/trixie"] if os.path.isdir(o.dir + "/trixie") else []
    conf = ("/lab" if chroot else o.dir + "/lab") + "/%s.yaml" % o.config
    p = subprocess.Popen(["taskset", "-c", o.cpu, *chroot, "suricata", "-c", conf, "-S", seen + "/compare.rules",
                          "-r", seen + "/compare.pcap", "--runmode", "single", "-k", "none", "-l", seen + "/log", "-v"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
    started = read = None
    lines = []
    for line in p.stdout:
        now = time.monotonic(), cpu_seconds(p.pid)
        lines.append(line)
        if "Engine started" in line:
            started = now
        m = re.search(r"read \d+ files?, (\d+) packets, (\d+) bytes", line)
        if m:
            read, packets, size = now, int(m[1]), int(m[2])
    p.wait()
    if started is None or read is None:
        die("Suricata said:\n" + "".join(lines[-15:]))
    events = [json.loads(line) for line in open(ours + "/log/eve.json")]
    stats = [e["stats"] for e in events if e["event_type"] == "stats"][-1]
    seconds, busy = read[0] - started[0], read[1] - started[1]
    if busy < LEAST_SECONDS:
        die("Suricata was done in %.2f s, which is too short to measure: say a larger --megabytes" % busy)
    return {"gbps": size * 8 / busy / 1e9, "by_the_clock": size * 8 / seconds / 1e9, "packets": packets,
            "transactions": stats["app_layer"]["tx"].get("http", 0),
            "alerts": sum(e["event_type"] == "alert" for e in events)}


def wireglass(o, *command):
    """What the program says, to the same rules."""
    options = [a for rules in o.rules for a in ("--rules", rules)] + [a for var in o.var for a in ("--var", var)]
    done = subprocess.run(["taskset", "-c", o.cpu, o.wireglass, *command[:-1], *options, command[-1]],
                          capture_output=True, text=True)
    if done.returncode != 0:
        die(re.sub(r"^wireglass[^:]*: ", "", done.stderr.strip()) or "exit code %d" % done.returncode)
    return done.stdout


def count_alerts(o, pcap):
    """As Suricata counts them: those that thresholds let pass, which a benchmark of the dataplane does not apply."""
    events = wireglass(o, "replay", "--quiet", "--events", "alert", pcap).splitlines()
    return sum(json.loads(e)["event_type"] == "alert" for e in events)


def run_wireglass(o, pcap):
    said = json.loads(wireglass(o, "--json", "bench", "--no-limit", "--runs", "1", "--seconds", o.seconds, pcap))
    return {"gbps": said["gbps"]["median"], "packets": said["packets"], "transactions": said["transactions"],
            "alerts": o.alerts}


# --- the result ---

def three(values):
    return {"median": round(statistics.median(values), 4), "min": round(min(values), 4), "max": round(max(values), 4)}


def summary(name, runs):
    counts = {k: runs[0][k] for k in ("packets", "transactions", "alerts")}
    if any({k: r[k] for k in counts} != counts for r in runs):
        print("compare.py: %s: runs differ in what they counted" % name, file=sys.stderr)
    return {"gbps": three([r["gbps"] for r in runs]), **counts}


def result(o, copies, ours, theirs):
    r = {"pcap": os.path.basename(o.pcap), "rules": [os.path.basename(f) for f in o.rules], "copies": copies,
         "runs": o.runs, "wireglass": summary("wireglass", ours), "suricata": summary("suricata", theirs),
         "suricata_gbps_by_the_clock": three([r["by_the_clock"] for r in theirs]),
         "ratio": three([a["gbps"] / b["gbps"] for a, b in zip(ours, theirs)])}
    if r["wireglass"]["transactions"] < r["suricata"]["transactions"]:
        die("%d transactions, Suricata has %d: no ratio is given" %
            (r["wireglass"]["transactions"], r["suricata"]["transactions"]))
    return r


def show(r):
    for name in ("wireglass", "suricata"):
        s = r[name]
        print("%-10s %7.3f Gbit/s (%.3f to %.3f), %d packets, %d transactions, %d alerts" % (
            name, s["gbps"]["median"], s["gbps"]["min"], s["gbps"]["max"], s["packets"], s["transactions"], s["alerts"]))
    if r["suricata"]["transactions"] < r["wireglass"]["transactions"]:
        print("Suricata missed transactions: it did less than it should have")
    print("ratio      %7.2f (%.2f to %.2f in %d pairs)" % (
        r["ratio"]["median"], r["ratio"]["min"], r["ratio"]["max"], r["runs"]))


def main():
    o = options()
    chroot = os.path.isdir(o.dir + "/trixie")
    if not os.path.isfile(o.dir + "/lab/%s.yaml" % o.config):
        die("%s/lab/%s.yaml is missing: see docs/BENCHMARKS.md for how to set Suricata up" % (o.dir, o.config))
    if not chroot and not shutil.which("suricata"):
        die("there is neither %s/trixie nor a suricata in PATH" % o.dir)
    with tempfile.TemporaryDirectory(prefix="compare.", dir=o.dir + "/lab") as ours:
        lab = ("/lab/" + os.path.basename(ours) if chroot else ours, ours)
        os.chmod(ours, 0o755)
        copies = min(max(1, math.ceil(o.megabytes * 1e6 / os.path.getsize(o.pcap))), COPIES_MAX)
        if copies > 1:
            multiply(o.pcap, ours + "/compare.pcap", copies)
        else:
            shutil.copyfile(o.pcap, ours + "/compare.pcap")
        with open(ours + "/compare.rules", "wb") as f:
            for rules in o.rules:
                try:
                    f.write(open(rules, "rb").read() + b"\n")
                except OSError as e:
                    die("%s: %s" % (rules, e.strerror))
        o.alerts = count_alerts(o, ours + "/compare.pcap")
        us, them = [], []
        for _ in range(o.runs):
            us.append(run_wireglass(o, ours + "/compare.pcap"))
            them.append(run_suricata(o, lab))
    r = result(o, copies, us, them)
    if o.json:
        print(json.dumps(r))
    else:
        show(r)


main()
