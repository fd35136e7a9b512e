#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Through the tunnel no checksum is ever wrong: TCP, UDP and ICMP, in fragments too, both ways, over IPv4 and IPv6, plain
# and in a VLAN, at MTUs from 68 to 9000; with and without segmentation and merging. Judged by both kernels' and the
# far NIC's counters, and by the octets. SECONDS_EACH: how long iperf3 runs.
. /lab/zerocopy.sh
SECONDS_EACH=${SECONDS_EACH:-1}

# set_mtu MTU: on both ends. IPv6 goes below 1280 and comes back without its addresses.
set_mtu() {
	check ip link set ndd0 mtu "$1"
	check far ip link set eth1 mtu "$1"
	ip link set ndd0.5 mtu "$1"
	far ip link set eth1.5 mtu "$1"
	[ "$1" -lt 1280 ] && return
	ip -6 addr replace fd00::1/64 dev ndd0 nodad
	ip -6 addr replace fd00:5::1/64 dev ndd0.5 nodad
	far ip -6 addr replace fd00::2/64 dev eth1 nodad
	far ip -6 addr replace fd00:5::2/64 dev eth1.5 nodad
}

# bulk HOST [UDP_OCTETS RATE PING_OCTETS]: TCP both ways at the same time; UDP in fragments; ping in more of them
bulk() {
	check iperf3 -c "$1" -t $SECONDS_EACH --bidir
	check iperf3 -c "$1" -t $SECONDS_EACH -u -l "${2:-8000}" -b "${3:-8M}" --bidir
	check all_answered 5 ping -i 0.02 -s "${4:-30000}" "$1"
}

serve_far() {
	server iperf far iperf3 -s
	server shapes far ./tcpshapes serve 5001
	check wait_for 10 ready far 5201
	check wait_for 10 ready far 5001
}

case_begin setup
create_ndd0
check ip link add link ndd0 name ndd0.5 type vlan id 5
check far ip link add link eth1 name eth1.5 type vlan id 5
check ip addr add 10.5.0.1/24 dev ndd0.5
check far ip addr add 10.5.0.2/24 dev eth1.5
check ip link set ndd0.5 up
check far ip link set eth1.5 up
# each case is measured by itself
far sysctl -qw net.ipv4.tcp_no_metrics_save=1
sysctl -qw net.ipv4.tcp_no_metrics_save=1
serve_far
serve_port
set_mtu 1500
check wait_for 10 ping -c 1 -W 1 fd00::2
check wait_for 10 ping -c 1 -W 1 10.5.0.2
case_end

for mtu in 1500 4000 9000; do
	case_begin tcp_udp_and_icmp_at_mtu_$mtu 240
	set_mtu $mtu
	case ${EVERY_HOST:-no}.$mtu in
	yes.*) hosts="10.0.0.2 fd00::2 10.5.0.2 fd00:5::2" ;;
	no.4000) hosts="10.5.0.2 fd00::2" ;;
	*) hosts="10.0.0.2 fd00:5::2" ;;
	esac
	for host in $hosts; do
		check wait_for 5 ping -c 1 -W 1 $host
		bulk $host
		check shapes here $host 5001 500000 2
	done
	check no_damage
	check mode_is tunnel
	case_end
done

case_begin one_way_at_a_time_without_merging_and_segmentation 240
set_mtu 1500
for off in 'gro off rx-gro-hw off' 'gso off tso off' 'sg off'; do
	check ethtool -K ndd0 $off
	check iperf3 -c 10.0.0.2 -t $SECONDS_EACH
	check iperf3 -c 10.0.0.2 -t $SECONDS_EACH -R
	check shapes here 10.0.0.2 5001 500000 2
done
check ethtool -K ndd0 gro on rx-gro-hw on sg on tso on gso on
check no_damage
case_end

case_begin tcp_udp_and_icmp_at_mtu_576 240
set_mtu 576
for host in 10.0.0.2 10.5.0.2; do
	bulk $host
	check shapes here $host 5001 200000 2
done
check no_damage
case_end

# The smallest segment that Linux sends does not fit: IPv4 cuts it, if not forbidden to.
case_begin tcp_udp_and_icmp_at_mtu_68 240
stop iperf shapes
sysctl -qw net.ipv4.ip_no_pmtu_disc=1
far sysctl -qw net.ipv4.ip_no_pmtu_disc=1
serve_far
set_mtu 68
check wait_for 5 pings
bulk 10.0.0.2 400 400K 400
check shapes here 10.0.0.2 5001 20000 2
check no_damage
end_app
case_end
