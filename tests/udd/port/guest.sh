#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whole ports on real (emulated) hardware: application frames and the kernel's at the same time, sleeping, and the ways
# a port comes back, with the library's own examples as applications.
. /lab/ndd.sh

PEER=52:54:00:00:00:01
OUT=/run/lab/app.out

# app COMMAND...: in the background, $app its pid
app() {
	"$@" >$OUT 2>&1 </dev/null &
	app=$!
}

in_tunnel() { mode_is tunnel; }
gone() { ! kill -0 "$app" 2>/dev/null; }
cpu_ticks() { awk '{print $14 + $15}' /proc/$app/stat; }

case_begin echo_and_ping_share_the_port
create_ndd0
app ./hello ndd0
check wait_for 20 in_tunnel
check wait_for 15 pings
check all_answered 20 ping -i 0.05 10.0.0.2
# 2000 frames of the application's through AF_PACKET at the far side, while ping goes on
all_answered 100 ping -i 0.02 10.0.0.2 >/run/lab/ping.out 2>&1 &
pinger=$!
check far ./pingpong client --raw eth1 --peer 52:54:00:00:00:00 --count 2000 --window 8 --loss-timeout 10s
check wait $pinger
cat /run/lab/ping.out
case_end

case_begin idle_costs_no_cpu
before=$(cpu_ticks)
sleep 5
used=$(($(cpu_ticks) - before))
step "CPU ticks of 10 ms in 5 s of wait(): $used"
check [ $used -le 3 ]
check pings
case_end

case_begin kill_gives_the_port_back
kill -9 $app
back
cat $OUT
case_end

case_begin two_processes_on_two_ports 180
# the far side gets a port of its own
far ip addr flush dev eth1
check far ip link add link eth1 name ndd1 type ndd
check far ip addr add 10.0.0.2/24 dev ndd1
check far ip link set ndd1 up
check wait_for 15 pings
# ip becomes the program: its pid is the one to signal
app ip netns exec far ./pingpong server --port 0000:00:04.0
server=$app
check wait_for 20 far grep -q tunnel /sys/class/net/ndd1/ndd/mode
check wait_for 15 pings
ping -i 0.05 -w 20 10.0.0.2 >/run/lab/ping.out 2>&1 &
pinger=$!
check ./pingpong client --port ndd0 --peer $PEER --count 20000 --window 32
check wait_for 20 mode_is direct
kill -INT $pinger; wait $pinger
tail -n 2 /run/lab/ping.out
kill -TERM $server
check wait_for 20 far grep -q direct /sys/class/net/ndd1/ndd/mode
check wait_for 15 pings
case_end

case_begin tcp_lives_through_take_and_give_back 180
far iperf3 -s -D >/dev/null 2>&1
iperf3 -c 10.0.0.2 -t 20 -J >/run/lab/iperf.json 2>&1 &
bulk=$!
sleep 3
app ./pingpong server --port ndd0
check wait_for 20 in_tunnel
sleep 6
kill -9 $app
back
wait $bulk
check grep -q '"bits_per_second"' /run/lab/iperf.json
grep -A8 '"sum_received"' /run/lab/iperf.json | grep -E 'bytes|bits_per' | head -n 2
case_end

case_begin computing_application_keeps_the_kernel_going
app ./pingpong server --port ndd0 --compute-after 1s --compute-for 4s
check wait_for 20 in_tunnel
check wait_for 15 pings
check ping -c 50 -i 0.1 -W 1 10.0.0.2
kill -TERM $app
back
case_end

case_begin errors_are_sentences
refuse 'no port has this name' ./hello ndd7
refuse 'known ports: .*0000:00:03.0 \(ndd0\)' ./hello ndd7
app ./pingpong server --port ndd0
check wait_for 20 in_tunnel
refuse "$app" ./hello ndd0
refuse 'may not open .*chown' setpriv --reuid 1000 --clear-groups ./hello 0000:00:03.0
kill -TERM $app
back
case_end
