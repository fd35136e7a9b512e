# SPDX-License-Identifier: Apache-2.0
"""The sections of docs/performance.md: what is said of each bench's figures, in tables and plots."""

import re
from dataclasses import dataclass, field

import plot

# bench -> (heading, what it shows), in the order of the document; other benches follow
BENCHES = {
    "signal_pairs": ("Signal pairs",
                     "A message there and its answer back, both ends in one thread of one guest: each end writes header and message "
                     "for every frame and checks EtherType and counter of what it receives. Both ends of udd have ndd0 up and the "
                     "tunnel attached. Empty polls are taken off."),
    "tunnel_tcp": ("Kernel TCP through the tunnel", "The kernel's TCP over a taken port, beside other ways to have both."),
    "direct_mode": ("Direct mode", "ndd0 in direct mode beside eth0 itself."),
    "scaling": ("Scaling", "The same work with more of what a port can have more of: it should cost the same."),
    "mixed": ("Mixed traffic", "The application's exchange while the kernel's TCP runs through the tunnel."),
    "idle": ("Idle", "A taken port that nobody uses, its application in wait(), beside an untaken one."),
}
# path of signal_pairs -> its name, in the order of rows
PATHS = {"udd": "udd", "dpdk": "DPDK (net_e1000_em)", "xdp": "AF_XDP (generic, copy mode)", "raw": "AF_PACKET", "udp": "kernel UDP"}
PAIR = re.compile(r"signal_pairs_([a-z]+)_w(\d+)(?:_s(\d+))?$")
DEFAULT_SIZE = 50
SHOWN_WINDOW = 32
COUNTERS = {"locked": "locked", "fences": "fences", "mmio_read": "MMIO reads", "mmio_write": "MMIO writes", "system_calls": "system calls"}


@dataclass
class Run:
    """One target's figures of its last run."""

    target: str      # signal_pairs_full
    kernel: str      # 6.12.117+deb12-amd64
    about: dict      # run.json
    figures: list

    @property
    def bench(self):
        """The section it belongs to: the longest bench that its name begins with, or itself."""
        known = [b for b in BENCHES if self.target == b or self.target.startswith(b + "_")]
        return max(known, key=len) if known else self.target

    def name(self):
        boots = self.about.get("boots", 1)
        return f"kernel {self.kernel}, IOMMU {self.about['iommu']}, {f'median of {boots} boots' if boots > 1 else 'one boot'}"

    def stem(self):
        """For file names."""
        return f"{self.target}_{'_'.join(self.kernel.split('.')[:2])}"


@dataclass
class Section:
    text: list = field(default_factory=list)
    plots: dict = field(default_factory=dict)  # file name -> SVG

    def picture(self, name, caption, svg):
        self.plots[name] = svg
        self.text.append(f"![{caption}](performance/{name})\n")


def per_unit(figure, counter="net"):
    return figure[counter] / max(figure["n"], 1)


def table(head, rows, words=1):
    """The first columns are words, the others numbers."""
    ruler = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(r) + " |" for r in [head, ruler, *rows]) + "\n"


def signal_pairs(run, section):
    """Instructions by window and by size, each peer also as a multiple of udd; and what else a pair costs."""
    known = {}
    for figure in run.figures:
        found = PAIR.match(figure["name"])
        if found and found.group(1) in PATHS:
            known[found.group(1), int(found.group(2)), int(found.group(3) or DEFAULT_SIZE)] = figure
    paths = [p for p in PATHS if any(k[0] == p for k in known)]
    windows, sizes = sorted({k[1] for k in known}), sorted({k[2] for k in known})

    def cell(path, window, size):
        figure, own = known.get((path, window, size)), known.get(("udd", window, size))
        if not figure:
            return "–"
        factor = f" ({per_unit(figure) / per_unit(own):.1f} ×)" if own and path != "udd" else ""
        return plot.number(per_unit(figure)) + factor

    def value(path, window, size):
        figure = known.get((path, window, size))
        return per_unit(figure) if figure else None

    def show(name, title, x_title, places, conditions):
        """A table and a plot over places, each standing for (window, size)."""
        section.text.append(table(["", *map(str, places)], [[PATHS[p], *(cell(p, *c) for c in conditions)] for p in paths]))
        section.picture(f"{run.stem()}_{name}.svg", title, plot.lines(
            title, run.name(), x_title, places, {PATHS[p]: [value(p, *c) for c in conditions] for p in paths}))

    section.text.append(f"Instructions per pair, messages of {DEFAULT_SIZE} octets, by messages outstanding:\n")
    show("windows", f"Instructions per signal pair of {DEFAULT_SIZE} octets", "messages outstanding", windows,
         [(w, DEFAULT_SIZE) for w in windows])
    if len(sizes) > 1:
        section.text.append(f"By octets of a message, {SHOWN_WINDOW} outstanding:\n")
        show("sizes", f"Instructions per signal pair, {SHOWN_WINDOW} outstanding", "octets of a message", sizes,
             [(SHOWN_WINDOW, s) for s in sizes])
    section.text.append(f"Of the application's process, per pair, {DEFAULT_SIZE} octets:\n")
    rows = [[f"{PATHS[p]}, window {w}", *(f"{per_unit(known[p, w, DEFAULT_SIZE], c):.2f}" for c in COUNTERS)]
            for p in paths for w in windows if w in (1, SHOWN_WINDOW) and (p, w, DEFAULT_SIZE) in known]
    section.text.append(table(["", *COUNTERS.values()], rows))


def any_bench(run, section):
    """One table, and a plot for each unit; figures that differ in a last number only become lines."""
    rows = [[f["name"], f["unit"], plot.number(per_unit(f)), plot.number(per_unit(f, "user")), plot.number(per_unit(f, "kernel")),
             *(f"{per_unit(f, c):.2f}" for c in COUNTERS), str(f.get("spread_pct", "–"))] for f in run.figures]
    section.text.append(table(["", "per", "instructions", "user", "kernel", *COUNTERS.values(), "spread %"], rows))
    series, single = {}, {}
    for figure in run.figures:
        found = re.fullmatch(r"(\w+?)_?(\d+)", figure["name"])
        if found:
            series.setdefault((found.group(1), figure["unit"]), {})[int(found.group(2))] = per_unit(figure)
        else:
            single.setdefault(figure["unit"], []).append((figure["name"], per_unit(figure)))
    for (stem, unit), points in series.items():
        if len(points) > 1:
            title = f"Instructions per {unit} by {stem.replace('_', ' ')}"
            section.picture(f"{run.stem()}_{stem}.svg", title, plot.lines(
                title, run.name(), stem.replace("_", " "), sorted(points), {stem: [points[x] for x in sorted(points)]}))
        else:
            single.setdefault(unit, []).extend((f"{stem}_{x}", v) for x, v in points.items())
    for unit, values in single.items():
        title = f"Instructions per {unit}"
        section.picture(f"{run.stem()}_{unit.lower()}.svg", title, plot.bars(title, run.name(), values))


def covered(run, runs):
    """Is there another run of the same conditions that has all of this one's figures and more?"""
    own = {f["name"] for f in run.figures}
    return any(r.bench == run.bench and (r.kernel, r.about["iommu"]) == (run.kernel, run.about["iommu"]) and
               own < {f["name"] for f in r.figures} for r in runs)


def write(runs):
    """All sections that there are figures for."""
    section = Section()
    order = [*BENCHES, *sorted({r.bench for r in runs} - set(BENCHES))]
    for bench in order:
        of_bench = sorted((r for r in runs if r.bench == bench and r.figures and not covered(r, runs)), key=lambda r: (r.target, r.kernel))
        if not of_bench:
            continue
        heading, about = BENCHES.get(bench, (bench.replace("_", " ").capitalize(), ""))
        section.text.append(f"## {heading}\n")
        if about:
            section.text.append(about + "\n")
        for run in of_bench:
            section.text.append(f"### {run.target}: {run.name()}\n")
            (signal_pairs if bench == "signal_pairs" else any_bench)(run, section)
    return section
