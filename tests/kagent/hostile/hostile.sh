#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Processes that break the rules of the tunnel in every way they can while frames flow. Each time: the hold ends with the
# reason it should, or lives on as designed; the counters tell; ndd0 is back, pings, and nothing of the hold is left.
. /lab/vm.sh

# settled REASON: the last hold ended so, the port is back, and all its memory is free
settled() {
	back
	check ended_is "$1"
	check wait_for 5 nothing_live
}

# done_well: the program in the background has tried everything, and nothing has failed
done_well() {
	wait_for 40 grep -qE '^done' $APP_OUT
	grep -E '^FAIL|^hostile:' $APP_OUT && fail "$(grep -E '^FAIL|^hostile:' $APP_OUT | head -n 3)"
	check grep -q '^done' $APP_OUT
	step "$(grep -c '^ok' $APP_OUT) things tried"
}

# killed WHAT: it ends within the time in which it would complain
killed() {
	check wait_for 10 gone $app
	grep '^FAIL' $APP_OUT && fail "$1: $(grep '^FAIL' $APP_OUT | head -n 1)"
}

case_begin far_side_sends
create_ndd0
check wait_for 5 nothing_live
# for the whole time: from the far side, and to it
far ping -q -i 0.02 10.0.0.1 >/dev/null 2>&1 </dev/null &
disown
ping -q -i 0.02 10.0.0.2 >/dev/null 2>&1 </dev/null &
disown
case_end

for index in 'krx ahead' 'krx behind' 'krx_free ahead' 'ktx ahead' 'ktx behind' 'ktx_done ahead'; do
	case_begin "index_${index/ /_}"
	took ./hostile index $index $PORT
	killed "index $index"
	settled protocol
	ring=${index% *}
	check eval "dmesg | tail -n 40 | grep -q 'process $app broke the rules of ring ${ring^^}:'"
	case_end
done

case_begin descriptors
# a way out that can neither segment nor sum
check ip link add out type dummy
check ip addr add 10.9.0.1/24 dev out
check ethtool -K out tso off tx off sg off
check ip link set out up
check ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:09 dev out
check sysctl -q net.ipv4.ip_forward=1
took ./hostile descriptors $PORT
done_well
check mode_is tunnel
check wait_for 5 pings
step "$(grep -E "random|cut into" $APP_OUT)"
routed=$(cat /sys/class/net/out/statistics/tx_packets)
step "routed and segmented: $routed"
check [ "$routed" -gt 1000 ]
check sysctl -q net.ipv4.ip_forward=0
kill -9 $app
settled died
case_end

case_begin exchange
took ./hostile exchange $PORT
done_well
check mode_is tunnel
check wait_for 5 pings
step "$(grep -E "rewritten" $APP_OUT)"
step "$(ethtool -S ndd0 | grep -E 'krx_(zero|copied|looks|with)' | tr -s '\n ' ' ')"
kill -9 $app
settled died
case_end

case_begin health
took ./hostile health $PORT
killed health
settled watchdog
case_end

for way in ktx kept garbage; do
	case_begin stall_$way
	echo 1000 >/sys/module/kagent/parameters/stall_ms
	took ./hostile stall $way $PORT
	killed "stall $way"
	echo 5000 >/sys/module/kagent/parameters/stall_ms
	settled stalled
	case_end
done

case_begin calls
took ./hostile calls $PORT
done_well
check mode_is tunnel
check wait_for 5 pings
kill -9 $app
settled given-back
case_end

case_begin pointers
check ./hostile pointers $PORT
settled take-failed
case_end

case_begin races
check ./hostile races $PORT
settled died
case_end

case_begin after_close
took ./hostile closed $PORT
check wait_for 10 grep -q closed $APP_OUT
back
check ended_is died
check [ "$(cat /sys/module/kagent/parameters/live_sessions)" = 1 ] # its mappings
kill -USR1 $app
check wait_for 10 grep -q again $APP_OUT
grep '^FAIL' $APP_OUT && fail "$(grep '^FAIL' $APP_OUT | head -n 3)"
check mode_is tunnel
check wait_for 5 pings
kill -9 $app
settled died
case_end

case_begin flipping_entries
took ./flipper entries
nap 3
check mode_is tunnel
check ip link set ndd0 promisc on
check ip link set ndd0 promisc off
step "$(ethtool -S ndd0 | grep -E 'k.x_(frames|drop)' | grep -v ' 0$' | tr -d '\n')"
check kill -9 $app
settled died
case_end

case_begin flipping_indices
took ./flipper indices
killed flipping
settled protocol
case_end
