# SPDX-License-Identifier: BSD-2-Clause
# Somebody looks at `wireglass top`. Usage: top.py away|there PROGRAM SOCKET [PID-OF-WIREGLASSD]
import os
import signal
import sys

from terminal import Terminal, case, finish

what, program, socket = sys.argv[1:4]


def start(**size):
    return Terminal([program, "--socket", socket, "top"], **size)


def restored(t):
    return t.left == t.found and t.seen.rstrip().endswith("\x1b[?1049l")


def ends(name, t, code):
    got = t.end()
    t.seen = t.text
    case(f"{name}: it ends", got == code, got)
    case(f"{name}: the terminal is as it was", restored(t), repr((t.found, t.left, t.text[-40:])))


if what == "away":
    t = start()
    case("no daemon: it says so", t.until("does not run on") is not None, t.text)
    t.type("q")
    ends("q", t, 0)
    for number in signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT:
        t = start()
        t.until("does not run on")
        t.kill(number)
        ends(signal.Signals(number).name, t, -number)
else:
    control = int(sys.argv[4])
    t = start(rows=12, columns=60)
    case("it has numbers", t.until("transactions/s") is not None, t.text)
    t.text = ""
    screen = t.until(r"\x1b\[H.*\x1b\[J") or ""
    screen = screen.rsplit("\x1b[H", 1)[-1]
    case("no more lines than there is room for", screen.count("\n") <= 11, screen)
    case("no longer ones", all(len(line) <= 60 + 6 for line in screen.split("\r\n")), screen)
    t.resize(40, 100)
    t.kill(signal.SIGWINCH)
    case("a larger terminal shows more", t.until("newest hits") is not None, t.text)
    os.kill(control, signal.SIGSTOP)
    case("a daemon that hangs: it says so", t.until("does not answer") is not None, t.text)
    os.kill(control, signal.SIGCONT)
    case("it goes on when that does", t.until("transactions/s.*newest hits") is not None, t.text)
    os.kill(control, signal.SIGSTOP)
    t.until("does not answer")
    t.type("\x03")
    ends("Ctrl-C while it hangs", t, 0)
    os.kill(control, signal.SIGCONT)
finish()
