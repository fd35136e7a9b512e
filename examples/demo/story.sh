#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo's story, told in a guest with two 82574L ports back to back: eth0 is the port that the application takes, eth1
# in namespace `far` is the peer with its in-kernel driver. Each chapter is a case: what it says, it has seen.
. /lab/case.sh

PORT=0000:00:03.0
SYS=/sys/class/net/ndd0/ndd
RUN=/run/demo
mkdir -p $RUN

say() { printf '| %s\n' "$*"; }
title() { printf '|\n| == %s\n' "$*"; }
show() { say "\$ $*"; "$@" 2>&1 | sed 's/^/|     /'; }

pings() { ping -c 1 -W 1 10.0.0.2; }
mode_is() { [ "$(cat $SYS/mode)" = "$1" ]; }
# serves PID: it has the port, and nobody is on the way to or from it
serves() { mode_is tunnel && [ "$(cat $SYS/owner)" = "$1" ]; }
driver() { basename "$(readlink -f /sys/bus/pci/devices/$PORT/driver)"; }
who() { say "mode $(cat $SYS/mode), owner $(cat $SYS/owner), driver of $PORT: $(driver)"; }
octets() { cat $RUN/"$1" 2>/dev/null || echo 0; }

# tcp_moves: both connections of chapter 1 carry octets now; says how many since the last time
out_then=0 in_then=0
tcp_moves() {
	local i out in
	for i in $(seq 100); do
		out=$(octets out) in=$(octets in)
		[ "$out" -gt "$out_then" ] && [ "$in" -gt "$in_then" ] && break
		sleep 0.1
	done
	if [ "$out" -gt "$out_then" ] && [ "$in" -gt "$in_then" ]; then
		say "the TCP connections of chapter 1 go on: $((out - out_then)) octets out and $((in - in_then)) in since the last look"
		out_then=$out in_then=$in
	else
		fail "the TCP connections of chapter 1 stand still"
	fi
}

# take_port OPTIONS...: pingpong takes the port, $app its pid
take_port() {
	: >$RUN/app
	./pingpong client --port ndd0 --peer "$FAR_MAC" --rate 2000 --blocking --progress 1s "$@" >$RUN/app 2>&1 </dev/null &
	app=$!
	check wait_for 15 serves $app
	who
}

# uptime_ms: what the kernel's phases are measured in, to 10 ms
uptime_ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }

# the_way_back END PINGED: milliseconds from the end (the signal, or when the program began to misbehave) to each phase
the_way_back() {
	awk -v end="$1" -v pinged="$2" '
		{ at[$1] = $2 / 1e6 - end }
		END { printf "after the end: noticed %d ms, NIC quiesced %d ms, in-kernel driver bound %d ms, ", \
			at["end_noticed"], at["end_quiesced"], at["end_probed"]
		      printf "up %d ms, link %d ms, first ping %d ms\n", at["end_up"], at["end_link"], pinged - end }' $SYS/phases
}

# back_again END: after an end at uptime END the in-kernel driver serves; what the way back took, by phase
back_again() {
	local pinged
	check wait_for 20 mode_is direct
	check wait_for 15 pings
	pinged=$(uptime_ms)
	wait "$app" 2>/dev/null
	who
	say "reason: $(cat $SYS/ended)"
	say "$(the_way_back "$1" "$pinged")"
	tcp_moves
}

case_begin 1_direct_mode
title "1. An ordinary port: the in-kernel driver, and ndd0 on top of it"
FAR_MAC=$(cat /sys/class/net/eth1/address)
setup_far
show ip link add link eth0 name ndd0 type ndd
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
check wait_for 15 pings
show ip -br addr show dev ndd0
show ping -c 3 -i 0.2 10.0.0.2
far ./tcpstream serve 7000 >$RUN/serve 2>&1 </dev/null &
sleep 0.5
./tcpstream send 10.0.0.2 7000 --rate 500000 --status $RUN/out >$RUN/send.end 2>&1 </dev/null &
sender=$!
./tcpstream receive 10.0.0.2 7000 --rate 500000 --status $RUN/in >$RUN/receive.end 2>&1 </dev/null &
receiver=$!
sleep 1
tcp_moves
case_end

case_begin 2_take
title "2. An application takes the port"
who
far ./pingpong server --raw eth1 --blocking >$RUN/far 2>&1 </dev/null &
server=$!
take_port
case_end

case_begin 3_side_by_side
title "3. Both at once: 50-octet messages of EtherType 0x88b5, and the kernel's traffic through the tunnel"
sleep 4
check wait_for 15 grep -q "[1-9][0-9]* pairs/s" $RUN/app
say "the application: $(tail -n 1 $RUN/app)"
tcp_moves
show ping -c 3 -i 0.2 10.0.0.2
check pings
show ./tcpstream talk 10.0.0.2 7000 --seconds 1
say "\$ tcpdump -i ndd0 -c 3 (no frame of the application's among them)"
timeout 10 tcpdump -nq -i ndd0 -c 3 2>/dev/null | cut -c1-100 | sed 's/^/|     /'
[ "$(timeout 2 tcpdump -nq -i ndd0 ether proto 0x88b5 2>/dev/null | wc -l)" = 0 ] || fail "tcpdump saw the application's frames"
show ip -s link show dev ndd0
case_end

case_begin 4_kill
title "4. kill -9"
end=$(uptime_ms)
kill -9 $app
back_again $end
case_end

case_begin 5a_stopped
title "5a. The process is stopped (SIGSTOP): the watchdog acts"
take_port
end=$(uptime_ms)
kill -STOP $app
back_again $end
case_end

case_begin 5b_deadline
title "5b. The application spins past its deadline of a second"
take_port --app-deadline 1s --hang-after ${lab_slow}s
sleep $((lab_slow - 1)).5
end=$(uptime_ms) # it hangs from half a second on
back_again $end
case_end

case_begin 5c_computes
title "5c. It computes for a second without polling, without a deadline: the kernel's TCP goes on meanwhile"
take_port --compute-after 1s --compute-for 1s
sleep 1.2
show ./tcpstream talk 10.0.0.2 7000 --seconds 0.6
tcp_moves
check mode_is tunnel
end=$(uptime_ms)
kill $app
back_again $end
case_end

# carries_on END: the keeper has the port after an end at uptime END, and the NIC was left as it was
carries_on() {
	local pinged
	check wait_for 10 serves $keeper
	check wait_for 5 pings
	pinged=$(uptime_ms)
	who
	say "after the end: passed on $(awk -v end="$1" '$1 == "end_passed" { printf "%d", $2 / 1e6 - end }' $SYS/phases) ms, first ping $((pinged - $1)) ms"
	tcp_moves
}

case_begin 6_keeper
title "6. kill -9 with ndd-keeper behind the application: it goes on, without the in-kernel driver and without a reset"
restores=$(dmesg | grep -c "tunnel -> restoring")
./ndd-keeper ndd0 >$RUN/keeper 2>&1 </dev/null &
keeper=$!
take_port
check wait_for 10 grep -q "waits behind" $RUN/keeper
end=$(uptime_ms)
kill -9 $app
carries_on $end
say "the next version of the application has it from the keeper, and is killed, too"
take_port
check wait_for 10 eval '[ "$(cat $SYS/waiting)" = 1 ]'
end=$(uptime_ms)
kill -9 $app
carries_on $end
check [ "$(dmesg | grep -c "tunnel -> restoring")" = "$restores" ]
say "and without the keeper, as in chapter 4:"
end=$(uptime_ms)
kill -9 $keeper
app=$keeper
back_again $end
case_end

case_begin 7_nothing_lost
title "The end: nothing was lost"
kill $sender $receiver
wait $sender || fail "the connection outward broke: $(cat $RUN/send.end)"
wait $receiver || fail "the connection inward broke: $(cat $RUN/receive.end)"
say "$(cat $RUN/send.end)"
say "$(cat $RUN/receive.end)"
kill $server
[ $lab_result = PASS ] && say "One port, two drivers, seven ends, no connection lost."
case_end
