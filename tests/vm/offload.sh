#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# In tunnel mode the process's NIC sums and cuts what ndd0 sends, out of the kernel's own pages, and says of received
# sums that they are right: by ethtool, by counters on either side, and by every octet of the streams.
. /lab/vm.sh

# feature NAME: on or off
feature() { ethtool -k ndd0 | awk -v name="$1:" '$1 == name { print $2 }'; }

# sum_errors WHERE...: wrong checksums so far, of TCP and IP
sum_errors() {
	"$@" nstat -az TcpInCsumErrors UdpInCsumErrors IpInHdrErrors IcmpInCsumErrors 2>/dev/null |
		awk 'NR > 1 { sum += $2 } END { print sum + 0 }'
}

# sent_in_segments HOST: a stream out of ndd0; several segments arrive for each frame that the kernel hands over. They are
# counted by the far NIC: QEMU's counts what it cuts as one
sent_in_segments() {
	local frames octets segments received mapped
	frames=$(stat_of ktx_frames) octets=$(stat_of ktx_octets) mapped=$(stat_of ktx_window_octets)
	segments=$(far_stat rx_packets) received=$(far_stat rx_bytes)
	check iperf3 -c "$1" -t 2
	frames=$(($(stat_of ktx_frames) - frames)) octets=$(($(stat_of ktx_octets) - octets))
	mapped=$(($(stat_of ktx_window_octets) - mapped))
	segments=$(($(far_stat rx_packets) - segments)) received=$(($(far_stat rx_bytes) - received))
	step "to $1: $octets octets in $frames frames, $mapped of them from the window; $segments segments arrived"
	check [ $segments -gt $((3 * frames)) ]
	# no segment is longer than the MTU allows, and few are shorter
	check [ $((received / segments)) -le 1522 ]
	check [ $((received / segments)) -ge 1000 ]
	check [ $mapped -gt $((octets / 4)) ]
}

case_begin setup
create_ndd0
# TCP cuts its frames short where a connection is slow, and of short frames little is whole pages
echo 16 >/proc/sys/net/ipv4/tcp_min_tso_segs
check ip addr add fd00::1/64 dev ndd0 nodad
check far ip addr add fd00::2/64 dev eth1 nodad
check ip link add link ndd0 name ndd0.5 type vlan id 5
check far ip link add link eth1 name eth1.5 type vlan id 5
check ip addr add 10.5.0.1/24 dev ndd0.5
check far ip addr add 10.5.0.2/24 dev eth1.5
check ip link set ndd0.5 up
check far ip link set eth1.5 up
far ./tcpstream serve 5001 >/run/lab/far_serve.out 2>&1 &
far iperf3 -s >/run/lab/far_iperf3.out 2>&1 &
took ./ends serve
check wait_for 10 pings
check wait_for 10 ping -c 1 -W 1 fd00::2
check wait_for 10 ping -c 1 -W 1 10.5.0.2
case_end

case_begin on_offer
for name in tx-checksumming rx-checksumming tcp-segmentation-offload tx-tcp-segmentation tx-tcp6-segmentation; do
	check [ "$(feature $name)" = on ]
done
# a NIC that repeats the header's flags in each segment must not get one that may be in the first only
check [ "$(feature tx-tcp-ecn-segmentation)" = off ]
case_end

case_begin cut_and_summed_by_the_nic 120
for host in 10.0.0.2 fd00::2 10.5.0.2; do sent_in_segments $host; done
# ... and each octet of it
check ./tcpstream send 10.0.0.2 5001 --seconds 1
check ./tcpstream send 10.5.0.2 5001 --seconds 1
check ./tcpstream receive 10.0.0.2 5001 --seconds 1
check [ "$(sum_errors far)" = 0 ]
check [ "$(sum_errors)" = 0 ]
check [ "$(stat_of ktx_window_failures)" = 0 ]
check mode_is tunnel
case_end

case_begin all_back_in_the_end
kill -9 $app
back
check ./tcpstream send 10.0.0.2 5001 --seconds 1
check wait_for 5 nothing_live
case_end
