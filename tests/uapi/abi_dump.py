#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints ndd.h's binary interface: every struct's size and fields' offsets, every constant's value.

  abi_dump.py ndd.h          to compare with abi.golden, or to write it anew

The names come from the header's text, the numbers from the compiler, so nothing is listed by hand and
nothing can be left out.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def fields(body):
    """Names of a struct's members, in order."""
    for line in re.sub(r"/\*.*?\*/", "", body, flags=re.S).split(";"):
        if line := line.strip():
            yield re.match(r".*?(\w+)(\[[^\]]*\])*$", line, flags=re.S).group(1)


def probe(header):
    """A C program that prints the interface."""
    text = Path(header).read_text()
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    out = []
    for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\};", plain, flags=re.S | re.M):
        out.append(f'printf("struct {name} %zu\\n", sizeof(struct {name}));')
        for f in fields(body):
            member = f"((struct {name} *)0)->{f}"
            out.append(f'printf("  {f} %zu %zu\\n", offsetof(struct {name}, {f}), sizeof({member}));')
    for name in re.findall(r"^#define (NDD_\w+)[ \t]+\S", plain, flags=re.M):
        is_text = re.search(rf'^#define {name}\s+"', plain, flags=re.M)
        out.append(f'printf("{name} %s\\n", {name});' if is_text else
                   f'printf("{name} %#llx\\n", (unsigned long long){name});')
    for body in re.findall(r"^enum[^{]*\{\n(.*?)^\};", plain, flags=re.S | re.M):
        for name in re.findall(r"^\s*(\w+)", body, flags=re.M):
            out.append(f'printf("{name} %d\\n", (int){name});')
    lines = "\n".join(out)
    return ("#include <stddef.h>\n#include <stdio.h>\n#include <sys/ioctl.h>\n"
            f'#include "{Path(header).resolve()}"\nint main(void) {{\n{lines}\nreturn 0; }}\n')


def main():
    with tempfile.TemporaryDirectory() as tmp:
        source, binary = Path(tmp, "probe.c"), Path(tmp, "probe")
        source.write_text(probe(sys.argv[1]))
        subprocess.run(["gcc", "-Wall", "-Werror", "-o", binary, source], check=True)
        print("# SPDX-License-Identifier: Apache-2.0")
        print("# struct NAME size, its fields with offset and size; then constants. See abi_dump.py.", flush=True)
        sys.stdout.write(subprocess.run([binary], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
