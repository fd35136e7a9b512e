#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Holds README.md, docs/architecture.md and docs/security.md to the tree: the program that README.md quotes is the file's
own text, and what they name in code exists: paths, cases of tests, targets, options of our programs, module parameters, files
in sysfs, our identifiers, the transitions of the state machine.

readme.py          complains, exit status 1
readme.py --fix    puts the quoted program into README.md again
"""

import argparse
import fnmatch
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path("WORKSPACE").resolve().parent
DOCS = ["README.md", "docs/architecture.md", "docs/security.md"]
QUOTED = "examples/hello/hello.cc"
QUOTE = re.compile(rf"(<!-- {re.escape(QUOTED)} -->\n)(.*?)(<!-- end -->)", re.S)
QUOTE_MAX = 40  # lines
# Our programs, and where their options are declared.
PROGRAMS = {"pingpong": "examples/pingpong/options.cc", "nddctl": "udd/ctl/nddctl.cc", "vm.py": "tests/lab/vm.py"}
IDENTIFIER = re.compile(r"(?<![\w:/])((?:kagent|nddcore)_\w+|(?:NDD|IFLA_NDD|KAGENT)_\w+|struct ndd_\w+)")


def tracked():
    """Files that git knows, or would if they were added."""
    out = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "--cached", "--others",
                          "--exclude-standard"], capture_output=True, text=True, check=True).stdout
    return sorted(f for f in set(out.splitlines()) if (ROOT / f).is_file())


class Tree:
    """What there is to be named."""

    def __init__(self):
        self.files = tracked()
        self.folders = {str(p) for f in self.files for p in Path(f).parents} - {"."}
        self.names = {Path(f).name for f in self.files}
        self.sources = "".join(self.text(f) for f in self.files if re.match(r"(kagent|nddcore|udd)/.*\.(c|h|cc)$", f))

    @staticmethod
    def text(name):
        return (ROOT / name).read_text(encoding="utf-8", errors="replace")

    def path(self, name):
        """A file or folder, by its path in the tree or by its last part alone; * and ? match."""
        name = name.rstrip("/")
        if "/" in name:
            return bool(fnmatch.filter(self.files, name) or fnmatch.filter(self.folders, name))
        return bool(fnmatch.filter(self.names, name)) or name in self.folders

    def target(self, label):
        """//package:name, written out in the package's BUILD file, where a kernel's suffix is left to kernel_modules()."""
        package, _, name = label[2:].partition(":")
        if package.endswith("..."):
            return package.strip("./") in self.folders | {""}
        build = f"{package}/BUILD.bazel".lstrip("/")
        name = re.sub(r"_(6_\d+|debug)$", "", name or package.rpartition("/")[2])
        return build in self.files and (name == "all" or f'"{name}"' in self.text(build))

    def parameter(self, module, name):
        return any(re.search(rf"module_param(_cb)?\({name},", self.text(f)) for f in self.files if f.startswith(module + "/"))


def expanded(word):
    """a/{b,c} as a/b and a/c."""
    found = re.search(r"\{([\w,]+)\}", word)
    return [word[:found.start()] + part + word[found.end():] for part in found.group(1).split(",")] if found else [word]


def check_word(tree, word):
    """One word of code. Return: what is wrong with it, or nothing."""
    word = word.strip("\"'(),;:")
    if re.match(r"//[\w.]", word):
        return "" if tree.target(word) else "no such target"
    found = re.search(r"/sys/class/net/\w+/ndd/(\w+)", word)
    if found:
        return "" if f"DEVICE_ATTR_RO({found.group(1)})" in tree.text("kagent/sysfs.c") else "no such file in sysfs"
    found = re.match(r"(?:/sys/module/)?(kagent|nddcore)(?:/parameters/|\.)(\w+)", word)
    if found and not re.search(r"\.(ko|o|h)$", word):
        return "" if tree.parameter(*found.groups()) else "no such module parameter"
    found = re.fullmatch(r"(tests/[\w/.]+\.(?:sh|cc)):(\w+)", word)
    if found:
        file, case = found.groups()
        begins = rf"case_begin {case}\b" if file.endswith(".sh") else rf"\b{case}\b"
        return "" if file in tree.files and re.search(begins, tree.text(file)) else "no such case"
    found = re.match(r"bazel-bin/(.*)/(\w+)/\w+\.ko$", word) or re.match(r"bazel-bin/(.*)/(\w+)$", word)
    if found:
        return "" if tree.target("//{}:{}".format(*found.groups())) else "nothing that bazel makes"
    if re.fullmatch(r"(\w+)\.ko", word):
        module = word[:-len(".ko")]
        return "" if f"obj-m := {module}.o" in tree.text(f"{module}/Kbuild") else "no such module"
    if word.startswith(("/", "<", "-", "$", ".")) or not re.fullmatch(r"[\w./*?-]+", word):
        return ""
    # a path is what begins with a folder of ours, or looks like a source file
    ours = "/" in word and word.split("/")[0] in tree.folders
    if ours or re.fullmatch(r"[\w/*-]+\.(c|h|cc|py|sh|md|bzl)", word):
        return "" if tree.path(word) else "no such path"
    return ""


def check_options(tree, code):
    """Options and subcommands of our programs on a line of code; options alone belong to any of them."""
    words = code.split()
    program = next((p for p in PROGRAMS for w in words if re.search(rf"(^|[/:]){re.escape(p)}$", w)), None)
    if program:
        start = next(i for i, w in enumerate(words) if re.search(rf"(^|[/:]){re.escape(program)}$", w))
        sources, words = [PROGRAMS[program]], words[start + 1:]
    elif code.startswith("--"):
        sources = PROGRAMS.values()
    else:
        return
    declared = set(re.findall(r'"(?:-\w,)?(--[\w-]+)"', "".join(tree.text(s) for s in sources))) | {"--", "--help", "--fix"}
    for word in words:
        option = word.split("=")[0].strip(",;)")
        if option.startswith("--") and option not in declared:
            yield option, f"no such option of {program or 'any of our programs'}"
    commands = re.findall(r'add_subcommand\("(\w+)"', tree.text(sources[0])) if program else []
    first = next(iter(words), "")
    if commands and re.fullmatch(r"[a-z]+", first) and first not in commands:
        yield first, f"no such command of {program}"


def codes(text):
    """(line number, code) of each span in backticks and each line of a fenced block; (line number, None) ends a block.
    Blocks of C++ are quoted from files that are compiled."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fence = line if fence is None else None
            yield number, None
        elif fence is not None:
            if fence != "```cpp":
                yield number, line
        else:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span


def check_names(tree, name):
    folder = ""
    for number, code in codes(tree.text(name)):
        if code is None:
            folder = ""
            continue
        found = re.match(r"( {0,2})([\w./]+)  ", code)  # a line of the picture of the tree
        if found and (folder or found.group(2).endswith("/")):
            folder = folder if found.group(1) else found.group(2).rstrip("/")
            path = f"{folder}/{found.group(2)}" if found.group(1) else found.group(2)
            if not tree.path(path):
                yield f"{name}:{number}: {path}: no such path"
            continue
        code = code.split("  #")[0]
        for word in (w for part in code.split() for w in expanded(part)):
            problem = check_word(tree, word)
            if problem:
                yield f"{name}:{number}: {word}: {problem}"
        for word, problem in check_options(tree, code.strip()):
            yield f"{name}:{number}: {word}: {problem}"
        for word in IDENTIFIER.findall(code):
            if not word.endswith("_") and not re.search(rf"\b{word}\b", tree.sources):
                yield f"{name}:{number}: {word}: nothing in the sources has this name"


def check_states(tree):
    """The table of transitions in docs/architecture.md is that of kagent/state.c."""
    steps = {tuple(step) for step in re.findall(r"\bSTEP\((\w+), (\w+), (\w+),", tree.text("kagent/state.c"))
             if step[0].isupper()}
    told = set()
    for modes, events, to in re.findall(r"^\| (`[^|]*) \| (`[A-Z][^|]*) \| `(\w+)` \|", tree.text("docs/architecture.md"), re.M):
        told |= {(mode.upper(), event, to.upper()) for mode in re.findall(r"`(\w+)`", modes)
                 for event in re.findall(r"`(\w+)`", events)}
    for step in sorted(steps ^ told):
        yield "docs/architecture.md: {}, {} -> {}: ".format(*step) + ("not told" if step in steps else "not in kagent/state.c")


def quoted(tree):
    """The file as README.md shows it: without the comment lines that every file begins with."""
    lines = tree.text(QUOTED).splitlines()
    while lines and lines[0].startswith("//"):
        del lines[0]
    return lines


def check_quote(tree, fix):
    lines = quoted(tree)
    if len(lines) > QUOTE_MAX:
        yield f"{QUOTED}: {len(lines)} lines are too many to be quoted, {QUOTE_MAX} is the most"
    text = tree.text("README.md")
    found = QUOTE.findall(text)
    if len(found) != 1:
        yield f"README.md: {len(found)} places for {QUOTED}, there must be one"
        return
    wanted = "```cpp\n" + "\n".join(lines) + "\n```\n"
    if found[0][1] == wanted:
        return
    if fix:
        (ROOT / "README.md").write_text(QUOTE.sub(lambda m: m.group(1) + wanted + m.group(3), text), encoding="utf-8")
    else:
        yield f"README.md: differs from {QUOTED}: bazel run //tests/docs:readme -- --fix"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true")
    options = parser.parse_args()
    tree = Tree()
    problems = [*check_quote(tree, options.fix), *check_states(tree)]
    for name in DOCS:
        problems += check_names(tree, name)
    print("\n".join(problems) or f"readme: {' and '.join(DOCS)} name what there is")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
