#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An application exchanges messages at full speed while a TCP stream runs through the same two ports' tunnels.
#
# The application's thread serves the tunnel, too, so all user instructions are taken, those of the tunnel's service and of
# the two TCP programs included (these move 128 KiB a system call, and do nothing else). What the stream alone takes of
# them is a figure of its own, for each of its segments; what is above both is what the application pays for sharing.
# BUILD.bazel says how much that may be. The kernel's part of the stream is tunnel_tcp's to show.
. /lab/tcp.sh

PAIRS=200000
SEGMENTS=60000 # of TCP alone, after as many
WARM_UP=800000 # until the stream has come back from the take, a quarter of a virtual second after it

# exchange NAME WARM_UP
exchange() {
	./many_ports "$1" --pair $PORT $FAR_PORT --warm-up "$2" --count $PAIRS >/run/lab/exchange.out 2>&1 </dev/null
}
received() { far cat /sys/class/net/ndd1/statistics/rx_bytes; }
both_taken() { mode_is tunnel && far grep -q tunnel /sys/class/net/ndd1/ndd/mode; }
both_direct() { mode_is direct && far grep -q direct /sys/class/net/ndd1/ndd/mode; }

# rate: kilooctets a virtual second through the tunnel, over half a second; nothing if the ports were given back meanwhile
rate() {
	local octets time
	octets=$(received) time=$(date +%s%N)
	sleep 0.5
	octets=$(($(received) - octets)) time=$(($(date +%s%N) - time))
	! both_taken || echo $((octets * 1000000 / time))
}

flows() {
	local before
	before=$(received)
	check wait_for 10 eval '[ $(received) -gt $((before + 1000000)) ]'
}
flow() {
	./kernel_load flow 10.0.0.2 --to far >/run/lab/flow.out 2>&1 </dev/null &
	flow=$!
	flows
}
end_flow() {
	kill -TERM $flow
	wait $flow
}

case_begin alone
bare
direct
far ip addr flush dev eth1
check far ip link add link eth1 name ndd1 type ndd
check far ip addr add 10.0.0.2/24 dev ndd1
check far ip link set ndd1 up
check far ip neigh replace 10.0.0.1 lladdr $LOCAL_MAC nud permanent dev ndd1
check wait_for 15 pings
check exchange mixed_alone $PAIRS
cat /run/lab/exchange.out
check wait_for 20 both_direct
case_end

case_begin tcp_alone
flow
./tunnel_server poll $PORT $FAR_PORT >/run/lab/server.out 2>&1 </dev/null &
server=$!
check wait_for 20 both_taken
flows
alone=$(rate)
step "TCP alone, both ports served by a poller: $alone kB/s of virtual time"
kill -TERM $server
wait $server || fail "tunnel_server: $(cat /run/lab/server.out)"
check wait_for 20 both_direct
check ./tunnel_server mixed_tcp_alone $SEGMENTS $PORT $FAR_PORT >/run/lab/server.out 2>&1 </dev/null
cat /run/lab/server.out
check wait_for 20 both_direct
case_end

case_begin both
exchange mixed_with_tcp $WARM_UP &
application=$!
check wait_for 20 both_taken
flows
share=$(rate)
step "TCP beside the application: $share kB/s of virtual time"
wait $application # a receive ring that both fill while the one CPU is somebody else's overruns: 3, some were lost
check [ $? = 0 -o $? = 3 ]
cat /run/lab/exchange.out
end_flow
check [ -n "$share" ]
check [ "${share:-0}" -ge $((alone / 4)) ] # three programs want the one CPU
case_end
