#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/performance.md, with its plots, from the figures that each bench's last run left in bazel-testlogs.
What has not run here stays as it was: docs/performance/runs.json keeps the figures of every run that is shown.

bazel run //tests/bench:report              the last run of each; ./bazelw test --config=full //tests/bench/... runs them all
bazel run //tests/bench:report -- --record  besides takes the library's own counts of signal_pairs as those to be held to

What is written by hand is notes.md, which is put in as it is. Nothing is measured here.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sections  # noqa: E402

NOTES = "tests/bench/report/notes.md"
RUNS = "runs.json"
OWN_COUNTS = "tests/bench/own_counts.txt"
OWN = re.compile(r"signal_pairs_udd_w\d+(_s\d+)?$")
OWN_HEAD = """# SPDX-License-Identifier: Apache-2.0
# The library's own instructions per signal pair, as recorded (bazel run //tests/bench:report -- --record). A run that takes
# more, by max(3 %, 3 times the spread), fails: a slower hot path is to be found out, or to be meant and recorded.
# figure.counter  value  spread in % between the boots it is the median of
"""


def read_runs(testlogs):
    """The last run of every target that left figures."""
    runs = []
    for archive in sorted(Path(testlogs, "tests/bench").glob("*/test.outputs/outputs.zip")):
        with zipfile.ZipFile(archive) as z:
            if not {"figures.json", "run.json"} <= set(z.namelist()):
                continue
            figures, about = json.loads(z.read("figures.json")), json.loads(z.read("run.json"))
        target = re.sub(r"_6_\d+$", "", archive.parent.parent.name)
        runs.append(sections.Run(target, about["kernel"], about, figures))
    return runs


def merged(kept, here):
    """The later run of each target on each kernel."""
    last = {}
    for run in sorted([*kept, *here], key=lambda r: r.about["time"]):
        last[run.stem()] = run
    return sorted(last.values(), key=lambda r: r.stem())


def read_kept(path):
    """The runs that the document shows now."""
    return [sections.Run(**run) for run in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


def write_kept(path, runs):
    path.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n", encoding="utf-8")


def git(root, *command):
    return subprocess.run(["git", "-c", f"safe.directory={root}", "-C", str(root), *command], capture_output=True, text=True,
                          check=True).stdout.strip()


def commit_of(root):
    """(what the tree is, when its commit was made)"""
    changed = git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/performance.md", ":!docs/performance")
    when = datetime.fromtimestamp(int(git(root, "show", "-s", "--format=%ct")), timezone.utc)
    return git(root, "rev-parse", "--short=12", "HEAD") + (" with changes" if changed else ""), when


def header(runs, commit, commit_time, today):
    def taken(run):
        when = datetime.strptime(run.about["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        return f"{when:%Y-%m-%d %H:%M} UTC" + (", before this commit" if when < commit_time else "")

    rows = [[r.target, r.kernel, " ".join(sorted(set(r.about["nics"]))), r.about["qemu"].removeprefix("QEMU emulator version "),
             r.about["iommu"], str(r.about.get("boots", 1)), taken(r)] for r in runs]
    return "\n".join([
        "<!-- SPDX-License-Identifier: Apache-2.0 -->",
        f"<!-- Written by `bazel run //tests/bench:report`; what is written by hand is {NOTES}. -->",
        "# Performance: what is counted", "",
        f"Written on {today} at commit {commit}, of these runs:", "",
        sections.table(["bench", "kernel", "NIC", "QEMU", "IOMMU", "boots", "taken"], rows, words=7)])


def own_counts(runs):
    """The table of the library's own counts, of the runs with the most boots."""
    known = {}
    for run in sorted(runs, key=lambda r: r.about.get("boots", 1)):
        for figure in run.figures if run.bench == "signal_pairs" else []:
            if OWN.match(figure["name"]):
                known[figure["name"]] = f"{figure['name']}.net {sections.per_unit(figure):.2f} {figure.get('spread_pct', 0.0)}\n"
    return OWN_HEAD + "".join(known[name] for name in sorted(known))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    parser.add_argument("--testlogs", type=Path, default=root / "bazel-testlogs", help="where to look for outputs of tests")
    parser.add_argument("--out", type=Path, default=root / "docs", help="where performance.md goes")
    parser.add_argument("--record", action="store_true", help=f"also rewrite {OWN_COUNTS}")
    args = parser.parse_args()
    here = read_runs(args.testlogs)
    if not here:
        sys.exit(f"report: no figures below {args.testlogs}: run `./bazelw test //tests/bench/...` first")
    plots = args.out / "performance"
    plots.mkdir(parents=True, exist_ok=True)
    runs = merged(read_kept(plots / RUNS), here)
    commit, commit_time = commit_of(root)
    section = sections.write(runs)
    notes = (root / NOTES).read_text(encoding="utf-8").partition("-->\n")[2]  # without its own licence line
    text = "\n".join([header(runs, commit, commit_time, f"{datetime.now(timezone.utc):%Y-%m-%d}"), notes, *section.text])
    write_kept(plots / RUNS, runs)
    for old in plots.glob("*.svg"):
        old.unlink()
    for name, svg in section.plots.items():
        (plots / name).write_text(svg, encoding="utf-8")
    (args.out / "performance.md").write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    print(f"report: {len(here)} runs here, {len(runs)} shown -> {args.out}/performance.md, {len(section.plots)} plots")
    if args.record:
        (root / OWN_COUNTS).write_text(own_counts(runs), encoding="utf-8")
        print(f"report: recorded {OWN_COUNTS}")


if __name__ == "__main__":
    main()
