# SPDX-License-Identifier: Apache-2.0
"""Reads a guest's serial log: which case ended how, and which kernel reports fell into it.

Every LAB line comes through the kernel log (guest/case.sh), so order decides to which case a report belongs. A report that
the case did not announce turns it into a failure; one outside of any case becomes a failing case of its own.
"""

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

# What the kernel never says unless something is broken.
REPORTS = re.compile("|".join([
    r"WARNING:", r"\bBUG\b[: ]", r"kernel BUG at", r"\bOops\b", r"Call Trace:", r"general protection", r"soft lockup",
    r"hard LOCKUP", r"rcu.*(?:stall|starved)", r"blocked for more than \d+ seconds", r"Bad page (?:state|map)", r"UBSAN:",
    r"page allocation failure", r"unregister_netdevice: waiting", r"possible (?:circular|recursive) locking",
    r"inconsistent lock state", r"suspicious RCU usage", r"bad unlock balance", r"held lock freed", r"invalid wait context",
    r"refcount_t:", r"DMAR:.*(?:fault|\[(?:DMA|INTR))", r"K[AC]SAN:|KFENCE:",
    r"kmemleak: (?:\d+ new suspected|Cannot allocate|Kernel memory leak detector disabled)", r"ODEBUG: (?!selftest|\d+ of)",
    r"DMA-API: (?!preallocated|debugging enabled|dma_debug_entry pool grown)", r"trying to register non-static key", r"ref_tracker: ",
    r"Kernel panic", r"NETDEV WATCHDOG", r"nobody cared", r"double fault", r"Unable to handle kernel", r"NULL pointer dereference",
    r"corrupted stack", r"list_(?:add|del) corruption",
]))
KERNEL_LINE = re.compile(r"\[ *\d+\.\d{6}\](?:\[[^]]*\])? (.*)")
LAB_LINE = re.compile(r"^LAB ([A-Z]+) ?(.*)")
OUTSIDE = "lab.outside_of_cases"


@dataclass
class Case:
    """One test case: its outcome, and the kernel's lines that count against it."""

    name: str
    result: str = "FAIL"
    reason: str = ""
    reports: list = field(default_factory=list)
    announced: list = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Outcome:
    """All that one boot told."""

    cases: list = field(default_factory=list)
    init: bool = False
    end: bool = False


def judge(case):
    """Apply what the case announced to what the kernel reported while it ran."""
    left = [r for r in case.reports if not any(re.search(a, r) for a in case.announced)]
    if left and (case.result != "FAIL" or not case.reason):
        case.result, case.reason = "FAIL", f"kernel: {left[0]}"
    return case


def read(text):
    """The outcome that a serial log shows."""
    outcome, current, outside = Outcome(), None, Case(OUTSIDE)
    started, seen = 0.0, set()
    for line in text.splitlines():
        kernel = KERNEL_LINE.search(line)
        if not kernel or kernel.group(0) in seen:  # a second time: a program has printed dmesg's output
            continue
        seen.add(kernel.group(0))
        message = kernel.group(1).strip()
        lab = LAB_LINE.match(message)
        if not lab:
            if REPORTS.search(message):
                (current or outside).reports.append(message)
            continue
        now = float(kernel.group(0)[1:kernel.group(0).index("]")])
        kind, (name, _, rest) = lab.group(1), lab.group(2).partition(" ")
        if kind == "INIT":
            outcome.init = True
        elif kind == "END":
            outcome.end = True
        elif kind == "BEGIN":
            if current:
                outcome.cases.append(judge(current))
            current, started = Case(name, reason="the case never ended"), now
        elif kind == "ANNOUNCE" and current:
            current.announced.append(rest)
        elif kind in ("PASS", "FAIL", "SKIP"):
            case = current if current and current.name == name else Case(name)
            case.result, case.reason, case.seconds = kind, rest, now - started if case is current else 0.0
            outcome.cases.append(judge(case))
            current = None if case is current else current
    if current:
        outcome.cases.append(judge(current))
    if outside.reports:
        outcome.cases.append(judge(outside))
    return outcome


def expect_failures(cases, expected):
    """For the self-test: cases that must fail (or skip), by name, with a pattern of the reason. All others must not."""
    result = [c for c in cases if c.name not in expected]
    for name, pattern in expected.items():
        found = [c for c in cases if c.name == name and c.result != "PASS"]
        text = "\n".join([f"{c.result} {c.reason}" for c in found] + [r for c in found for r in c.reports])
        fine = found and re.search(pattern, text)
        result.append(Case(f"reported.{name}", "PASS" if fine else "FAIL", "" if fine else f"not reported as '{pattern}': {text!r}"))
    return result


def write_junit(path, suite, cases):
    """The cases as JUnit XML, the form that bazel's XML_OUTPUT_FILE asks for."""
    count = {k: sum(c.result == k for c in cases) for k in ("PASS", "FAIL", "SKIP")}
    root = ElementTree.Element("testsuites")
    top = ElementTree.SubElement(root, "testsuite", name=suite, tests=str(len(cases)), failures=str(count["FAIL"]),
                                 skipped=str(count["SKIP"]), errors="0")
    for case in cases:
        group, _, name = case.name.rpartition(".")
        node = ElementTree.SubElement(top, "testcase", classname=f"{suite}.{group}", name=name, time=f"{case.seconds:.3f}")
        if case.result == "FAIL":
            ElementTree.SubElement(node, "failure", message=clean(case.reason)).text = clean("\n".join(case.reports))
        elif case.result == "SKIP":
            ElementTree.SubElement(node, "skipped", message=clean(case.reason))
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def clean(text):
    """Without the control characters that XML can't carry."""
    return re.sub(r"[^\t\n\x20-\ud7ff]", "?", text)
