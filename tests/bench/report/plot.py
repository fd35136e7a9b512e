# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG, without any library: lines over a few places of a scale, and horizontal bars. Values are instructions."""

import math
from xml.sax.saxutils import escape

COLOURS = ("#0b6e4f", "#c1121f", "#1d4e89", "#b5651d", "#6a4c93", "#4d4d4d")
FONT = 'font-family="DejaVu Sans, Arial, sans-serif"'
LOG_FROM = 20  # largest by smallest value: from here on a logarithmic scale
WIDTH = 760


def number(value):
    """1234567 -> 1 234 567; below 100 with one decimal."""
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 or value == int(value) else f"{value:.1f}"


def short(value):
    """1500000 -> 1.5 M"""
    for factor, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:g}"


class Scale:
    """From values to pixels, linear from zero or logarithmic, with its ticks."""

    def __init__(self, values, start, end):
        top, bottom = max(values), min(v for v in values if v > 0) if any(v > 0 for v in values) else 1
        self.log = top / bottom >= LOG_FROM
        self.start, self.end = start, end
        if self.log:
            self.low, self.high = math.floor(math.log10(bottom)), math.ceil(math.log10(top))
            self.ticks = [10.0**e for e in range(self.low, self.high + 1)]
        else:
            step = 10.0 ** math.floor(math.log10(max(top, 1e-9) / 2))
            step = next(s for s in (step, 2 * step, 5 * step, 10 * step) if top / s <= 6)
            self.low, self.high = 0, math.ceil(top / step) * step
            self.ticks = [i * step for i in range(round(self.high / step) + 1)]

    def at(self, value):
        place = (math.log10(max(value, 10.0**self.low)) if self.log else value) - self.low
        return self.start + (self.end - self.start) * place / (self.high - self.low)


def text(x, y, content, anchor="start", size=13, colour="#222", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" {more}>{escape(content)}</text>'


def line(x1, y1, x2, y2, colour="#ddd"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def document(height, title, body):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        "<!-- SPDX-License-Identifier: Apache-2.0 -->", f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="white"/>', text(16, 26, title, size=15, more='font-weight="bold"'), *body, "</svg>", ""])


def labelled(points):
    """Values written at points (x, y, value, colour) of one place: above them, or below where another is close above."""
    result, above = [], -math.inf
    for x, y, value, colour in sorted(points, key=lambda p: p[1]):
        below = y - above < 18
        result.append(text(x, y + (17 if below else -8), number(value), "middle", 11, colour))
        above = y + (17 if below else 0)
    return result


def lines(title, about, x_title, places, series):
    """series: name -> value for each of the places, None where there is none. Named where the lines end."""
    height, left, right, top, bottom = 420, 84, WIDTH - 180, 62, 360
    scale = Scale([v for values in series.values() for v in values if v is not None], bottom, top)
    x_at = [left + 24 + (right - left - 48) * (i / max(len(places) - 1, 1)) for i in range(len(places))]
    body = [text(16, 46, about + (" (logarithmic)" if scale.log else ""), size=12, colour="#555")]
    for tick in scale.ticks:
        body += [line(left, scale.at(tick), right, scale.at(tick)), text(left - 8, scale.at(tick) + 4, short(tick), "end", 12)]
    for x, place in zip(x_at, places):
        body += [line(x, bottom, x, bottom + 5, "#555"), text(x, bottom + 20, str(place), "middle", 12)]
    body += [line(left, bottom, right, bottom, "#555"), text((left + right) / 2, bottom + 44, x_title, "middle", 12, "#555")]
    labels, at_place = [], {}
    for i, (name, values) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        points = [(x, scale.at(v), v) for x, v in zip(x_at, values) if v is not None]
        if not points:
            continue
        body.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)}"/>')
        for x, y, v in points:
            body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
            at_place.setdefault(x, []).append((x, y, v, colour))
        labels.append([points[-1][1], name, colour])
    for points in at_place.values():
        body += labelled(points)
    labels.sort()
    for i, label in enumerate(labels):  # apart from each other, from the top down
        label[0] = max(label[0], labels[i - 1][0] + 16) if i else label[0]
        body.append(text(right + 10, label[0] + 4, label[1], size=12, colour=label[2]))
    return document(height, title, body)


def bars(title, about, rows):
    """rows: (name, value)."""
    left, right, top, pitch = 250, WIDTH - 100, 62, 26
    bottom = top + pitch * len(rows)
    scale = Scale([v for _, v in rows], left, right)
    body = [text(16, 46, about + (" (logarithmic)" if scale.log else ""), size=12, colour="#555")]
    for tick in scale.ticks:
        body += [line(scale.at(tick), top, scale.at(tick), bottom), text(scale.at(tick), bottom + 18, short(tick), "middle", 12)]
    for i, (name, value) in enumerate(rows):
        y = top + pitch * i
        body += [text(left - 8, y + 17, name, "end", 12),
                 f'<rect x="{left}" y="{y + 4}" width="{max(scale.at(value) - left, 1):.1f}" height="{pitch - 8}" fill="{COLOURS[0]}"/>',
                 text(scale.at(value) + 6, y + 17, number(value), size=12)]
    return document(bottom + 34, title, body)
