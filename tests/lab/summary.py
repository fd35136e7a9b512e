# SPDX-License-Identifier: Apache-2.0
"""Closes a test run: counts the cases of every target that bazel ran, prints each skip and failure with its reason, and a last
line "N passed, N failed, N skipped". Called by bazelw:  summary.py EVENTS_JSON BAZEL_STATUS BAZEL_ARGUMENTS…

The exit status is bazel's; but a run of everything in which no guest case ran on one of the kernels is a failure: a lab that
silently skips itself must not look green.
"""

import json
import re
import sys
from collections import Counter
from urllib.parse import unquote, urlparse
from xml.etree import ElementTree

# what a run of everything must have reached, by its --config
KERNELS = {"": ("6.1", "6.12"), "--config=debug_kernel": ("debug",), "--config=full": ("6.1", "6.12", "debug")}
REASON_LENGTH = 300


def events(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            yield json.loads(line)


def target_cases(xml):
    """(suite, case, result, reason) of a test.xml."""
    for suite in ElementTree.parse(xml).iter("testsuite"):
        for case in suite.findall("testcase"):
            name = f"{case.get('classname') or suite.get('name')}.{case.get('name')}"
            skipped = case.find("skipped")
            broken = next((b for b in (case.find("failure"), case.find("error")) if b is not None), None)
            if broken is not None:
                yield suite.get("name"), name, "failed", broken.get("message") or ""
            elif skipped is not None or case.get("status") == "notrun" or case.get("result") == "skipped":
                yield suite.get("name"), name, "skipped", (skipped.get("message") or "") if skipped is not None else ""
            else:
                yield suite.get("name"), name, "passed", ""


def main():
    events_path, status, args = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    count, guests, skips, failures = Counter(), Counter(), [], []
    for event in events(events_path):
        ident = event.get("id", {})
        result = event.get("testResult")
        if result and "testResult" in ident:
            label, found = ident["testResult"]["label"], Counter()
            xml = [unquote(urlparse(o["uri"]).path) for o in result.get("testActionOutput", []) if o["name"] == "test.xml"]
            try:
                cases = list(target_cases(xml[0])) if xml else []
            except (OSError, ElementTree.ParseError):
                cases = []
            for suite, name, what, reason in cases:
                found[what] += 1
                kernel = re.search(r"\[(6\.\d+|debug)\]$", suite or "")
                if kernel and what != "skipped":
                    guests[kernel.group(1)] += 1
                if what != "passed":
                    told = " ".join(reason.split())[:REASON_LENGTH] or "no reason given"
                    (skips if what == "skipped" else failures).append(f"{label} {name}: {told}")
            if result["status"] != "PASSED" and not found["failed"]:
                found["failed"] += 1
                failures.append(f"{label} ({result['status'].lower()})")
            count += found
        elif "targetCompleted" in ident and not event.get("completed", {}).get("success"):
            count["failed"] += 1
            failures.append(f"{ident['targetCompleted']['label']} (not built)")
    if status and not count["failed"]:
        count["failed"] += 1
        failures.append(f"bazel itself (status {status})")
    for line in skips:
        print(f"SKIPPED {line}")
    for line in failures:
        print(f"FAILED {line}")
    everything = any(a.endswith("//...") for a in args) and not any(re.match(r"--config=.san", a) for a in args)
    config = next((a for a in args if a in KERNELS), "")
    for kernel in KERNELS[config] if everything else ():
        if not guests[kernel]:
            print(f"FAILED no guest case ran on kernel {kernel}")
            count["failed"] += 1
            status = status or 3
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return status


if __name__ == "__main__":
    sys.exit(main())
