#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Guest instructions of a signal pair: 50 octets there and back, both ends in one thread, over two NICs back to back.
# The counts are the plugin's; what must hold of them stands in BUILD.bazel.
. /lab/ndd.sh

# pairs WINDOW COUNT PATH...: one figure
pairs() {
	local window=$1 count=$2
	shift 2
	check ./pingpong client "$@" --window "$window" --count "$count" --warm-up 1024 --no-latency
}

both_direct() { mode_is direct && far grep -q direct /sys/class/net/ndd1/ndd/mode; }

case_begin kernel_udp
setup_far
check ip addr add 10.0.0.1/24 dev eth0
check ip link set eth0 up
check wait_for 15 pings
for window in 1 32; do pairs $window 5120 --udp 10.0.0.2 --both far; done
check ip addr flush dev eth0
check far ip addr flush dev eth1
case_end

case_begin udd
check ip link add link eth0 name ndd0 type ndd
check ip link set ndd0 up
check far ip link add link eth1 name ndd1 type ndd
check far ip link set ndd1 up
for window in 1 32; do
	pairs $window 5120 --port $PORT --both 0000:00:04.0
	check wait_for 20 both_direct
done
# without the backup thread's tick, and so few pairs that 0.00 a pair is none at all
pairs 32 96 --port $PORT --both 0000:00:04.0 --no-backup
case_end
