#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All signal pairs (pairs.sh): every path, window and size.
. /lab/pairs.sh

for path in raw xdp udp udd dpdk; do path_$path "1 8 32 128" "50 256 1458"; done
