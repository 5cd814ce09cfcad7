# SPDX-License-Identifier: BSD-2-Clause
"""The transactions that tshark recorded of the public corpus against http and fileinfo events.

As conform.py's suite tx does, but also the host, and where the two speak of different things by these rules, which
ask for nothing less than what the record knows of the capture:

- An event has a request and a response, and each meets one record at most. A record with both is met by one event. A
  record of a request alone (tshark did not see the response, or not to its end) is met by the request of any event, one of
  a response alone by the response of any. A response in a frame before its request's does not answer it: two records.
- The target ends for tshark at its first blank. It is taken from the recorded request line instead: what stands between
  the method and the version.
- An event's url and host have fixed room: what fills it stands for every text that begins so.
- A NUL ends a text for tshark.
- An empty body has no event.
- The parts of a multipart body have events, the whole of it has none: it has to stand in the reassembled stream.
- The responses of HTTP Evader ("evader" in diff_oracle.jsonl) are written so that readers differ, and tshark gives up on
  most. Each carries the EICAR test file: a file with the recorded digest, or with EICAR's, and any status.
"""
import collections
import hashlib
import ipaddress
import json
import os
import subprocess
import tempfile

URL_ROOM, HOST_ROOM = 384, 128  # common/hit.h, struct event_http
EICAR = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
RAN = (0, 1, 6)  # exit codes of a replay whose events count: damaged captures are part of the corpus


def lines(corpus, name):
    with open(os.path.join(corpus, name), encoding="utf-8") as text:
        for line in text:
            if line.strip():
                yield json.loads(line)


def endpoints(*pairs):
    return frozenset((str(ipaddress.ip_address(host)), int(port)) for host, port in pairs)


def replay(program, capture, *options):
    """The events of a capture. RuntimeError: there are none to speak of."""
    run = subprocess.run([program, "replay", *options, capture], capture_output=True, timeout=300, check=False)
    if run.returncode not in RAN:
        raise RuntimeError(f"exit code {run.returncode}: {run.stderr.decode('utf-8', 'replace').strip()[-160:]}")
    text = run.stdout.decode("utf-8", "replace")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def is_text(event, record, room):
    """Is the text of an event that of the record, as far as there was room for it?"""
    if event == record or event.startswith(record + "\0"):
        return True
    return len(event.encode()) >= room and record.startswith(event)


def target(record):
    """What stands between the method and the version of the recorded request line."""
    line = record["req"]["first"].strip()
    line = line[len(record["method"]):].strip()
    before, version, _ = line.rpartition(" HTTP/")
    return before.strip() if version and " " in before.strip() or not record["uri"] else record["uri"]


class Event:
    """An http event, whose halves are used up by the records that they meet."""

    def __init__(self, event):
        http = event["http"]
        self.flow = endpoints(
            (event["src_ip"], event.get("src_port", 0)), (event["dest_ip"], event.get("dest_port", 0))
        )
        self.method, self.url = http.get("http_method"), http.get("url", "")
        self.host, self.status = http.get("hostname", ""), str(http.get("status", ""))
        self.request, self.response = self.method is not None, "status" in http or http.get("length", 0) > 0

    def requests(self, record):
        return (
            self.request
            and self.method == record["method"]
            and is_text(self.url, target(record), URL_ROOM)
            and is_text(self.host.lower(), (record.get("host") or "").lower(), HOST_ROOM)
        )

    def responds(self, record, evader):
        return self.response and (evader or self.status == record["status"])


def transactions_missing(records, events, evader):
    """What of the records no event meets, as text."""
    missing = []
    whole, requests, responses = [], [], []
    for record in records:
        has_request, has_response = bool(record.get("method")), bool(record.get("status"))
        if has_request and has_response and record["req"]["frame"] <= record["resp"]["frame"]:
            whole.append(record)
        else:
            requests += [record] if has_request else []
            responses += [record] if has_response else []

    def meet(record, request, response):
        for event in events[endpoints((record["client"], record["cport"]), (record["server"], record["sport"]))]:
            if request and not event.requests(record) or response and not event.responds(record, evader):
                continue
            event.request &= not request
            event.response &= not response
            return
        missing.append(" ".join([record["method"], record["uri"][:60]] if request else ["response"])
                       + (f" {record['status']}" if response else ""))

    for record in whole:
        meet(record, True, True)
    for record in requests:
        meet(record, True, False)
    for record in responses:
        meet(record, False, True)
    return missing


def is_multipart(message):
    return any(line.lower().replace(" ", "").startswith("content-type:multipart/") for line in message["hdr"])


def in_streams(program, capture, message):
    """Does one of the capture's reassembled streams hold these bytes?"""
    head = message["body_head"].encode("latin-1", "replace")[:64]
    with tempfile.TemporaryDirectory() as folder:
        replay(program, capture, "--streams", folder)
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as stream:
                data = stream.read()
            at = data.find(head)
            while at >= 0:
                if hashlib.sha256(data[at:at + message["body_len"]]).hexdigest() == message["body_sha256"]:
                    return True
                at = data.find(head, at + 1)
    return False


def bodies_missing(program, capture, records, files, evader):
    """The recorded bodies that no fileinfo event speaks of, as text."""
    missing = []
    for record in records:
        flow = endpoints((record["client"], record["cport"]), (record["server"], record["sport"]))
        for side in ("req", "resp"):
            message = record.get(side) or {}
            digest = message.get("body_sha256")
            if not digest or message["body_len"] == 0 or (flow, digest) in files:
                continue
            if evader and side == "resp" and (flow, EICAR) in files:
                continue
            if is_multipart(message) and in_streams(program, capture, message):
                continue
            missing.append(f"{side} body {digest[:12]} of {(record.get('uri') or '')[:60]}")
    return missing


def case(program, capture, records, evader):
    """What is wrong with a capture; empty if nothing is."""
    events, files = collections.defaultdict(list), set()
    for event in replay(program, capture, "--events", "http,fileinfo"):
        if event.get("event_type") == "http":
            events[Event(event).flow].append(Event(event))
        elif event.get("event_type") == "fileinfo":
            ends = endpoints((event["src_ip"], event["src_port"]), (event["dest_ip"], event["dest_port"]))
            files.add((ends, event["fileinfo"].get("sha256")))
    missing = transactions_missing(records, events, evader)
    missing += bodies_missing(program, capture, records, files, evader)
    return "; ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")


def suite(program, corpus):
    """Run all captures: ({failing case: why}, cases passed)."""
    evaders = {record["pcap"] for record in lines(corpus, "diff_oracle.jsonl") if record.get("evader")}
    captures = {}
    with open(os.path.join(corpus, "MANIFEST.tsv"), encoding="utf-8") as manifest:
        for row in list(manifest)[1:]:
            fields = row.rstrip("\n").split("\t")
            captures[fields[7][:16]] = fields[0]
    recorded = collections.defaultdict(list)
    for record in lines(corpus, "tshark_tx.jsonl"):
        if "client" in record and record["sha256"] in captures:  # others are notes about continuations
            recorded[captures[record["sha256"]]].append(record)
    failing = {}
    for name, records in sorted(recorded.items()):
        try:
            why = case(program, os.path.join(corpus, name), records, name in evaders)
        except RuntimeError as error:
            why = str(error)
        if why:
            failing[name] = why
    return failing, len(recorded) - len(failing)
