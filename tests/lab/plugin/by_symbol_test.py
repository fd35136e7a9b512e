#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""by_symbol.py on blocks that are made up of a real program's code, as two processes at different addresses leave them."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import by_symbol  # noqa: E402

PROGRAM = sys.argv.pop()
BASES = (0x55D0_1234_5000, 0x5601_0000_7000)
LIBRARY = 0x7F00_0000_0000


class BySymbol(unittest.TestCase):
    def setUp(self):
        self.program = by_symbol.Program(PROGRAM, lines=False)
        self.main = [a for a in self.program.addresses if self.program.symbol_of[a] == "main"]
        self.others = [a for a in self.program.addresses if self.program.symbol_of[a] != "main"]

    def blocks(self):
        """One instruction each: main's twice in one process, some others' three times in another, 50 of a library's."""
        return ([(BASES[0] + a, 1, 2) for a in self.main] + [(BASES[1] + a, 1, 3) for a in self.others[:by_symbol.BLOCKS_MIN]] +
                [(LIBRARY, 5, 10)])

    def test_counts_what_ran_wherever_it_was_loaded(self):
        self.assertGreaterEqual(len(self.main), by_symbol.BLOCKS_MIN)
        blocks = self.blocks()
        bases = self.program.bases({address for address, _, _ in blocks})
        counts, elsewhere = self.program.count(bases, blocks)
        self.assertEqual(sum(counts[a] for a in self.main), 2 * len(self.main))
        self.assertEqual(sum(counts.values()), 2 * len(self.main) + 3 * by_symbol.BLOCKS_MIN)
        self.assertEqual(elsewhere, 50)

    def test_a_block_counts_each_of_its_instructions(self):
        counts, _ = self.program.count([BASES[0]], [(BASES[0] + self.main[0], 3, 7)])
        self.assertEqual([counts[a] for a in self.main[:4]], [7, 7, 7, 0])

    def test_too_little_tells_no_address(self):
        self.assertEqual(self.program.bases({BASES[0] + a for a in self.main[:by_symbol.BLOCKS_MIN - 1]}), [])

    def test_reads_records(self):
        with tempfile.NamedTemporaryFile("w", suffix=".blocks") as file:
            file.write("record\n0x10 3 4\n0x20 1 1\nrecord\n0x10 3 1\n")
            file.flush()
            self.assertEqual(by_symbol.read_records(file.name), [[(16, 3, 4), (32, 1, 1)], [(16, 3, 1)]])


if __name__ == "__main__":
    unittest.main()
