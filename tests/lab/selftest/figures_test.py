#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What is made of a counting run's figures: joined, of several boots the median, judged, and compared with recorded ones."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path("tests/lab").resolve()))
import figures  # noqa: E402
import report  # noqa: E402

LOG = "noise\nFIGURE pairs_udd_w1 pair 100\nmore\nFIGURE pairs_udp_w1 pair 100\n"


def record(user, kernel=0, idle_insns=0):
    return {"user": user, "kernel": kernel, "locked": 0, "idle_insns": idle_insns}


def case(name, result, reason=""):
    return report.Case(name, result, reason)


class Figures(unittest.TestCase):
    def boot(self, udd=10000, udp=900000):
        return figures.join(LOG, [record(udd, 100, 50), record(100, udp)])

    def test_join_takes_empty_polls_off(self):
        first, second = self.boot()
        self.assertEqual((first["name"], first["unit"], first["n"], first["net"]), ("pairs_udd_w1", "pair", 100, 10050))
        self.assertEqual(second["net"], 900100)
        self.assertEqual(figures.values([first])["pairs_udd_w1.net"], 100.5)

    def test_a_counter_of_the_program_s_own(self):
        first, second = figures.join("FIGURE with_tcp pair 100 segments 20\r\nFIGURE alone pair 50\r\n", [record(9), record(9)])
        self.assertEqual((first["segments"], figures.values([first])["with_tcp.segments"]), (20, 0.2))
        self.assertNotIn("segments", second)

    def test_one_boot_is_kept_as_it_is(self):
        boot = self.boot()
        self.assertIs(figures.median([boot]), boot)

    def test_median_of_boots(self):
        udd, udp = figures.median([self.boot(10000), self.boot(12000), self.boot(10100)])
        self.assertEqual((udd["user"], udd["net"], udd["boots"]), (10100, 10150, 3))
        self.assertEqual(udd["spread_pct"], 19.7)
        self.assertEqual(udp["spread_pct"], 0)

    def test_a_boot_that_lacks_a_figure(self):
        udd, udp = figures.median([self.boot(), self.boot()[:1]])
        self.assertEqual((udd["boots"], udp["boots"]), (2, 1))

    def test_bounds(self):
        known = {"a.net": 100.0, "b.net": 350.0, "z.locked": 0.004, "b.segments": 0.5}
        for what, wanted, fine in [("a.net", "<=100", True), ("a.net", "<=99.9", False), ("b.net", ">=3.5*a.net", True),
                                   ("b.net", ">=3.6*a.net", False), ("a.net", "<=0.3*b.net", True), ("z.locked", "0.00", True),
                                   ("b.net", "<=3*a.net+segments*a.net", True), ("b.net", "<=2.9*a.net+segments*a.net", False),
                                   ("a.net", "<=3*b.net+segments*b.net", None), ("b.net", "<=3*a.net+segments*c.net", None),
                                   ("a.net", "0.00", False), ("c.net", "<=1", None), ("a.net", "<=1*c.net", None)]:
            self.assertIs(figures.holds(known, what, wanted), fine, (what, wanted))

    def test_missing_is_failed_and_of_a_skipped_case_skipped(self):
        must, known = {"pairs_dpdk_w1.net": ">=3.5*pairs_udd_w1.net"}, {"pairs_udd_w1.net": 1.0}
        self.assertEqual(figures.judge(known, must, [case("pairs.dpdk", "PASS")])[0].result, "FAIL")
        self.assertEqual(figures.judge(known, must, [case("pairs.raw", "SKIP", "why")])[0].result, "FAIL")
        judged = figures.judge(known, must, [case("pairs.dpdk", "SKIP", "no huge pages")])[0]
        self.assertEqual((judged.result, judged.reason), ("SKIP", "pairs.dpdk was skipped: no huge pages"))

    def test_targets_are_told(self):
        told = figures.targets({"a.net": 5.0}, {"a.net": "<=4", "b.net": "<=4"})
        self.assertRegex(told[0], r"a\.net <=4: 5\.00, not reached")
        self.assertRegex(told[1], "not measured")

    def test_own_counts_have_a_band(self):
        own = figures.read_own_counts("# comment\na.net 100.0 0.1\nb.net 100 2.0  # wide\nabsent.net 1 0\n")
        results = {c.name: c.result for c in figures.regressions({"a.net": 103.1, "b.net": 105.9}, own)}
        self.assertEqual(results, {"own.a.net": "FAIL", "own.b.net": "PASS"})
        self.assertEqual(figures.regressions({"a.net": 102.9}, own)[0].result, "PASS")
        self.assertEqual(figures.regressions({"a.net": 50.0}, own)[0].result, "PASS")

    def test_a_table_of_which_nothing_was_measured_fails(self):
        self.assertEqual(figures.regressions({}, {"a.net": (1.0, 0.0)})[0].result, "FAIL")

    def test_table_has_a_row_for_each(self):
        rows = figures.table(self.boot()).splitlines()
        self.assertEqual(len(rows), 3)
        self.assertIn("100.50", rows[1])


if __name__ == "__main__":
    unittest.main()
