#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Stands in for a service manager: prints what comes to NOTIFY_SOCKET, a line per assignment.

usage: notify_listen.py SOCKET
"""
import os
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.bind(sys.argv[1])
    os.chmod(sys.argv[1], 0o666)
    while True:
        print(s.recv(65536).decode(), flush=True)
