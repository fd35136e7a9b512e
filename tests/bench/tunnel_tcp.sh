#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Guest instructions of kernel TCP over one port: by the in-kernel driver alone, through ndd0 in direct mode, and through
# the process that has taken the port. Both ends' work is in each figure. The counts are the plugin's; what must hold of
# them stands in BUILD.bazel.
. /lab/tcp.sh

case_begin bare
bare
figures bare
case_end

case_begin direct
direct
figures direct
case_end

case_begin tunnel
tunnel poll
step "ndd0: $(ethtool -k ndd0 | sed -n 's/^\(tcp-seg\|generic-receive\|rx-gro-hw\|rx-checksum\|tx-checksumming\)/\1/p' | xargs)"
figures tunnel
end_tunnel
case_end
