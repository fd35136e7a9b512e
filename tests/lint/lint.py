# SPDX-License-Identifier: Apache-2.0
"""Checks of the sources' form, each a test target (BUILD.bazel): lint.py KIND [OPTIONS]. Every file is a case.

The files are those git knows in the tree that the WORKSPACE file (a link, where bazel runs this) really lies in.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path("WORKSPACE").resolve().parent
MODULES = r"^(kagent|nddcore)/.*\.[ch]$"


def tracked(pattern):
    out = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files"], capture_output=True, text=True,
                         check=True).stdout
    return [f for f in out.splitlines() if re.search(pattern, f) and (ROOT / f).is_file()]


def output(*command, cwd=ROOT):
    """What a command prints if it fails, or warns."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def each(files, check):
    """Run check(file) on all files, as many at a time as there are CPUs."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(files, pool.map(check, files)))


def spdx(_):
    """Modules GPL-2.0-only, the UAPI header with the syscall note, the rest Apache-2.0."""

    def check(name):
        head = "".join((ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[:5])
        found = re.search(r"SPDX-License-Identifier: (.*?)(?: ?\*/| ?-->)?$", head, re.M)
        if "include/uapi/" in name:
            wanted = "GPL-2.0 WITH Linux-syscall-note"
        elif re.search(r"\.[ch]$|Kbuild$", name) and (ROOT / name).with_name("Kbuild").exists():
            wanted = "GPL-2.0-only"
        else:
            wanted = "Apache-2.0"
        got = found.group(1).strip("() ") if found else "none"
        return "" if got == wanted else f"the SPDX line says {got}, expected {wanted}"

    # licences themselves, and octets for the fuzzers
    return each([f for f in tracked("") if not f.startswith(("LICENSES/", "tests/fuzz/corpus/"))], check)


def clang_format(_):
    files = [f for f in tracked(r"\.(cc|h)$") if not re.match(r"kagent/|nddcore/", f)]
    return each(files, lambda f: output("clang-format-16", "--dry-run", "-Werror", f))


def tidy(_):
    """clang-tidy on the C++ sources, with the flags that bazel gives them in essence."""
    flags = ["-std=c++20", "-I.", "-isystem", "/usr/include/libnl3", "-Ikagent/include/uapi", "-Ikagent/include"]
    return each(tracked(r"^(udd|examples)/.*\.cc$"), lambda f: output("clang-tidy-16", "--quiet", f, "--", *flags))


def checkpatch(options):
    """checkpatch.pl --strict, except where a kind of file has a form that it does not know."""

    def ignored(name):
        if "/uapi/" in name:  # BIT() is for the kernel, this header is not for it alone
            return "FILE_PATH_CHANGES,BIT_MACRO"
        if name.endswith("/trace.h"):  # the kernel's own form of TRACE_EVENT()
            return "FILE_PATH_CHANGES,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT"
        return "FILE_PATH_CHANGES"

    return each(tracked(MODULES), lambda f: output(
        "perl", options.checkpatch, "--no-tree", "--strict", "--terse", "--no-summary", "--color=never",
        "--ignore=" + ignored(f), "-f", f))


def kernel_doc(options):
    script = f"{options.headers}/scripts/kernel-doc"
    return each(tracked(MODULES), lambda f: output("perl", script, "-none", "-Werror", f))


def sparse(options):
    """sparse on both modules; only what it says about our files counts."""
    with tempfile.TemporaryDirectory() as tmp:
        symbols = []
        for name in tracked(r"^(kagent|nddcore)/"):
            target = Path(tmp) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        said = ""
        for module in ("kagent", "nddcore"):
            if (Path(tmp) / module / "Kbuild").exists():
                done = subprocess.run(["make", "-C", options.headers, f"M={tmp}/{module}", "C=2", "modules",
                                       f"KBUILD_EXTRA_SYMBOLS={' '.join(symbols)}"], capture_output=True, text=True, check=False)
                said += done.stdout + done.stderr
                symbols.append(f"{tmp}/{module}/Module.symvers")
                if done.returncode:
                    return {module: said}
        result = {f: "" for f in tracked(r"^(kagent|nddcore)/.*\.c$")}
        for line in said.splitlines():
            found = re.match(rf"(?:{re.escape(tmp)}/)?(\S+?):\d+:\d+: (?:warning|error)", line)
            if found and (ROOT / found.group(1)).exists():
                result[found.group(1)] = result.get(found.group(1), "") + line + "\n"
        return result


def main():
    kinds = {f.__name__: f for f in (spdx, clang_format, tidy, checkpatch, kernel_doc, sparse)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--checkpatch")
    parser.add_argument("--headers", help="of the kernel to check against")
    options = parser.parse_args()
    results = kinds[options.kind](options)
    failed = {f: text for f, text in results.items() if text}
    for name, text in failed.items():
        print(f"{name}: {text}")
    print(f"{options.kind}: {len(results)} files, {len(failed)} with something to say")
    xml = os.environ.get("XML_OUTPUT_FILE")
    if xml:
        suite = ElementTree.Element("testsuite", name=options.kind, tests=str(len(results)), failures=str(len(failed)))
        for name, text in results.items():
            case = ElementTree.SubElement(suite, "testcase", classname=options.kind, name=name)
            if text:
                ElementTree.SubElement(case, "failure", message=re.sub(r"[^\t\n\x20-\ud7ff]", "?", text))
        ElementTree.ElementTree(suite).write(xml, encoding="utf-8", xml_declaration=True)
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
