#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Guest instructions of a signal pair: 50 octets there and back, both ends in one thread, over two NICs back to back.
# The counts are the plugin's; what must hold of them stands in BUILD.bazel.
. /lab/ndd.sh

# pairs WINDOW PATH...: one figure
pairs() {
	local window=$1
	shift
	check ./pingpong client "$@" --window "$window" --count 5120 --warm-up 1024 --no-latency
}

case_begin kernel_udp
setup_far
check ip addr add 10.0.0.1/24 dev eth0
check ip link set eth0 up
check wait_for 15 pings
for window in 1 32; do pairs $window --udp 10.0.0.2 --both far; done
check ip addr flush dev eth0
check far ip addr flush dev eth1
case_end

case_begin udd
check ip link add link eth0 name ndd0 type ndd
check ip link set ndd0 up
check far ip link add link eth1 name ndd1 type ndd
check far ip link set ndd1 up
for window in 1 32; do
	pairs $window --port $PORT --both 0000:00:04.0
	check wait_for 20 mode_is direct
	check wait_for 20 far grep -q direct /sys/class/net/ndd1/ndd/mode
done
case_end
