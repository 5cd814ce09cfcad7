#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_bench.py WIREGLASS: what `wireglass bench` counts and says, never how fast it is."""
import json
import subprocess
import sys

import cases
from cases import check

WIREGLASS = sys.argv[1]
PCAP, RULES = "tests/demo/demo.pcap", "rules/examples/demo.rules"
SHORT = ["--rounds", "1", "--runs", "2"]


def bench(*args, rules=True):
    """Exit code, the object on stdout or None, stderr."""
    done = subprocess.run([WIREGLASS, "--json", "bench", *SHORT, *(["--rules", RULES] if rules else []), *args, PCAP],
                          capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def replayed():
    """Counters of a replay of the same."""
    done = subprocess.run([WIREGLASS, "replay", "--quiet", "--rules", RULES, PCAP], capture_output=True, text=True)
    stats = json.loads(done.stdout.splitlines()[-1])["stats"]

    def flat(prefix, value):
        if isinstance(value, dict):
            for k, v in value.items():
                yield from flat(prefix + [k], v)
        else:
            yield ".".join(prefix), value

    return dict(flat([], stats))


wanted = json.load(open("tests/demo/expected.json"))
hits = sum(wanted["alerts"].values())
counters = replayed()
code, said, text = bench()
check("it measures", code == 0 and said["gbps"]["min"] <= said["gbps"]["median"] <= said["gbps"]["max"], text)
check("hits are those of the demo", said["hits"] == hits, said["hits"])
check("packets and transactions are those of a replay", [said["packets"], said["transactions"]] ==
      [counters["capture.packets"], counters["http.transactions"]], said)
check("nothing is lost", said["losses"] == {}, said["losses"])
limit = said["limit"]
check("the limit has three figures and a ratio", all(limit[k] > 0 for k in (
    "scan_gbps", "inflate_gbps", "memcpy_gbps", "libraries_gbps", "ratio")), limit)
check("the limit's signatures are those of a replay", limit["signatures"] == counters["detect.signatures"] > 0, limit)
check("the limit scans no more than the engine", 0 < limit["scan_bytes"] <= counters["detect.scanned_bytes"], limit)
check("the limit inflates", 0 < limit["deflate_bytes"] < limit["inflated_bytes"], limit)
check("memory of flows and messages", said["memory"]["bytes_per_flow"] > 0 and
      said["memory"]["bytes_per_message"] > 0, said["memory"])

code, said, text = bench(rules=False)
check("without rules nothing is scanned: there is no limit to compare with", code == 0 and
      said["limit"]["scan_gbps"] is None and said["limit"]["ratio"] is None and said["limit"]["memcpy_gbps"] > 0, said)
code, said, text = bench("--no-limit")
check("--no-limit", code == 0 and said["limit"] is None, said)

check("stages are not measured unasked", said["stages"] is None, said["stages"])
code, said, text = bench("--no-limit", "--stages")
check("--stages: six, the last of them is everything", code == 0 and [s["name"] for s in said["stages"]] ==
      ["decode", "tcp", "http", "inflate", "scan", "verify"] and
      said["stages"][5]["ns_per_packet"] == said["ns_per_packet"], text or said["stages"])
check("--stages: what they cost adds up", abs(sum(s["added"] for s in said["stages"]) - said["ns_per_packet"]) < 0.1,
      said["stages"])
check("--stages: packets and hits are those of all stages", said["hits"] == hits and
      said["packets"] == counters["capture.packets"], said)

code, said, text = bench("--expect-packets", str(counters["capture.packets"]), "--expect-transactions",
                         str(counters["http.transactions"]), "--expect-hits", str(hits))
check("what was expected is measured", code == 0 and "gbps" in said, text)
for what, is_ in (("packets", counters["capture.packets"]), ("transactions", counters["http.transactions"]),
                  ("hits", hits)):
    code, said, text = bench("--expect-" + what, str(is_ + 1))
    check("other %s than expected: no speed" % what, code == 1 and "gbps" not in said and
          "%d %s, %d were expected" % (is_, what, is_ + 1) in said["error"], said)
code, said, text = bench("--expect-hits", "many")
check("a count that is none", code == 2 and said["code"] == "usage" and '--expect-hits "many"' in said["error"], said)
cases.done()
