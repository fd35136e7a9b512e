# SPDX-License-Identifier: Apache-2.0
"""Figures of counting runs: joins what a guest printed with the plugin's records, takes the median of several boots, judges.

Stands behind vm.py --count. What is kept is figures.json, a list with one object for each figure: name, unit, n, and every
counter's total over the n units; of several boots the median, and how far their net lay apart (spread_pct).
"""

import re
import statistics

import report

# counter -> how the table calls it; all others are in figures.json only
COLUMNS = {"net": "net", "user": "user", "kernel": "kernel", "idle_insns": "idle", "locked": "locked", "fences": "fences",
           "mmio_read": "MMIO rd", "mmio_write": "MMIO wr", "system_calls": "syscalls"}
NO_COUNTERS = ("name", "unit", "n", "boots", "spread_pct")
BAND_PCT = 3.0  # of the library's own counts: a slower hot path is one that leaves it


def join(text, records):
    """The n-th FIGURE line of a serial log and the plugin's n-th record; the line may have a counter of its own."""
    joined = []
    for (name, unit, n, what, count), record in zip(re.findall(r"FIGURE (\w+) (\w+) (\d+)(?: ([a-z_]+) (\d+))?", text), records):
        net = record["user"] + record["kernel"] - record["idle_insns"]
        joined.append({"name": name, "unit": unit, "n": int(n), **record, "net": net, **({what: int(count)} if what else {})})
    return joined


def counters(figure):
    """Counter -> its value per unit of work."""
    return {k: v / max(figure["n"], 1) for k, v in figure.items() if k not in NO_COUNTERS}


def median(boots):
    """One list of figures for those of several boots; a figure that a boot lacks is the median of the others."""
    if len(boots) == 1:
        return boots[0]
    merged, names = [], list(dict.fromkeys(f["name"] for figures in boots for f in figures))
    for name in names:
        same = [f for figures in boots for f in figures if f["name"] == name]
        each = [counters(f) for f in same]
        n = same[0]["n"]
        figure = {"name": name, "unit": same[0]["unit"], "n": n, "boots": len(same)}
        figure.update({k: round(statistics.median(c[k] for c in each) * n) for k in each[0]})
        nets = [c["net"] for c in each]
        figure["spread_pct"] = round(100 * (max(nets) - min(nets)) / max(statistics.median(nets), 1), 2)
        merged.append(figure)
    return merged


def values(figures):
    """"FIGURE.COUNTER" -> value per unit."""
    return {f"{f['name']}.{k}": v for f in figures for k, v in counters(f).items()}


def table(figures):
    """The figures for people, per unit of work."""
    rows = [["figure", "per", "of", *COLUMNS.values(), "spread %"]]
    for f in figures:
        per_unit = counters(f)
        rows.append([f["name"], f["unit"], str(f["n"]), *(f"{per_unit.get(k, 0):.2f}" for k in COLUMNS), str(f.get("spread_pct", "-"))])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("lab: " + "  ".join([row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]) for row in rows)


def holds(known, what, wanted):
    """Is the value named `what` as wanted: "0.00", or a bound "<=350", ">=3.5*FIGURE.COUNTER"? None if one is missing.

    "<=1.1*FIGURE.COUNTER+segments*OTHER.COUNTER" allows besides what the other takes, for as many as `what`'s figure counted.
    """
    bound, factor, other, times, besides = re.fullmatch(
        r"(<=|>=)?([\d.]+)(?:\*([\w.]+))?(?:\+(\w+)\*([\w.]+))?", wanted).groups()
    times = times and f"{what.partition('.')[0]}.{times}"
    if any(name and name not in known for name in (what, other, times, besides)):
        return None
    if not bound:
        return f"{known[what]:.2f}" == wanted
    limit = float(factor) * (known[other] if other else 1) + (known[times] * known[besides] if besides else 0)
    return known[what] <= limit if bound == "<=" else known[what] >= limit


def skipped_by(cases, *names):
    """The reason of a skipped case that would have made one of these figures: raw makes signal_pairs_raw_w1."""
    for case in cases:
        if case.result == "SKIP" and any(f"_{case.name.rpartition('.')[2]}_" in name for name in names):
            return f"{case.name} was skipped: {case.reason}"
    return ""


def judge(known, must_count, cases):
    """A case for every value asked for. What needs a figure of a case that was skipped is skipped itself."""
    judged = []
    for what, wanted in must_count.items():
        fine = holds(known, what, wanted)
        shown = f"{known[what]:.2f}" if what in known else "no figure"
        if fine is None and (why := skipped_by(cases, what, wanted)):
            judged.append(report.Case(f"count.{what}", "SKIP", why))
        else:
            judged.append(report.Case(f"count.{what}", "PASS" if fine else "FAIL", "" if fine else f"{shown}, not {wanted}"))
    return judged


def targets(known, wanted):
    """What is aimed at, beside what is: lines to print, nothing to judge."""
    lines = []
    for what, target in wanted.items():
        fine = holds(known, what, target)
        measured = "not measured" if fine is None else f"{known[what]:.2f}, {'reached' if fine else 'not reached'}"
        lines.append(f"lab: target {what} {target}: {measured}")
    return lines


def read_own_counts(text):
    """Rows FIGURE.COUNTER VALUE SPREAD_PCT of a table of the library's own counts -> {what: (value, spread)}."""
    rows = (line.split("#")[0].split() for line in text.splitlines())
    return {row[0]: (float(row[1]), float(row[2])) for row in rows if row}


def regressions(known, own_counts):
    """A case for each own count that was measured, failed if it has left its band upwards; a failed one if none was."""
    judged = []
    for what, (value, spread) in own_counts.items():
        if what not in known:
            continue
        limit = value * (1 + max(BAND_PCT, 3 * spread) / 100)
        fine = known[what] <= limit
        judged.append(report.Case(f"own.{what}", "PASS" if fine else "FAIL", "" if fine else f"{known[what]:.2f}, recorded {value}, limit {limit:.2f}"))
    return judged or [report.Case("own.counts", "FAIL", "no figure of the table was measured")]
