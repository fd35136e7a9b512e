#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where a measured program's instructions go: joins the `blocks` that a counting run keeps with the program.

    by_symbol.py BLOCKS FIGURES PROGRAM                     instructions per unit of work, by symbol
    by_symbol.py BLOCKS FIGURES PROGRAM --figure NAME       of one figure only
    by_symbol.py BLOCKS FIGURES PROGRAM --code PATTERN      the symbols that match, each instruction with its count;
                                                            with source lines if the program was built with -g

BLOCKS and FIGURES: blocks and figures.json out of the test's outputs.zip. PROGRAM: the very file that ran, not stripped.
Where it was loaded is found by trying: only there does every block begin where the program has an instruction.
"""

import argparse
import bisect
import json
import re
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

PAGE = 4096
BLOCKS_MIN = 8  # fewer could fit by chance: a quarter of all addresses begin an instruction


def read_records(path):
    """Per MARK_STOP the blocks, as (address, instructions, times)."""
    records = []
    for line in Path(path).read_text().splitlines():
        if line == "record":
            records.append([])
        else:
            records[-1].append(tuple(int(word, 0) for word in line.split()))
    return records


def objdump(program, *options):
    return subprocess.run(["objdump", *options, program], check=True, capture_output=True, text=True).stdout


class Program:
    """Its code: instruction addresses as linked, the symbol and text of each."""

    def __init__(self, path, lines):
        self.text, self.symbol_of, self.source, symbol, source = {}, {}, {}, "", []
        for line in objdump(path, "-dC", "--no-show-raw-insn", *(["-l"] if lines else [])).splitlines():
            head = re.match(r"([0-9a-f]{16}) <(.*)>:$", line)
            code = re.match(r" +([0-9a-f]+):\t(.*)", line)
            if head:
                symbol = head.group(2)
            elif code:
                address = int(code.group(1), 16)
                self.text[address], self.symbol_of[address], self.source[address] = code.group(2), symbol, source
                source = []
            elif re.match(r"\S.*:\d+", line):
                source = [line]
        self.addresses = sorted(self.text)
        self.at_offset = defaultdict(list)  # by what loading does not change
        for address in self.addresses:
            self.at_offset[address % PAGE].append(address)

    def bases(self, starts):
        """Where it was loaded, in however many processes: QEMU goes on using a translation, and its address, when the same
        page of the program is loaded elsewhere.
        """
        found = []
        while True:
            left = [s for s in starts if not any(s - base in self.text for base in found)]
            votes = Counter(s - address for s in left for address in self.at_offset[s % PAGE])
            for base, fits in votes.most_common(3):
                within = sum(self.addresses[0] <= s - base <= self.addresses[-1] for s in left)
                if fits >= BLOCKS_MIN and fits == within:
                    found.append(base)
                    break
            else:
                return found

    def count(self, bases, blocks):
        """Times each instruction was executed, and how many instructions ran elsewhere."""
        counts, elsewhere = Counter(), 0
        for address, instructions, times in blocks:
            linked = next((address - base for base in bases if address - base in self.text), None)
            if linked is None:
                elsewhere += instructions * times
                continue
            first = bisect.bisect_left(self.addresses, linked)
            for a in self.addresses[first:first + instructions]:
                counts[a] += times
        return counts, elsewhere


def show(program, counts, elsewhere, n, pattern):
    by_symbol = Counter()
    for address, times in counts.items():
        by_symbol[program.symbol_of[address]] += times
    by_symbol["(other objects and programs)"] = elsewhere
    for symbol, times in by_symbol.most_common():
        if times / n >= 0.005:
            print(f"{times / n:10.2f}  {symbol}")
    print(f"{by_symbol.total() / n:10.2f}  in all")
    shown = ""
    for address in program.addresses if pattern else []:
        symbol = program.symbol_of[address]
        if not re.search(pattern, symbol) or not by_symbol[symbol]:
            continue
        if symbol != shown:
            print(f"\n{symbol}: {by_symbol[symbol] / n:.2f}")
            shown = symbol
        for source in program.source[address]:
            print(f"            {source}")
        print(f"{counts[address] / n:10.3f}  {address:8x}  {program.text[address]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blocks")
    parser.add_argument("figures")
    parser.add_argument("program")
    parser.add_argument("--figure", help="this one only")
    parser.add_argument("--code", metavar="PATTERN", help="also show the code of symbols that match")
    args = parser.parse_args()
    program = Program(args.program, bool(args.code))
    records = read_records(args.blocks)
    bases = program.bases({address for blocks in records for address, _, _ in blocks})
    for figure, blocks in zip(json.loads(Path(args.figures).read_text()), records):
        if args.figure not in (None, figure["name"]):
            continue
        print(f"\n{figure['name']}: instructions of user's per {figure['unit']}, of {figure['n']}")
        show(program, *program.count(bases, blocks), max(figure["n"], 1), args.code)


if __name__ == "__main__":
    main()
