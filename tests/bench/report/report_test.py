#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The report on recorded figures: which runs it finds and keeps, what it says of them, and that its plots are proper SVG."""

import json
import sys
import tempfile
import unittest
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path("tests/bench/report").resolve()))
import plot  # noqa: E402
import recorded  # noqa: E402
import report  # noqa: E402
import sections  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


class Report(unittest.TestCase):
    def setUp(self):
        with tempfile.TemporaryDirectory() as testlogs:
            for target, about, figures in recorded.RUNS:
                outputs = Path(testlogs, "tests/bench", target, "test.outputs")
                outputs.mkdir(parents=True)
                with zipfile.ZipFile(outputs / "outputs.zip", "w") as z:
                    z.writestr("figures.json", json.dumps(figures))
                    z.writestr("run.json", json.dumps(about))
            # one without figures, and one whose figures are of nothing but the lab
            for other, names in {"bench/idle_6_1": ["serial.log"], "lab/selftest/count_6_1": ["figures.json", "run.json"]}.items():
                outputs = Path(testlogs, "tests", other, "test.outputs")
                outputs.mkdir(parents=True)
                with zipfile.ZipFile(outputs / "outputs.zip", "w") as z:
                    for name in names:
                        z.writestr(name, "{}")
            self.runs = report.read_runs(testlogs)
        self.section = sections.write(self.runs)
        self.text = "\n".join(self.section.text)

    def test_finds_the_runs_with_figures(self):
        self.assertEqual([r.target for r in self.runs], ["latency", "scaling", "signal_pairs", "signal_pairs_full", "tunnel_tcp"])
        self.assertEqual([r.bench for r in self.runs], ["latency", "scaling", "signal_pairs", "signal_pairs", "tunnel_tcp"])

    def test_sections_of_what_has_figures_in_order(self):
        headings = [line for line in self.text.splitlines() if line.startswith("## ")]
        self.assertEqual(headings, ["## Signal pairs", "## Kernel TCP through the tunnel", "## Scaling"])

    def test_the_small_run_gives_way_to_the_full_one(self):
        self.assertNotIn("### signal_pairs:", self.text)
        self.assertIn("### signal_pairs_full: kernel 6.12.117+deb12-amd64, IOMMU pt, median of 5 boots", self.text)

    def test_pairs_are_compared_with_the_library(self):
        self.assertIn("| udd | 1 250 | 400 |", self.text)
        self.assertIn("| kernel UDP | 28 711 (23.0 ×) | 19 336 (48.3 ×) |", self.text)
        self.assertIn("| DPDK (net_e1000_em) | 1 074 (0.9 ×) | 649 (1.6 ×) |", self.text)
        self.assertIn("| udd | 400 | 410 | 439 |", self.text)  # by size
        self.assertIn("| kernel UDP, window 1 | 0.00 | 0.00 | 0.00 | 0.00 | 4.00 |", self.text)
        self.assertNotIn("checked", self.text)

    def test_plots_are_svg_with_every_value_within(self):
        self.assertEqual(set(self.section.plots), {
            "signal_pairs_full_6_12_windows.svg", "signal_pairs_full_6_12_sizes.svg", "tunnel_tcp_6_1_mb.svg", "tunnel_tcp_6_1_round.svg",
            "scaling_6_12_pool.svg", "scaling_6_12_pair.svg"})
        for name, svg in self.section.plots.items():
            self.assertIn(f"](performance/{name})", self.text)
            root = ElementTree.fromstring(svg)
            width, height = float(root.get("width")), float(root.get("height"))
            for node in [*root.iter(f"{SVG}circle"), *root.iter(f"{SVG}text")]:
                x, y = float(node.get("cx") or node.get("x")), float(node.get("cy") or node.get("y"))
                self.assertTrue(0 <= x <= width and 0 <= y <= height, (name, ElementTree.tostring(node)))

    def test_far_apart_is_logarithmic_and_close_is_not(self):
        self.assertTrue(plot.Scale([400, 28000], 0, 100).log)
        near = plot.Scale([8000, 8016], 0, 100)
        self.assertFalse(near.log)
        self.assertEqual(near.ticks[0], 0)
        self.assertLessEqual(8016, near.ticks[-1])

    def test_header_names_what_was_measured(self):
        head = report.header(self.runs, "0123456789ab", datetime(2026, 11, 25, tzinfo=timezone.utc), "2026-11-26")
        self.assertIn("at commit 0123456789ab", head)
        self.assertIn("| signal_pairs_full | 6.12.117+deb12-amd64 | e1000e | 10.0.2 (Debian) | pt | 5 | 2026-11-26 04:00 UTC |", head)
        self.assertIn("2026-11-20 04:00 UTC, before this commit |", head)

    def test_keeps_what_has_not_run_here(self):
        with tempfile.TemporaryDirectory() as docs:
            path = Path(docs, report.RUNS)
            self.assertEqual(report.read_kept(path), [])
            report.write_kept(path, self.runs)
            kept = report.read_kept(path)
        self.assertEqual(kept, self.runs)
        later = sections.Run("scaling", "6.12.117+deb12-amd64", recorded.about(time="2026-11-27T04:00:00Z"), [])
        earlier = sections.Run("tunnel_tcp", "6.1.0-56-amd64", recorded.about(time="2026-11-01T04:00:00Z"), [])
        runs = report.merged(kept, [later, earlier])
        self.assertEqual(len(runs), len(kept))
        self.assertIn(later, runs)
        self.assertNotIn(earlier, runs)

    def test_records_the_librarys_own_counts_alone(self):
        rows = [line for line in report.own_counts(self.runs).splitlines() if not line.startswith("#")]
        self.assertEqual(rows, ["signal_pairs_udd_w1.net 1250.00 0.05", "signal_pairs_udd_w32.net 400.00 0.2",
                                "signal_pairs_udd_w32_s1458.net 439.45 0.0", "signal_pairs_udd_w32_s256.net 410.16 0.0"])


if __name__ == "__main__":
    unittest.main()
