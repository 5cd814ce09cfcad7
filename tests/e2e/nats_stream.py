#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A stream of NATS JetStream: nats_stream.py URL CA make|change STREAM SUBJECT WINDOW-SECONDS, or ... read STREAM, which prints
"Nats-Msg-Id row-id" of each message. URL: nats://[user:password@]host:port; CA: "" for no TLS."""
import base64
import json
import socket
import ssl
import sys
import urllib.parse


class Nats:
    """As much of the protocol as it takes: one inbox, answers in order."""

    def __init__(self, url, ca):
        at = urllib.parse.urlsplit(url)
        self.peer = socket.create_connection((at.hostname, at.port), timeout=30)
        line = b""
        while not line.endswith(b"\r\n"):  # INFO; what follows is encrypted already
            line += self.peer.recv(1)
        if ca:
            self.peer = ssl.create_default_context(cafile=ca).wrap_socket(self.peer, server_hostname=at.hostname)
        self.file = self.peer.makefile("rb")
        hello = {"verbose": False, "pedantic": False, "user": at.username, "pass": at.password}
        self.peer.sendall(b"CONNECT " + json.dumps(hello).encode() + b"\r\nSUB inbox 1\r\n")

    def send(self, subject, body):
        text = json.dumps(body).encode()
        self.peer.sendall(f"PUB {subject} inbox {len(text)}\r\n".encode() + text + b"\r\n")

    def answer(self):
        while line := self.file.readline():
            if line.startswith(b"MSG"):
                size = int(line.split()[-1])
                return json.loads(self.file.read(size + 2))
            if line.startswith(b"PING"):
                self.peer.sendall(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise SystemExit(line.decode())
        raise SystemExit("the server has hung up")

    def ask(self, subject, body):
        self.send(subject, body)
        answer = self.answer()
        if "error" in answer:
            raise SystemExit(f"{subject}: {answer['error']}")
        return answer


def read(nats, stream):
    state = nats.ask(f"$JS.API.STREAM.INFO.{stream}", {})["state"]
    numbers = range(state["first_seq"], state["last_seq"] + 1)
    for start in range(0, len(numbers), 500):
        some = numbers[start:start + 500]
        for seq in some:
            nats.send(f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": seq})
        for _ in some:
            message = nats.answer()["message"]
            head = base64.b64decode(message["hdrs"]).decode().split("\r\n")
            key = next(h.split(": ", 1)[1] for h in head if h.startswith("Nats-Msg-Id: "))
            print(key, json.loads(base64.b64decode(message["data"]))["wireglass"]["id"])


def main():
    url, ca, verb, stream = sys.argv[1:5]
    nats = Nats(url, ca)
    if verb == "read":
        return read(nats, stream)
    name = {"make": "CREATE", "change": "UPDATE"}[verb]
    nats.ask(f"$JS.API.STREAM.{name}.{stream}", {
        "name": stream, "subjects": [sys.argv[5]], "duplicate_window": int(sys.argv[6]) * 10**9,
        "retention": "limits", "storage": "file", "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "num_replicas": 1})
    return 0


if __name__ == "__main__":
    sys.exit(main())
