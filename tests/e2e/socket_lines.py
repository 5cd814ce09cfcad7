#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What comes to a unix socket, as lines of a file: socket_lines.py stream|dgram SOCKET FILE."""
import socket
import sys
import threading


def serve(peer, out):
    """Whole lines only: one that is cut short is sent again."""
    rest = b""
    while data := peer.recv(1 << 16):
        lines, _, rest = (rest + data).rpartition(b"\n")
        if lines:
            out.write(lines + b"\n")


def main():
    kind, path, file = sys.argv[1:4]
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
    server.bind(path)
    with open(file, "ab", buffering=0) as out:
        if kind == "dgram":
            while True:
                out.write(server.recv(1 << 16) + b"\n")
        server.listen()
        while True:
            threading.Thread(target=serve, args=(server.accept()[0], out), daemon=True).start()


if __name__ == "__main__":
    main()
