#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What kill9.sh asks: kill9_check.py DATABASE EVE SOCKET-LINES MESSAGES TIMES... (messages: of nats_stream.py)"""
import json
import os
import sqlite3
import sys


def ids_of(path):
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return [e["wireglass"]["id"] for e in lines if e["event_type"] == "alert"]


def stored(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    hits = []
    for (n,) in db.execute("SELECT n FROM partitions ORDER BY n").fetchall():
        hits += db.execute(f"SELECT id, boot, worker, seq FROM hits_{int(n)}").fetchall()
    boots = dict(db.execute("SELECT boot, id FROM boots"))
    losses = [(boots.get(b), w, first, last) for b, w, first, last in
              db.execute("SELECT boot, worker, first, last FROM losses")]
    return hits, losses


def unexplained(hits, losses):
    """Numbers between a worker's first and last stored hit that are neither stored nor on record as lost."""
    of = {}
    for _, boot, worker, seq in hits:
        of.setdefault((boot, worker), set()).add(seq)
    missing = 0
    for (boot, worker), seqs in of.items():
        # A dataplane's hits begin at 1, whoever was there to take them.
        for seq in set(range(1, max(seqs) + 1)) - seqs:
            missing += not any((b, w) == (boot, worker) and f <= seq <= t for b, w, f, t in losses)
    return missing


def main():
    hits, losses = stored(sys.argv[1])
    ids = {h[0] for h in hits}
    eve, sent = ids_of(sys.argv[2]), ids_of(sys.argv[3])
    with open(sys.argv[4], encoding="utf-8") as f:
        stream = [int(line.split()[1]) for line in f]
    problems = {
        "rows with a number that another row has": len(hits) - len({h[1:] for h in hits}),
        "numbers missing without a record": unexplained(hits, losses),
        "hits that are not in the EVE file": len(ids - set(eve)),
        "lines of the EVE file that are there twice": len(eve) - len(set(eve)),
        "lines of the EVE file without a row": len(set(eve) - ids),
        "hits that did not reach the socket": len(ids - set(sent)),
        "hits that are not in the stream": len(ids - set(stream)),
        "messages of the stream that are there twice": len(stream) - len(set(stream)),
        "messages of the stream without a row": len(set(stream) - ids),
        "no hits at all": int(not hits),
    }
    print(f"# {len(hits)} hits of {len({h[1] for h in hits})} dataplanes, "
          f"{len(sent) - len(set(sent))} lines twice at the socket, {len(losses)} losses on record")
    for path in sys.argv[5:]:
        with open(path, encoding="utf-8") as f:
            ms = sorted(int(line) for line in f)
        print(f"# {os.path.basename(path)[:-3]} back after {ms[len(ms) // 2]} ms (median), "
              f"{ms[min(len(ms) - 1, len(ms) * 99 // 100)]} ms (99 %), {ms[-1]} ms at most, of {len(ms)}")
    for what, n in problems.items():
        if n:
            print(f"{n} {what}")
    return int(any(problems.values()))


if __name__ == "__main__":
    sys.exit(main())
