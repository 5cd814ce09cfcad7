# SPDX-License-Identifier: BSD-2-Clause
"""The alerts that Suricata 7 and 8 and a matcher over tshark's buffers agreed on, capture by capture, against ours.

As conform.py's suite diff does: each (rule, flow) on record must alert, any other must not, unless the voters disagreed. A silence
is a vote only of one who saw what the rule is about, and the record says who did. So these are left out, too:

- An alert of a rule on HTTP in a flow of which tshark read more requests or responses than Suricata, counting the alerts of
  that of its rules which alerted most often. Suricata reads no HTTP behind SOCKS, in a flow that it joined too late, or
  behind a gap in the stream.
- An alert of a rule on raw bytes of such a flow, if Suricata read no HTTP there at all: it may not have followed it, or it took
  the other side for the client.
- Whatever a flow has in which tshark found bytes that belong to no message ("continuations": the rest of what was missed, blank
  lines behind a body): readers differ in what those are and where they end. HTTP Evader's are judged all the same.
- The silence of a rule on files where a response lacks its head: what stands behind a hole has no name here.
- The silence of a rule on single packets of established flows, in flows that are joined late: a bare ACK begins no flow here, and the
  first segment with data is the first of all.
- A rule for ip on a flow where Suricata saw no TCP stream: other datagrams are not inspected (docs/RULES.md).
- A rule on requests in a flow of which tshark saw no request: Suricata makes one up (the corpus README says so).
- The silence of a rule on raw bytes that lie across the start of a message: that they are found depends on whether the other
  side spoke before it (docs/RULES.md).
- The silence of a rule on raw bytes where tshark saw no HTTP, or saw it end with CONNECT or 101: such a flow is released.
- An alert of a rule on raw bytes that counts from a start, where two messages share a frame or Suricata did not see where each
  begins. Here every message is a start, in Suricata the frame, or what it has of the stream (docs/RULES.md).
- An alert of a rule on raw bytes that tshark's matcher found, and Suricata did not, in another flow of the capture.
- An alert that says it is of another reading ("ambiguous"): what servers make of those is on record for http_oracle.py.
- An alert of a rule on filesize, where Suricata recorded a file that breaks off: whether it asks about the size of such a file
  depends on what packet comes last.
"""
import collections
import os
import re

import transactions

RULE = re.compile(r"^alert (\S+) .*?\((.*)\)\s*$")
HEAD = re.compile(r"\bhttp\.(?!request_body|response_body)\w+;")
ACROSS = re.compile(r"content:\"[^\"]+(GET\|20\||POST\|20\||HTTP/1\.)")
START = re.compile(r"\b(depth|offset|startswith)\b|pcre:\"/\^")


class Rule:
    def __init__(self, protocol, options):
        self.http, self.ip = protocol == "http", protocol == "ip"
        self.sides = [side for side in ("to_server", "to_client") if side in options] or ["to_server", "to_client"]
        self.first = "established" in options and protocol == "tcp-pkt"
        self.file = bool(re.search(r"\b(fileext|filename|file\.name|filesize):?", options))
        self.head = bool(HEAD.search(options))
        self.from_start = bool(START.search(options))
        self.across = bool(ACROSS.search(options))
        self.size = "filesize:" in options


def rules_of(corpus, names):
    """{sid: Rule}"""
    rules = {}
    for name in names:
        with open(os.path.join(corpus, name), encoding="utf-8", errors="replace") as text:
            for line in text:
                match = RULE.match(line.strip())
                if match is not None:
                    rules[int(re.search(r"\bsid:(\d+)", match[2])[1])] = Rule(match[1], match[2])
    return rules


class Flow:
    """What the record knows of a flow."""

    def __init__(self):
        self.heads = collections.Counter()  # that tshark read, by side
        self.alerts = collections.Counter()  # of the http rule that alerted most often, by side
        self.leaves = False
        self.rests = False
        self.frames = collections.Counter()

    def add_transaction(self, record):
        for side, name, has in (("to_server", "req", "method"), ("to_client", "resp", "status")):
            if record.get(has) and record.get(name):
                self.heads[side] += 1
                self.frames[side, record[name]["frame"]] += 1
        self.leaves |= record.get("method") == "CONNECT" or str(record.get("status")) == "101"

    def add_alert(self, rule, count):
        for side in rule.sides if rule.head and len(rule.sides) == 1 else []:
            self.alerts[side] = max(self.alerts[side], count)

    def judges_alert(self, rule):
        """Does the silence of the record say that this rule must not alert?"""
        all_heads = all(self.alerts[side] >= n for side, n in self.heads.items())
        if self.rests or rule.http:
            return all_heads and not self.rests
        if self.heads and not self.alerts:
            return False
        return not rule.from_start or (all_heads and max(self.frames.values(), default=0) < 2)

    def judges_silence(self, rule):
        """Does an alert of the record say that this rule must?"""
        if self.rests or rule.ip:
            return not self.rests and bool(self.heads)
        if rule.file and self.heads["to_client"] < self.heads["to_server"]:
            return False
        if rule.http:
            return rule.sides != ["to_server"] or self.heads["to_server"] > 0 or not self.heads
        return bool(self.heads) and not self.leaves and not (rule.across and max(self.heads.values()) > 1)


def wrong(record, transactions_of, rules, got, sure):
    """What alerts that must not, and what does not but must: two sets of (sid, flow). sure: of got, what is of the first reading."""
    mode = record["modes"].get("midstream") or record["modes"]["strict"]
    ends = [transactions.endpoints(key.split("|")[:2], key.split("|")[2:]) for key in mode["flows"]]
    flows, streams = collections.defaultdict(Flow), {}
    want, gray = set(), set()
    for transaction in transactions_of:
        if "client" not in transaction:
            continue
        key = ((transaction["client"], transaction["cport"]), (transaction["server"], transaction["sport"]))
        streams[transaction["stream"]] = flows[transactions.endpoints(*key)]
        streams[transaction["stream"]].add_transaction(transaction)
    for note in transactions_of:
        if "client" not in note and note["stream"] in streams:
            streams[note["stream"]].rests = not record["evader"]
    for sid, votes in mode["yes"].items():
        for index, vote in votes.items():
            want.add((int(sid), ends[int(index)]))
            flows[ends[int(index)]].add_alert(rules[int(sid)], vote[0])
    for sid, votes in mode.get("gray", {}).items():
        gray |= {(int(sid), ends[int(index)]) for index in votes}
    found = {int(sid) for sid, votes in mode.get("gray", {}).items() if any(vote.startswith("--t") for vote in votes.values())}
    cut = any(file["state"] != "CLOSED" for file in record["files7"])
    extra = {
        (sid, flow) for sid, flow in sure - want - gray
        if flows[flow].judges_alert(rules[sid])
        and not (cut and rules[sid].size)
        and (rules[sid].http or sid not in found)
    }
    missing = {
        (sid, flow) for sid, flow in want - got
        if flows[flow].judges_silence(rules[sid]) and not (rules[sid].first and "midstream" in record["modes"])
    }
    return extra, missing


def alerts(program, capture, corpus, names):
    """The (sid, flow) that alert, and those of the first reading."""
    got, sure = set(), set()
    options = ["--events", "alert"]
    for name in names:
        options += ["--rules", os.path.join(corpus, name)]
    for event in transactions.replay(program, capture, *options):
        if event.get("event_type") != "alert":
            continue
        ends = ((event["src_ip"], event.get("src_port", 0)), (event["dest_ip"], event.get("dest_port", 0)))
        alert = event["alert"]["signature_id"], transactions.endpoints(*ends)
        got.add(alert)
        if "ambiguous" not in event["wireglass"]["flags"]:
            sure.add(alert)
    return got, sure


def suite(program, corpus):
    """Run all captures: ({failing case: why}, cases passed)."""
    recorded = collections.defaultdict(list)
    for record in transactions.lines(corpus, "tshark_tx.jsonl"):
        recorded[record["sha256"]].append(record)
    failing, total = {}, 0
    for record in transactions.lines(corpus, "diff_oracle.jsonl"):
        total += 1
        try:
            got, sure = alerts(program, os.path.join(corpus, record["pcap"]), corpus, record["rules"])
        except RuntimeError as error:
            failing[record["pcap"]] = str(error)
            continue
        extra, missing = wrong(record, recorded[record["id"]], rules_of(corpus, record["rules"]), got, sure)
        if extra or missing:
            said = [sorted({sid for sid, _ in found})[:8] for found in (missing, extra)]
            failing[record["pcap"]] = f"missing {said[0]}, extra {said[1]}"
    return failing, total - len(failing)
