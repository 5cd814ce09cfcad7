# SPDX-License-Identifier: BSD-2-Clause
# A program on a terminal of its own, and somebody who types and reads. Every wait ends: WIREGLASS_PATIENCE seconds.
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = float(os.environ.get("WIREGLASS_PATIENCE", "30"))
failures = 0


def case(name, good, detail=""):
    global failures
    failures += not good
    print(("ok " if good else "not ok ") + name)
    if not good:
        print("".join(f"{line}\n" for line in str(detail).splitlines()[-15:]), end="", flush=True)


def plain(text):
    """What a terminal shows, without what moves its cursor or colours it."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\([A-Z0-9]|\r|\x07", "", text)


class Terminal:
    def __init__(self, command, environment=None, rows=24, columns=80, directory=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory or ".")
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm", **(environment or {})})
        self.resize(rows, columns)
        self.text, self.code = "", None
        self.found = self.settings()  # before the program, and in self.left after it

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settings(self):
        """Of the line: what the terminal does with keys."""
        return termios.tcgetattr(self.fd)[:4]

    def read(self, seconds):
        """Whether there was something to read in this time."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            data = b""
        self.text += data.decode(errors="replace")
        return data != b""

    def until(self, pattern):
        """Read until the pattern is there; forget what comes up to its end. None: it did not come."""
        end = time.monotonic() + PATIENCE
        while True:
            found = re.search(pattern, self.text, re.S)
            if found:
                seen, self.text = self.text[: found.end()], self.text[found.end() :]
                return seen
            left = end - time.monotonic()
            if left <= 0 or (not self.read(left) and select.select([self.fd], [], [], 0)[0]):
                return None

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def has_child(self):
        """Wait until the program has a child process."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
                if f.read():
                    return True
            time.sleep(0.05)
        return False

    def kill(self, number):
        os.kill(self.pid, number)

    def end(self):
        """Wait for the end of the program: its exit code, -N for a signal, None if it goes on."""
        end = time.monotonic() + PATIENCE
        while self.code is None and time.monotonic() < end:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                self.code = os.waitstatus_to_exitcode(status)
        while self.read(0.05):
            pass
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.left = self.settings()
        os.close(self.fd)
        return self.code


def finish():
    sys.exit(1 if failures else 0)
