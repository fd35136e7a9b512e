#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who goes on when a port's owner ends, that the NIC notices nothing of it, and that nothing is left in the end.
. /lab/vm.sh

PASSES=50
[ -z "$lab_debug" ] || PASSES=10

# own [INTERVAL_US]: an owner that others may wait behind, $app its pid
own() {
	APP_OUT=/run/lab/own.out
	start_app '^ready' ./standby own $PORT "$@"
	owner=$app
}

# stand_by NAME [now] [deaf] [unopened]: a process that waits, its pid in $app, what it says in $NAME.out
stand_by() {
	APP_OUT=/run/lab/$1.out
	shift
	start_app '^waits' ./standby wait $PORT "$@"
}

# said NAME WORD: it is there within some seconds
said() { wait_for 10 grep -q "^$2" /run/lab/"$1".out; }

no_fail() { ! grep -h '^FAIL\|^standby:' /run/lab/*.out; }

# goes_on NAME PID REASON: the port is that process's now, and the NIC has not been touched
goes_on() {
	check said "$1" checked
	check owner_is "$2"
	check mode_is tunnel
	check [ "$(reason)" = passed ]
	check ended_is "$3"
	check [ "$(driver)" = nddcore ]
	check [ "$(phase end_quiesced)" = 0 ]
	check grep -q 1 /sys/class/net/ndd0/carrier
	check [ "$(restores)" = "$restored" ]
	check no_fail
}

# over REASON: the hold has ended so, the port is back, and nothing is left of it
over() {
	back
	check ended_is "$1"
	check waiting_is 0
	check wait_for 5 nothing_live
	check no_fail
	rm -f /run/lab/*.out
	restored=$(restores)
}

case_begin refused
create_ndd0
./standby checks $PORT >/run/lab/checks.out 2>&1 || fail "checks: status $?"
step "$(grep -c '^ok' /run/lab/checks.out) things tried"
over died
case_end

case_begin owner_killed 60
own
stand_by heir
check waiting_is 1
kill -9 $owner
goes_on heir $app died
check waiting_is 0
kill -9 $app
over died
case_end

case_begin owner_gives_back 60
own
stand_by heir
kill -USR2 $owner
goes_on heir $app given-back
kill -USR2 $app
over given-back
case_end

case_begin owner_stopped 60
own 1000000
stand_by heir
kill -STOP $owner
goes_on heir $app stopped
check gone $owner
kill -9 $app
over died
case_end

case_begin who_wants_it_now_goes_first 60
own
stand_by older now
first=$app
stand_by newer
second=$app
check waiting_is 2
kill -9 $owner
goes_on older $first died
check waiting_is 1
kill -9 $first
goes_on newer $second died
kill -9 $second
over died
case_end

case_begin the_newest_of_many 60
own
declare -A pids
for name in a b c d; do
	stand_by $name
	pids[$name]=$app
done
kill -9 $owner
goes_on d "${pids[d]}" died
check waiting_is 3
# together with the next, which may have been chosen already
kill -9 "${pids[d]}" "${pids[c]}"
goes_on b "${pids[b]}" died
kill -9 "${pids[a]}" "${pids[b]}"
over died
case_end

case_begin waiter_killed 60
own
stand_by heir
kill -9 $app
check wait_for 5 waiting_is 0
check mode_is tunnel
check owner_is $owner
kill -9 $owner
over died
case_end

case_begin never_opened_the_device 60
own
stand_by heir unopened
kill -9 $owner
check said heir over
over died
case_end

case_begin broken_ring 60
own
stand_by heir
kill -USR1 $owner
check said heir over
check wait_for 5 gone $app
over protocol
case_end

case_begin broken_after_a_pass 60
own
stand_by heir
kill -9 $owner
goes_on heir $app died
stand_by next
kill -USR1 "$(cat $NDD/owner)"
check said next over
over protocol
case_end

case_begin waiter_is_deaf 60
own
stand_by heir deaf
kill -USR1 $owner
check said heir over
check wait_for 10 gone $app
over protocol
case_end

case_begin deaf_behind_an_owner_that_lets_go 60
own
stand_by heir deaf
check eval "echo $PORT >/sys/bus/pci/drivers/nddcore/unbind"
check wait_for 10 gone $app
check gone $owner
over admin
case_end

case_begin deleted 60
own
stand_by heir
check ip link del ndd0
check said heir over
check wait_for 20 nothing_live
check wait_for 20 [ -n "$(lower)" ]
check no_fail
check wait_for 20 eval '[ "$(driver)" = e1000e ]'
check wait_for 10 eval 'ip link add link "$(lower)" name ndd0 type ndd'
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
back
rm -f /run/lab/*.out
restored=$(restores)
case_end

case_begin many_passes 300
own
pages() { echo $(($(free_kb) / 4)); }
for i in $(seq $PASSES); do
	[ "$i" != 5 ] || free=$(pages)
	stand_by heir
	kill -9 $owner
	check said heir checked
	check owner_is $app
	owner=$app
done
check no_fail
lost=$((free - $(pages)))
step "$lost pages fewer after $((PASSES - 5)) passes"
check [ $lost -lt "$(may_lack 1000)" ]
check [ "$(restores)" = "$restored" ]
kill -9 $owner
over died
case_end

case_begin unloaded
check ip link del ndd0
check wait_for 5 rmmod nddcore
check rmmod kagent
case_end
