#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""chart.py JSON SVG: a chart of what table.py (bench.json) or curves.py (curves.json) has measured.

A table is a panel for each capture, with a group of bars for each rule set: the engine, with its least and most; a line
across it where the libraries alone end; Suricata. Curves are a panel each."""
import json
import math
import sys
from html import escape

INK, FAINT, GRID = "#1f2933", "#5f6c7b", "#dde3ea"
COLOURS = ["#1f6fb2", "#d9822b", "#3a8f5c", "#8d5bb5"]  # blue and orange first: told apart by everyone
FONT = 'font-family="sans-serif"'
PANEL_W, PANEL_H = 330, 230
LEFT, TOP, RIGHT, BOTTOM = 56, 40, 14, 46


def number(v):
    if v >= 1e6:
        return "%gM" % (v / 1e6)
    if v >= 1e4:
        return "%gk" % (v / 1e3)
    return "%g" % float("%.3g" % v)


def text(x, y, what, size=11, anchor="middle", fill=INK, more=""):
    return '<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s" fill="%s" %s %s>%s</text>' % (
        x, y, size, anchor, fill, FONT, more, escape(what))


def line(x1, y1, x2, y2, stroke=GRID, width=1.0, more=""):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f" %s/>' % (
        x1, y1, x2, y2, stroke, width, more)


def round_up(v):
    """The next number of the form 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(v)) if v > 0 else 1.0
    return next(m * power for m in (1, 2, 5, 10) if m * power >= v * 0.999999)


class Panel:
    """A frame with a linear axis upwards from 0."""

    def __init__(self, x, y, title, unit, most):
        self.x0, self.x1 = x + LEFT, x + PANEL_W - RIGHT
        self.y0, self.y1 = y + PANEL_H - BOTTOM, y + TOP
        self.most = round_up(most or 1)
        self.out = [text(self.x0 - 40, y + 18, title, 13, "start", INK, 'font-weight="bold"'),
                    text(self.x0 - 40, y + 33, unit, 10, "start", FAINT)]
        steps = 4 if "%e" % self.most >= "2" and "%e" % self.most < "3" else 5
        for i in range(steps + 1):
            v = self.most * i / steps
            self.out.append(line(self.x0, self.up(v), self.x1, self.up(v), FAINT if i == 0 else GRID))
            self.out.append(text(self.x0 - 6, self.up(v) + 4, number(v), 10, "end", FAINT))

    def up(self, v):
        return self.y0 - (self.y0 - self.y1) * v / self.most


def document(panels, columns, legend, title):
    rows = math.ceil(len(panels) / columns)
    width, height = columns * PANEL_W + 10, rows * PANEL_H + 62
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">' % (
        width, height, width, height), "<title>%s</title>" % escape(title),
        '<rect width="100%" height="100%" fill="#ffffff"/>', text(16, 24, title, 15, "start", INK, 'font-weight="bold"')]
    x = 16
    for name, colour in legend:
        out.append('<rect x="%d" y="36" width="12" height="%d" fill="%s"/>' % (
            x, 3 if colour == INK else 12, colour) if name else "")
        out.append(text(x + 17, 46, name, 11, "start", FAINT))
        x += 30 + 7 * len(name)
    for panel in panels:
        out += panel.out
    return "\n".join(out + ["</svg>", ""])


def at(i, columns):
    return i % columns * PANEL_W, 56 + i // columns * PANEL_H


# --- a table ---

def bars(panel, rows):
    group = (panel.x1 - panel.x0) / len(rows)
    wide = group * 0.34
    for i, row in enumerate(rows):
        middle = panel.x0 + group * (i + 0.5)
        speed, limit = row["bench"]["gbps"], (row["bench"]["limit"] or {}).get("libraries_gbps")
        other = (row.get("compare") or {}).get("suricata", {}).get("gbps")
        for k, s in enumerate(s for s in (speed, other) if s):
            x = middle - wide * 1.05 + k * wide * 1.1 if other else middle - wide / 2
            panel.out.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (
                x, panel.up(s["median"]), wide, panel.y0 - panel.up(s["median"]), COLOURS[k]))
            panel.out.append(line(x + wide / 2, panel.up(s["min"]), x + wide / 2, panel.up(s["max"]), INK, 1.2))
            panel.out.append(text(x + wide / 2, panel.up(s["max"]) - 5, number(s["median"]), 10))
        if limit:
            panel.out.append(line(middle - group * 0.42, panel.up(limit), middle + group * 0.42, panel.up(limit), INK, 2.4))
        panel.out.append(text(middle, panel.y0 + 16, (row["rules"] or "none").replace(".rules", ""), 10))
    panel.out.append(text((panel.x0 + panel.x1) / 2, panel.y0 + 33, "rules", 10, fill=FAINT))


def table(data):
    captures = list(dict.fromkeys(row["capture"] for row in data["rows"]))
    columns = min(2, len(captures))
    panels = []
    for i, capture in enumerate(captures):
        rows = [row for row in data["rows"] if row["capture"] == capture]
        most = max(max(row["bench"]["gbps"]["max"], (row["bench"]["limit"] or {}).get("libraries_gbps") or 0) for row in rows)
        panel = Panel(*at(i, columns), capture, "Gbit/s of captured frames, one core", most * 1.05)
        bars(panel, rows)
        panels.append(panel)
    legend = [("engine", COLOURS[0]), ("Hyperscan and ISA-L alone", INK)]
    if any(row.get("compare") for row in data["rows"]):
        legend.insert(1, ("Suricata", COLOURS[1]))
    return document(panels, columns, legend, "Wireglass: speed of the engine")


# --- curves ---

def curve(panel, points, log):
    xs = [p["x"] for p in points]
    lowest, highest = min(xs), max(xs)

    def along(x):
        if lowest == highest:
            return (panel.x0 + panel.x1) / 2
        share = math.log(x / lowest) / math.log(highest / lowest) if log else (x - lowest) / (highest - lowest)
        return panel.x0 + 12 + (panel.x1 - panel.x0 - 24) * share

    series = list(dict.fromkeys(p["series"] for p in points))
    for k, name in enumerate(series):
        own = [p for p in points if p["series"] == name]
        panel.out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (
            " ".join("%.1f,%.1f" % (along(p["x"]), panel.up(p["y"])) for p in own), COLOURS[k]))
        for p in own:
            panel.out.append(line(along(p["x"]), panel.up(p["min"]), along(p["x"]), panel.up(p["max"]), COLOURS[k], 1.2))
            panel.out.append('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (along(p["x"]), panel.up(p["y"]), COLOURS[k]))
        if len(series) > 1:
            panel.out.append(text(panel.x1 - 4, panel.y1 + 12 + 13 * k, name, 10, "end", COLOURS[k]))
    last = None
    for x in sorted(set(xs)):
        if last is None or along(x) - last > 34:
            panel.out.append(text(along(x), panel.y0 + 16, number(x), 10))
            last = along(x)


def curves(data):
    columns = min(2, len(data["curves"]))
    panels = []
    for i, c in enumerate(data["curves"]):
        panel = Panel(*at(i, columns), c["title"], c["unit"], max(p["max"] for p in c["points"]) * 1.02)
        curve(panel, c["points"], c["log"])
        panel.out.append(text((panel.x0 + panel.x1) / 2, panel.y0 + 33, c["x"], 10, fill=FAINT))
        panels.append(panel)
    return document(panels, columns, [], "Wireglass: how the engine's speed changes")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n")[0])
    data = json.load(open(sys.argv[1]))
    with open(sys.argv[2], "w") as f:
        f.write(table(data) if "rows" in data else curves(data))


if __name__ == "__main__":
    main()
