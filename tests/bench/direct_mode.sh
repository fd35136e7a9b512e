#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Guest instructions of kernel TCP and UDP over ndd0 in direct mode and over eth0 itself. What must hold of them stands in
# BUILD.bazel.
. /lab/tcp.sh

datagrams() { check ./kernel_load datagram "$1_datagram" 10.0.0.2 --to far --count $ROUNDS --warm-up 200; }

case_begin bare
bare
figures bare
datagrams bare
case_end

case_begin direct
direct
figures direct
datagrams direct
case_end
