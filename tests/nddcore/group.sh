#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two NICs in one IOMMU group: refused before anything is unbound, naming the other.
. /lab/case.sh

case_begin not_viable
port=$(basename "$(readlink /sys/class/net/eth0/device)")
other=$(basename "$(readlink /sys/class/net/eth1/device)")
setup_far
check ip link add link eth0 name ndd0 type ndd
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
check wait_for 15 ping -c 1 -W 1 10.0.0.2
refuse "not viable.*$other \(e1000e\)" ./holder take "$port"
check grep -q direct /sys/class/net/ndd0/ndd/mode
check [ "$(basename "$(readlink /sys/bus/pci/devices/$port/driver)")" = e1000e ]
check ping -c 1 -W 1 10.0.0.2
case_end
