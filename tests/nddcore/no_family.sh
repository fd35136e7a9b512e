#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A NIC that no family knows: direct mode works, a take is refused before anything is unbound.
. /lab/case.sh

case_begin refused
setup_far
check ip link add link eth0 name ndd0 type ndd
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
check wait_for 15 ping -c 1 -W 1 10.0.0.2
refuse '10ec:8139.*no NIC family' ./holder take 0000:00:03.0
check grep -q direct /sys/class/net/ndd0/ndd/mode
check ping -c 1 -W 1 10.0.0.2
case_end
