#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# abi_test.sh DUMP HEADER GOLDEN: the UAPI header is what it was. A change needs a new NDD_API_MINOR, or a feature
# bit, and the golden file in the same commit.
set -u
if ! diff -u "$3" <("$1" "$2"); then
	echo "ndd.h changed: applications built before may break. If it is meant, step NDD_API_MINOR (or add a feature"
	echo "bit) and write $3 anew: tests/uapi/abi_dump.py kagent/include/uapi/linux/ndd.h > tests/uapi/abi.golden"
	exit 1
fi
