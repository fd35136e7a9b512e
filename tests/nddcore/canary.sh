#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# With an identity-mapped IOMMU the in-kernel driver's bus mastering makes live whatever DMA a dead process left armed: a
# page outside its pool, which its receive ring points at, must never change.
. /lab/ndd.sh

case_begin iommu_is_passthrough
check grep -qx identity /sys/bus/pci/devices/$PORT/iommu_group/type
create_ndd0
case_end

case_begin armed_ring_and_canary 300
# within the port's domain the canary's addresses mean nothing: faults, no writes
announce 'DMAR'
./holder canary >/run/lab/canary &
canary=$!
check wait_for 5 grep -q 0x /run/lab/canary
phys=$(head -n 1 /run/lab/canary)
# broadcasts that meet every millisecond of a driver's probe; the ring lasts for 255 of them
far ping -b -i 0.001 -q 10.0.0.255 >/dev/null 2>&1 &
flood=$!
for end in KILL SEGV STOP KILL KILL; do
	hold ./holder armed $PORT "$phys"
	kill -$end $holder
	[ $end = STOP ] && kill -KILL $holder
	back
	check kill -0 $canary
done
kill $flood
check [ "$(tail -n 1 /run/lab/canary)" = "$phys" ]
kill $canary
case_end
