#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""follow.py COUNT ADDRESS:PORT COMMAND...: how long from a request on the wire to its hit in the output of COMMAND (`wireglass --json
hits follow`), one after the other. The other side is `pingpong serve`. One line of JSON: milliseconds."""
import json
import random
import socket
import subprocess
import sys
import time

REQUEST = b"GET /e2e-path HTTP/1.1\r\nHost: www.example.test\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

count = int(sys.argv[1])
address, port = sys.argv[2].split(":")
follow = subprocess.Popen(sys.argv[3:], stdout=subprocess.PIPE)
wire = socket.create_connection((address, int(port)))
wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def ask():
    wire.sendall(REQUEST)
    got = b""
    while len(got) < len(ANSWER):
        got += wire.recv(len(ANSWER) - len(got))


time.sleep(1)  # until it follows
times = []
for n in range(count):
    start = time.perf_counter()
    ask()
    hit = json.loads(follow.stdout.readline())
    times.append((time.perf_counter() - start) * 1e3)
    assert hit["sid"] == 3, hit
    time.sleep(random.uniform(0, 0.02))
follow.terminate()
times.sort()
print(json.dumps({"hits": count, "p50_ms": round(times[count // 2], 2), "p99_ms": round(times[count * 99 // 100], 2),
                  "max_ms": round(times[-1], 2)}))
