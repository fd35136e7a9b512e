#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What docs/architecture.md says of ndd0 and its lower, mode by mode, and no other test shows.
. /lab/vm.sh

NEAR="ip netns exec near"

take_port() { took ./pingpong server --port $PORT; }
kill_app() { kill -9 $app; back; }
# two_modes COMMAND...: it works in direct mode, in tunnel mode, and in direct mode again
two_modes() {
	check mode_is direct
	check wait_for 15 "$@"
	take_port
	check mode_is tunnel
	check wait_for 15 "$@"
	kill_app
	check wait_for 15 "$@"
}
# feature NAME [NETDEV]: on or off, of ethtool -k
feature() { ethtool -k "${2:-ndd0}" | awk -v name="$1:" '$1 == name { print $2 }'; }

# the connection of the first two cases: one octet there and back at a time
talk_moves() {
	local octets
	octets=$(cat /run/lab/talk.octets)
	check wait_for 15 eval '[ "$(cat /run/lab/talk.octets)" -gt '"$octets ]"
}

case_begin refused_creation_cuts_nothing
setup_far
check ip addr add 10.0.0.1/24 dev eth0
check ip link set eth0 up
check wait_for 15 pings
far ./tcpstream serve 5001 >/run/lab/serve.out 2>&1 </dev/null &
check wait_for 5 eval 'far ss -ltn | grep -q :5001'
./tcpstream talk 10.0.0.2 5001 --status /run/lab/talk.octets >/run/lab/talk.out 2>&1 </dev/null &
talk=$!
check wait_for 5 [ -s /run/lab/talk.octets ]
check ip route add default via 10.0.0.2
index=$(cat /sys/class/net/eth0/ifindex) flags=$(cat /sys/class/net/eth0/flags)
refuse 'carries addresses, connections over them would be cut: move them to the ndd device' \
	ip link add link eth0 name ndd0 type ndd
check ip link add link eth0 name eth0mac type macvlan mode bridge
refuse 'carries VLAN, macvlan' ip link add link eth0 name ndd0 type ndd
check ip link del eth0mac
refuse 'carries addresses' ip link add link eth0 name ndd0 type ndd
talk_moves
check [ "$(cat /sys/class/net/eth0/ifindex) $(cat /sys/class/net/eth0/flags)" = "$index $flags" ]
check [ ! -e /sys/class/net/eth0/master ]
check [ ! -e /sys/class/net/ndd0 ]
check [ ! -e /dev/ndd/$PORT ]
case_end

case_begin addresses_move_under_a_connection
# README.md's command for who came over this very port
check sh -c 'ip addr flush dev eth0; ip link add link eth0 name ndd0 type ndd &&
	ip addr add 10.0.0.1/24 dev ndd0 && ip link set ndd0 up && ip route add default via 10.0.0.2'
talk_moves
check mode_is direct
kill -TERM $talk
wait $talk || fail "the connection broke: $(tail -n 1 /run/lab/talk.out)"
step "$(tail -n 1 /run/lab/talk.out)"
check ip route del default
case_end

case_begin nothing_else_fits_on_the_lower
check ip link add br7 type bridge
# it has a master already: ndd0
refuse 'not supported' ip link set eth0 master br7
check ip link del br7
refuse 'busy' ip link add link eth0 name eth0mac type macvlan
refuse 'busy' ip link add link eth0 name eth0ip type ipvlan
check pings
case_end

case_begin xdp_on_the_lower
start_app attached ./xdp_pass eth0
check pings
refuse 'eth0 runs an XDP program: remove it' ./hello ndd0
check mode_is direct
check [ "$(driver)" = e1000e ]
kill -9 $app
check wait_for 5 gone $app
two_modes pings
case_end

case_begin lower_down
check ip link set eth0 down
check wait_for 5 eval '! carrier ndd0'
refuse 'eth0 is down: bring eth0 up first' ./hello ndd0
check mode_is direct
check ip link set eth0 up
check wait_for 15 pings
case_end

case_begin taken_without_a_link 90
check host set_link nic0 off
check wait_for 10 eval '! carrier ndd0'
take_port
check mode_is tunnel
check host set_link nic0 on
check wait_for 10 carrier ndd0
check wait_for 10 pings
kill_app
case_end

# what ethtool says in both modes
ethtool_is_honest() {
	local option
	check grep -qx 'driver: kagent' <(ethtool -i ndd0)
	check grep -qx "bus-info: $PORT" <(ethtool -i ndd0)
	check grep -q 'Speed: 1000Mb/s' <(ethtool ndd0)
	for option in -g -c -a -l -x --show-eee; do
		refuse 'not supported' ethtool $option ndd0
	done
	refuse 'not supported' ethtool -s ndd0 autoneg on
	check grep -q 'PTP Hardware Clock: none' <(ethtool -T ndd0)
}

case_begin ethtool_in_both_modes
ethtool_is_honest
check grep -q 'PTP Hardware Clock: [0-9]' <(ethtool -T eth0)
tso=$(feature tcp-segmentation-offload)
check [ "$(feature rx-gro-hw)" = off ]
check [ "$tso" = "$(feature tcp-segmentation-offload eth0)" ]
ktx=$(stat_of ktx_frames) krx=$(stat_of krx_frames)
check pings
# the tunnel's counters stand still, and there is no NIC of a process's
check [ "$(stat_of ktx_frames) $(stat_of krx_frames)" = "$ktx $krx" ]
check [ "$(stat_of nic_rx_frames)" = 0 ]
take_port
check wait_for 10 pings
ethtool_is_honest
check [ "$(stat_of ktx_frames)" -gt "$ktx" ]
check [ "$(stat_of krx_frames)" -gt "$krx" ]
check wait_for 5 eval '[ "$(stat_of nic_rx_frames)" -gt 0 ]'
check [ "$(feature tcp-segmentation-offload)" = on ]
check [ "$(feature tx-checksumming)" = on ]
check [ "$(feature rx-checksumming)" = on ]
check [ "$(feature rx-gro-hw)" = on ]
check [ "$(feature rx-vlan-offload)" = off ]
check [ "$(feature tx-vlan-offload)" = on ]
check [ "$(feature generic-segmentation-offload)" = on ]
check [ "$(feature generic-receive-offload)" = on ]
kill_app
check [ "$(feature tcp-segmentation-offload)" = "$tso" ]
check [ "$(stat_of nic_rx_frames)" = 0 ]
case_end

case_begin xdp_and_tc_on_ndd0 120
./xdp_pass ndd0 >/run/lab/xdp.out 2>&1 </dev/null &
xdp=$!
check wait_for 5 grep -q attached /run/lab/xdp.out
check tc qdisc add dev ndd0 clsact
two_modes pings
check grep -q xdpgeneric <(ip link show dev ndd0)
check tc filter add dev ndd0 egress matchall action drop
check eval '! pings'
take_port
check eval '! pings'
check tc filter del dev ndd0 egress
check wait_for 10 pings
kill_app
check tc qdisc del dev ndd0 clsact
kill $xdp
case_end

case_begin the_lower_is_another_netdev_each_time
tcpdump -Z root -i eth0 -n -l -U icmp >/run/lab/dump 2>/run/lab/dump.err </dev/null &
dump=$!
check wait_for 10 grep -q listening /run/lab/dump.err
check pings
check wait_for 5 grep -q 'echo request' /run/lab/dump
check wait_for 5 grep -q 'echo reply' /run/lab/dump
check ip link set eth0 alias 'of the administrator'
index=$(cat /sys/class/net/eth0/ifindex) own=$(cat /sys/class/net/ndd0/ifindex)
take_port
check [ ! -e /sys/class/net/eth0 ]
check wait_for 10 gone $dump
step "tcpdump on eth0: $(tail -n 1 /run/lab/dump.err)"
kill_app
check [ "$(cat /sys/class/net/ndd0/ifindex)" = $own ]
check [ "$(cat /sys/class/net/eth0/ifindex)" != $index ]
check [ -z "$(cat /sys/class/net/eth0/ifalias)" ]
case_end

case_begin a_macvlan_on_ndd0 90
check ip netns add near
check ip link add link ndd0 name mac0 type macvlan mode bridge
check ip link set mac0 netns near
check $NEAR ip addr add 10.0.0.3/24 dev mac0
check $NEAR ip link set mac0 up
two_modes $NEAR ping -c 1 -W 1 10.0.0.2
check $NEAR ip link del mac0
case_end

case_begin a_bridge_over_ndd0 90
check ip link add br0 type bridge
check ip link add veth0 type veth peer name veth1 netns near
check ip link set veth0 master br0 up
check ip addr flush dev ndd0
check ip link set ndd0 master br0
check ip addr add 10.0.0.1/24 dev br0
check ip link set br0 up
check $NEAR ip addr add 10.0.0.3/24 dev veth1
check $NEAR ip link set veth1 up
two_modes $NEAR ping -c 1 -W 1 10.0.0.2
check pings
check ip link del br0
check ip link del veth0
check ip addr add 10.0.0.1/24 dev ndd0
check wait_for 5 pings
case_end

case_begin ndd0_in_a_namespace 90
near_pings() { $NEAR ping -c 1 -W 1 10.0.0.2; }
near_mode() { [ "$($NEAR cat /sys/class/net/ndd0/ndd/mode)" = "$1" ]; }
check ip link set ndd0 netns near
check $NEAR ip addr add 10.0.0.1/24 dev ndd0
check $NEAR ip link set ndd0 up
check wait_for 15 near_pings
check near_mode direct
# by the netdev's name too: the node says it, wherever the netdev is
took ./pingpong server --port ndd0
check near_mode tunnel
check wait_for 15 near_pings
kill -9 $app
check wait_for 20 near_mode direct
check wait_for 15 near_pings
# the lower is where it was
check [ "$(lower)" = eth0 ]
check $NEAR ip link set ndd0 netns 1
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
two_modes pings
case_end

case_begin nothing_left
check wait_for 5 nothing_live
check ip link del ndd0
check rmmod nddcore
check rmmod kagent
case_end
