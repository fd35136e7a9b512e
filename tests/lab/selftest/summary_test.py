#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""How a test run is closed: every case counted, skips and failures told with their reasons, no kernel left out unseen."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path("tests/lab").resolve()))
import report  # noqa: E402


class Summary(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.events = []

    def target(self, label, kernel, cases, status="PASSED"):
        """A target that has run, with its cases as the lab writes them."""
        xml = Path(self.directory.name, f"{len(self.events)}.xml")
        report.write_junit(xml, f"{label}[{kernel}]", cases)
        self.events.append({"id": {"testResult": {"label": label}},
                            "testResult": {"status": status, "testActionOutput": [{"name": "test.xml", "uri": f"file://{xml}"}]}})

    def close(self, status, *arguments):
        events = Path(self.directory.name, "events.json")
        events.write_text("".join(json.dumps(event) + "\n" for event in self.events), encoding="utf-8")
        run = subprocess.run([sys.executable, "-B", "tests/lab/summary.py", events, str(status), *arguments],
                             capture_output=True, text=True, check=False)
        return run.returncode, run.stdout.splitlines()

    def test_failures_and_skips_have_reasons(self):
        self.target("//a:b_6_1", "6.1", [report.Case("b.good", "PASS"), report.Case("b.bad", "FAIL", "grep -q x:\n status 1"),
                                         report.Case("b.left_out", "SKIP", "no gdb")], "FAILED")
        status, lines = self.close(3, "test", "//a:b_6_1")
        self.assertEqual(status, 3)
        self.assertEqual(lines, ["SKIPPED //a:b_6_1 //a:b_6_1[6.1].b.left_out: no gdb",
                                 "FAILED //a:b_6_1 //a:b_6_1[6.1].b.bad: grep -q x: status 1",
                                 "1 passed, 1 failed, 1 skipped"])

    def test_target_that_failed_without_a_case(self):
        self.target("//a:b", "6.1", [report.Case("b.good", "PASS")], "TIMEOUT")
        self.assertEqual(self.close(3, "test", "//a:b")[1][-2:], ["FAILED //a:b (timeout)", "1 passed, 1 failed, 0 skipped"])

    def test_run_of_everything_needs_both_kernels(self):
        self.target("//a:b_6_1", "6.1", [report.Case("b.good", "PASS")])
        status, lines = self.close(0, "test", "//...")
        self.assertEqual((status, lines[-2:]), (3, ["FAILED no guest case ran on kernel 6.12", "1 passed, 1 failed, 0 skipped"]))

    def test_skipped_cases_are_no_run(self):
        self.target("//a:b_6_1", "6.1", [report.Case("b.good", "PASS")])
        self.target("//a:b_6_12", "6.12", [report.Case("b.good", "SKIP", "no KVM")])
        self.assertEqual(self.close(0, "test", "//...")[0], 3)


if __name__ == "__main__":
    unittest.main()
