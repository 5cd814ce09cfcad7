#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Stops one thread of a process, as if it were stuck, until that process ends.

usage: hold_thread.py PID NAME      NAME: of the thread
"""
import ctypes
import os
import sys
import time

PTRACE_ATTACH = 16

pid, name = int(sys.argv[1]), sys.argv[2]
for tid in os.listdir(f"/proc/{pid}/task"):
    with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
        if f.read().strip() != name:
            continue
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, int(tid), None, None) != 0:
        sys.exit(f"cannot attach: {os.strerror(ctypes.get_errno())}")
    print("held", flush=True)
    while os.path.exists(f"/proc/{pid}/task/{pid}"):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            if "State:\tZ" in f.read():
                break
        time.sleep(0.1)
    sys.exit()
sys.exit(f"there is no thread {name}")
