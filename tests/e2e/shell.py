# SPDX-License-Identifier: BSD-2-Clause
# Somebody sits before the shell of `wireglass`. Usage: shell.py PROGRAM CAPTURE DIRECTORY
import os
import signal
import stat
import sys

from terminal import Terminal, case, finish, plain

program, capture, work = sys.argv[1:]
PROMPT = "wireglass> "
history = f"{work}/state/wireglass/history"
environment = {
    "XDG_STATE_HOME": f"{work}/state",
    "WIREGLASS_SOCKET": f"{work}/nobody.sock",
    "HOME": work,
    "LC_ALL": "C.UTF-8",
}


def start(*arguments):
    t = Terminal([program, *arguments], environment, directory=work)
    t.shown = plain(t.until(PROMPT) or "")
    return t


def answer(t, line):
    """Type a line; what is printed until the next prompt."""
    t.type(line + "\r")
    t.until("\n")
    return plain(t.until(PROMPT) or "")


os.umask(0o022)
t = start()
case("it says how to go on", "Ctrl-D" in t.shown, t.shown)
case("a command", "wireglass 0." in answer(t, "version"))
case("another one, as it is written elsewhere", "wireglass 0." in answer(t, "wireglass version"))
case("help has the table", "show" in (text := answer(t, "help")) and "selftest" in text, text)
case("help for a command", "usage: wireglass rules check" in answer(t, "help rules check"))
case("an error is said", "did you mean" in answer(t, "ruels"))
case("no daemon, no end", "does not run on" in answer(t, "show status"))
case("global options", '{"version"' in answer(t, "--json version"))
case("hold for one line", "wireglass 0." in answer(t, "version"))
case("an option alone", "name a command" in answer(t, "--quiet"))
text = answer(t, "keygen 'a b'")
case("quotes", os.path.exists(f"{work}/a b.pub"), text)
case("no closing quote", "a quote is not closed" in answer(t, "keygen 'a"))
text = answer(t, "")
case("nothing", text == PROMPT, repr(text))
mask = os.stat(f"{work}/a b.pub").st_mode & 0o777
case("what commands write has the permissions that it has without a shell", mask == 0o644, oct(mask))

# --- Tab
t.type("vers\t")
case("the only one", "wireglass 0." in answer(t, ""))
t.type("rules ver\t--help")
case("the only sub-command", "usage: wireglass rules verify" in answer(t, ""))
t.type("re\t")
t.type("\t")
shown = plain(t.until("replay +report.*wireglass> ") or t.text)
case("what there is to choose", "replay" in shown and "report" in shown and "rules" not in shown, shown)
t.type("\x15")
t.type("rules pack --leg\tnone --help")
text = answer(t, "")
case("an option", "usage: wireglass rules pack" in text, text)
t.type("keygen a\t")
text = answer(t, "pub")
case("a file, its blank quoted", "a b.pub.pub" in text, text)
t.type("nonsense\t\x15version")
case("nothing to choose", "wireglass 0." in answer(t, ""))

# --- Ctrl-C, Ctrl-D, history
t.type("keygen cancelled\x03")
t.until(PROMPT)
case("Ctrl-C gives up a line", "wireglass 0." in answer(t, "version"))
case("which is not run", not os.path.exists(f"{work}/cancelled.pub"))
t.type(f"bench --no-limit --seconds 1000 --runs 1 {capture}\r")
t.until("\n")
case("a command that takes long", t.has_child())
t.type("\x03")
case("Ctrl-C ends a command, and not the shell", t.until("signal 2") is not None and t.until(PROMPT) is not None)
answer(t, " version # secret")
answer(t, "rules check /nowhere")
t.type("\x1b[A")  # up
case("the line before", "/nowhere" in answer(t, ""))
t.type("\x04")
case("Ctrl-D ends it", t.end() == 0, t.text)
lines = open(history).read()
case("the history has the lines", "ruels" in lines and "/nowhere" in lines, lines)
case("not those that begin with a blank", "secret" not in lines, lines)
case("nor what was given up", "cancelled" not in lines, lines)
case("nor what was printed", "does not run on" not in lines and "usage" not in lines, lines)
case("nobody else may read it", stat.S_IMODE(os.stat(history).st_mode) == 0o600)
case("nor its folder", stat.S_IMODE(os.stat(os.path.dirname(history)).st_mode) == 0o700)

# --- again
os.chmod(history, 0o644)
t = start("--quiet")
case("quietly", t.shown == PROMPT, t.shown)
case("it closes a history that is open", stat.S_IMODE(os.stat(history).st_mode) == 0o600)
t.type("\x1b[A")
case("the history is there again", "/nowhere" in answer(t, ""))
case("exit ends it", answer(t, "help version") != "" and (t.type("exit\r") or t.end()) == 0)
t = start()
t.kill(signal.SIGTERM)
case("a signal ends it", t.end() == -signal.SIGTERM)
case("and the terminal is as it was", t.left == t.found, (t.left, t.found))
environment["XDG_STATE_HOME"] = "/proc/nowhere"
t = start()
case("no place for a history: it says so", "the history is not kept" in t.shown, t.shown)
case("and goes on", "wireglass 0." in answer(t, "version"))
t.type("\x04")
case("to the end", t.end() == 0)
finish()
