#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What does alerts.py take for wrong, and what for no vote?"""
import os
import sys
import tempfile

import alerts
import transactions

ENDS = "192.0.2.1|1024|192.0.2.2|80"
FLOW = transactions.endpoints(ENDS.split("|")[:2], ENDS.split("|")[2:])
INNER = transactions.endpoints(("198.51.100.1", 1), ("198.51.100.2", 80))
RULES = """# a comment
alert http any any -> any any (msg:"uri"; flow:established,to_server; http.uri; content:"/"; sid:1;)
alert http any any -> any any (msg:"status"; flow:established,to_client; http.stat_code; content:"2"; sid:2;)
alert tcp any any -> any any (msg:"raw"; flow:established,to_server; content:"needle"; sid:3;)
alert tcp any any -> any any (msg:"from a start"; flow:established,to_server; content:"GET"; depth:3; sid:4;)
alert ip any any -> any any (msg:"ip"; content:"GET"; sid:5;)
alert http any any -> any any (msg:"size"; flow:established; filesize:>10; sid:6;)
alert tcp any any -> any any (msg:"across"; flow:established,to_server; content:"end|0d 0a 0d 0a|GET|20|"; sid:7;)
alert tcp-pkt any any -> any any (msg:"packet"; flow:established,to_server; content:"needle"; sid:8;)
alert http any any -> any any (msg:"body"; flow:established,to_client; file.data; content:"a"; sid:9;)
"""
BOTH = {"1": 1, "2": 1}  # Suricata reads the request and the response


def exchange(stream=0, request=True, status="200", frame=4, method="GET"):
    tx = {"stream": stream, "client": "192.0.2.1", "cport": 1024, "server": "192.0.2.2", "sport": 80}
    if request:
        tx |= {"method": method, "req": {"frame": frame}}
    if status:
        tx |= {"status": status, "resp": {"frame": 5}}
    return tx


ONE = [exchange()]
TWO = [exchange(), exchange()]
REST = {"stream": 0, "continuations": 1}
INSIDE = [exchange() | {"client": "198.51.100.1", "cport": 1, "server": "198.51.100.2"}]

# what Suricata alerted (times), transactions, what we alert, sids that are extra, that are missing; what else the record says
CASES = {
    "the same": (BOTH, ONE, {1, 2}, set(), set(), {}),
    "extra": (BOTH, ONE, {1, 2, 3, 9}, {3, 9}, set(), {}),
    "missing": (BOTH | {"3": 1, "9": 1}, ONE, {1, 2}, set(), {3, 9}, {}),
    "gray": (BOTH, ONE, {1, 2, 9}, set(), set(), {"gray": {"9": {"0": "7-t:1/0"}}}),
    "tshark read more requests": ({"1": 1, "2": 2}, TWO, {1, 2, 9}, set(), set(), {}),
    "tshark read more, and it is a raw rule": ({"1": 1, "2": 2}, TWO, {1, 2, 3}, {3}, set(), {}),
    "Suricata read nothing": ({"5": 1}, ONE, {1, 2, 3, 5}, set(), set(), {}),
    "nobody read anything": ({"3": 1}, [], {1, 3}, {1}, set(), {}),
    "ip where there is TCP": (BOTH | {"5": 1}, ONE, {1, 2}, set(), {5}, {}),
    "ip where there is none": ({"5": 1}, INSIDE, set(), set(), set(), {}),
    "no request": (BOTH, [exchange(request=False)], {2}, set(), set(), {}),
    "a request": (BOTH, ONE, {2}, set(), {1}, {}),
    "raw, no HTTP": ({"3": 1}, [], set(), set(), set(), {}),
    "raw, behind CONNECT": (BOTH | {"3": 1}, [exchange(method="CONNECT")], {1, 2}, set(), set(), {}),
    "across two messages": ({"1": 2, "2": 2, "7": 1}, TWO, {1, 2}, set(), set(), {}),
    "across nothing": (BOTH | {"7": 1}, ONE, {1, 2}, set(), {7}, {}),
    "a start in a shared frame": ({"1": 2, "2": 2}, TWO, {1, 2, 4}, set(), set(), {}),
    "a start": ({"1": 2, "2": 2}, [exchange(), exchange(frame=6, status="")], {1, 2, 4}, {4}, set(), {}),
    "raw, which tshark found elsewhere": (BOTH, ONE, {1, 2, 3}, set(), set(), {"gray": {"3": {"1": "--t:0/0"}}}),
    "size of a file": (BOTH, ONE, {1, 2, 6}, {6}, set(), {}),
    "size of a file that breaks off": (BOTH, ONE, {1, 2, 6}, set(), set(), {"files7": [{"state": "TRUNCATED"}]}),
    "a rest of something": (BOTH, ONE + [REST], {1, 3}, set(), set(), {}),
    "a rest in HTTP Evader": (BOTH, ONE + [REST], {1, 3}, {3}, {2}, {"evader": True}),
    "a file without a head": (BOTH | {"6": 1}, [exchange(status="")], {1, 2}, set(), set(), {}),
    "a file with one": (BOTH | {"6": 1}, ONE, {1, 2}, set(), {6}, {}),
    "first packet, joined": (BOTH | {"8": 1}, ONE, {1, 2}, set(), set(), {"joined": True}),
    "first packet": (BOTH | {"8": 1}, ONE, {1, 2}, set(), {8}, {}),
}


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "test.rules"), "w", encoding="utf-8") as text:
            text.write(RULES)
        rules = alerts.rules_of(folder, ["test.rules"])
    print(f"1..{len(CASES) + 1}")
    for number, (name, (yes, seen, got, extra, missing, also)) in enumerate(CASES.items(), 1):
        mode = {
            "flows": [ENDS, "192.0.2.3|1|192.0.2.4|80"],
            "yes": {sid: {"0": [times, times, "78"]} for sid, times in yes.items()},
            "gray": also.get("gray", {}),
        }
        record = {
            "modes": {"midstream" if also.get("joined") else "strict": mode},
            "evader": also.get("evader", False),
            "files7": also.get("files7", []),
        }
        ours = {(sid, FLOW) for sid in got}
        said = alerts.wrong(record, seen, rules, ours, ours)
        good = said == ({(sid, FLOW) for sid in extra}, {(sid, FLOW) for sid in missing})
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}" + ("" if good else f": {said}"))
    # An alert of another reading is none too many, and is enough.
    mode = {"flows": [ENDS], "yes": {"1": {"0": [1, 1, "78"]}, "2": {"0": [1, 1, "78"]}}}
    record = {"modes": {"strict": mode}, "evader": False, "files7": []}
    said = alerts.wrong(record, ONE, rules, {(sid, FLOW) for sid in (1, 2, 9)}, {(2, FLOW)})
    failed += said != (set(), set())
    print(f"{'ok' if said == (set(), set()) else 'not ok'} {len(CASES) + 1} - other readings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
