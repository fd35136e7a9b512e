#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a port costs that nobody uses: 5 s without traffic, in direct mode, and taken by an application in wait().
# One CPU and virtual time, so what is counted is all that the machine did.
. /lab/ndd.sh

SECONDS_IDLE=5

# run_ns PID...: CPU time of all threads, in ns
run_ns() {
	local pid
	for pid in "$@"; do cat /proc/"$pid"/task/*/schedstat 2>/dev/null; done | awk '{ sum += $1 } END { print sum + 0 }'
}
switches() { cat /proc/"$1"/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'; }
ticks() { awk '{ print $14 + $15 }' /proc/"$1"/stat; }
kernel_threads() { awk '/^PPid:\t2$/ { split(FILENAME, part, "/"); print part[3] }' /proc/[0-9]*/status; }
softirqs() { awk -v name="$1:" '$1 == name { for (i = 2; i <= NF; i++) sum += $i; print sum }' /proc/softirqs; }
nic_interrupts() { awk '/eth|vfio|ndd/ { sum += $2 } END { print sum + 0 }' /proc/interrupts; }

# idle NAME [PID]: 5 s, their figure, and what the kernel did
idle() {
	local name=$1 app=$2 kernel rx timer irq cpu switched used
	kernel=$(run_ns $(kernel_threads)) rx=$(softirqs NET_RX) timer=$(softirqs TIMER) irq=$(nic_interrupts)
	[ -z "$app" ] || { cpu=$(run_ns "$app") switched=$(switches "$app") used=$(ticks "$app"); }
	check ./idle_for "idle_$name" $SECONDS_IDLE
	[ -z "$app" ] || {
		cpu=$((($(run_ns "$app") - cpu) / 1000)) switched=$(($(switches "$app") - switched)) used=$(($(ticks "$app") - used))
		step "$name, $SECONDS_IDLE s: application $cpu us of CPU ($used ticks of 10 ms), $switched context switches"
	}
	step "$name, $SECONDS_IDLE s: kernel threads $((($(run_ns $(kernel_threads)) - kernel) / 1000)) us of CPU," \
		"softirqs NET_RX $(($(softirqs NET_RX) - rx)) TIMER $(($(softirqs TIMER) - timer)), interrupts of the NICs" \
		"$(($(nic_interrupts) - irq))"
	idle_cpu_us=$cpu idle_switches=$switched # for the case to judge
}

case_begin direct_mode
create_ndd0
sleep 10 # what the link's start set off: IPv6 and its neighbours
idle direct
case_end

case_begin taken_and_asleep
./hello ndd0 >/run/lab/app.out 2>&1 </dev/null &
app=$!
check wait_for 20 mode_is tunnel
check wait_for 15 pings
sleep 10
idle taken $app
check [ "$idle_cpu_us" -le 50000 ]
# a tick of the library's, of whatever length, would show; a frame for the kernel may come along
check [ "$idle_switches" -le 10 ]
check pings
kill -9 $app
back
case_end
