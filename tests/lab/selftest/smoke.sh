#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The lab itself: two ports back to back, the far one in a namespace, the line to the host.
. /lab/case.sh

case_begin ping
check setup_far eth1 10.0.0.2/24
check ip addr add 10.0.0.1/24 dev eth0
check ip link set eth0 up
check wait_for 20 carrier eth0
check ping -c 3 -i 0.2 10.0.0.2
case_end

case_begin link_follows_the_host
check host set_link nic0 off
check host set_link nic1 off
check wait_for 10 eval '! carrier eth0'
check host set_link nic0 on
check host set_link nic1 on
check wait_for 10 carrier eth0
case_end

case_begin iommu_groups
[ -d /sys/bus/pci/devices/0000:00:03.0/iommu_group ] || fail "the first NIC is in no IOMMU group"
case_end

case_begin dmesg_again
check dmesg
case_end

case_begin packaged_driver
check modinfo -F vermagic e1000e
case_end
