#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Where in the memory of a process are these strings?

usage: memory_scan.py PID STRING...      prints "STRING KIND COUNT" for each string and each kind of memory it is in

KIND: packets (memory of DPDK, and what the kernel shares of a socket's ring), else what /proc/PID/maps says
"""
import collections
import re
import sys

CHUNK = 16 << 20


def kind(name):
    if name.startswith(("/memfd:nohuge", "/memfd:rtemap", "socket:", "/dev/hugepages", "anon_inode:")):
        return "packets"
    return name or "private"


def scan(pid, strings):
    found = collections.Counter()
    longest = max(len(s) for s in strings)
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            fields = line.split(maxsplit=5)
            start, end = (int(x, 16) for x in fields[0].split("-"))
            name = fields[5].strip() if len(fields) > 5 else ""
            if "r" not in fields[1] or name in ("[vvar]", "[vsyscall]", "[vdso]", "[vvar_vclock]"):
                continue
            tail = b""
            for at in range(start, end, CHUNK):
                try:
                    memory.seek(at)
                    data = tail + memory.read(min(CHUNK, end - at))
                except (OSError, ValueError, OverflowError):
                    break
                for s in strings:
                    for m in re.finditer(re.escape(s), data):
                        if m.end() > len(tail):
                            found[s, kind(name)] += 1
                tail = data[-longest + 1 :]
    return found


for (text, where), count in sorted(scan(int(sys.argv[1]), [s.encode() for s in sys.argv[2:]]).items()):
    print(text.decode(), where, count)
