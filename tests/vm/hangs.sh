#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An owner that hangs, in every way that one can: it is noticed, told by log, netlink and counters, and what happens then
# is the administrator's choice (nddctl create and set, --on-hang).
. /lab/vm.sh

# seen COUNTER: by how much it has grown since the case began; it may not have come yet
seen() { echo $(($(stat_of "watchdog_$1") - before[$1])); }
# so_far: what the counters are now
declare -A before
so_far() {
	local name
	for name in warnings hangs signals ends; do before[$name]=$(stat_of "watchdog_$name"); done
}
# counted WARNINGS HANGS SIGNALS ENDS: since so_far; of warnings at least as many
counted() {
	local now
	now="$(seen warnings) $(seen hangs) $(seen signals) $(seen ends)"
	echo "warnings, hangs, signals, ends: $now"
	[ "$(seen warnings)" -ge "$1" ] && [ "${now#* }" = "$2 $3 $4" ]
}
up_ms() { awk '{ print int($1 * 1000) }' /proc/uptime; }
saw() { [ "$(seen "$1")" -ge "$2" ]; }
told() { dmesg | grep -qE "kagent: $PORT: $*"; }
# ends_deaf HOW...: an application that ignores SIGABRT
ends_deaf() { took bash -c 'trap "" ABRT; exec "$@"' - ./ends "$@"; }

# over REASON: the hold ended so, and nobody but the in-kernel driver has the port
over() {
	back
	check ended_is "$1"
	check wait_for 5 gone $app
}

case_begin killed_unless_said_otherwise 180
create_ndd0
check [ "$(cat $NDD/on_hang)" = kill ]
for how in spin deadlock fault; do
	so_far
	took ./ends $how
	over watchdog
	step "$how: silent for $(phase_ms take_started end_noticed) ms since the start, with 300 ms of service"
	check counted 1 1 0 1
done
case_end

case_begin bad_input
refuse 'on-hang' ./nddctl set ndd0 --on-hang pardon
refuse 'change ndd0 .*out of range' ./nddctl set ndd0 --hang-grace 0
refuse 'change ndd0 .*more than a minute' ./nddctl set ndd0 --hang-grace 60001
refuse 'change ndd9 .*No such device' ./nddctl set ndd9 --on-hang report
refuse 'Operation not permitted' setpriv --reuid=1000 --clear-groups ./nddctl set ndd0 --on-hang report
check [ "$(cat $NDD/on_hang)" = kill ]
case_end

case_begin a_signal_ends_it 120
check ./nddctl set ndd0 --on-hang signal --hang-grace 60000
check [ "$(cat $NDD/on_hang)" = 'signal 60000' ]
check eval './nddctl list | grep "on hang: signal"'
so_far
took ./ends spin
pid=$app
over died
check counted 1 1 1 0
check told "process $pid hangs .watchdog.; it gets SIGABRT"
case_end

case_begin a_signal_is_ignored 120
check ./nddctl set ndd0 --hang-grace $((700 * lab_slow))
so_far
ends_deaf spin
check wait_for 20 saw signals 1
signalled=$(up_ms)
over watchdog
ms=$(($(phase end_noticed) / 1000 - signalled))
step "killed $ms ms after the signal was seen, of a grace of $((700 * lab_slow))"
check [ $ms -lt $((700 * lab_slow + 1000)) ]
check counted 1 1 1 1
case_end

case_begin a_signal_and_it_goes_on 120
check ./nddctl set ndd0 --hang-grace 60000
so_far
ends_deaf serve
kill -STOP $app
check wait_for 20 saw signals 1
kill -CONT $app
check wait_for 10 pings
sleep 3
check owner_is $app
check mode_is tunnel
check counted 1 1 1 0
kill -9 $app
over died
case_end

case_begin only_reported 120
check ./nddctl set ndd0 --on-hang report
check [ "$(cat $NDD/on_hang)" = report ]
./nddctl watch >/run/lab/watch.out 2>&1 </dev/null &
watch=$!
so_far
took ./ends spin
check wait_for 20 saw hangs 1
sleep 3
# once, however long it lasts
check counted 1 1 0 0
check owner_is $app
check mode_is tunnel
check told "process $app hangs .watchdog.; it keeps the port"
check grep -q "hangs: nobody serviced the port.*only reported .pid $app." /run/lab/watch.out
kill $watch
# who has second thoughts says so
check ./nddctl set ndd0 --on-hang kill
over watchdog
check counted 1 1 0 1
case_end

case_begin reported_each_time 120
check ./nddctl set ndd0 --on-hang report
so_far
took ./ends serve
for i in 1 2; do
	kill -STOP $app
	check wait_for 20 saw hangs $i
	check told "process $app hangs .stopped."
	kill -CONT $app
	check wait_for 10 pings
done
check counted 2 2 0 0
check owner_is $app
kill -9 $app
over died
check ./nddctl set ndd0 --on-hang kill
case_end

# The hog leaves to others of its CPU what the scheduler insists on: 50 ms in a second. There is work for who sleeps.
case_begin a_realtime_hog_on_its_cpu 120
so_far
took taskset -c 1 ./ends serve ndd0 0 200
chrt -f 50 taskset -c 1 bash -c 'while :; do :; done' &
hog=$!
ping -q -i 0.05 10.0.0.2 >/dev/null 2>&1 </dev/null &
pinger=$!
check wait_for 20 mode_is direct
check ended_is watchdog
check wait_for 5 pings
kill $hog $pinger
check wait_for 5 gone $app
check counted 1 1 0 1
case_end

# The process serves well; what it gives to the NIC is never sent.
case_begin a_nic_that_is_silent 120
so_far
took ./ends mute
pid=$app
ping -q -i 0.05 10.0.0.2 >/dev/null 2>&1 </dev/null &
pinger=$!
check wait_for 30 gone $pid
over stalled
check counted 1 1 0 1
check wait_for 5 pings
kill $pinger
step "noticed $(phase_ms take_started end_noticed) ms after the start, with 300 ms of service"
case_end

case_begin nothing_left
check wait_for 5 nothing_live
check ip link del ndd0
check wait_for 5 rmmod nddcore
check rmmod kagent
case_end
