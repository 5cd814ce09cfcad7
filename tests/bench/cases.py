# SPDX-License-Identifier: BSD-2-Clause
"""What the checks of this folder say in TAP: one line for each case, the plan at the end."""
import sys

failed = n = 0


def check(what, good, said=""):
    """One case. said: what is shown if it is not good."""
    global failed, n
    n += 1
    print("%s %d - %s" % ("ok" if good else "not ok", n, what))
    if not good:
        failed += 1
        print("# " + str(said).replace("\n", "\n# "))


def done():
    print("1..%d" % n)
    sys.exit(failed > 0)
