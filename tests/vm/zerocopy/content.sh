#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is delivered does not change afterwards, whoever keeps it: clones of packet sockets, pipes, delay queues, bridges,
# NAT. And what is sent is what the sender wrote, in whatever way: TCP in random pieces by every call that Linux has.
# OCTETS: of each connection of tcpshapes.
. /lab/zerocopy.sh
OCTETS=${OCTETS:-400000}

behind() { ip netns exec behind "$@"; }

case_begin setup 300
create_ndd0
ip -6 addr add fd00::1/64 dev ndd0 nodad
far ip -6 addr add fd00::2/64 dev eth1 nodad
server shapes_far far ./tcpshapes serve 5001
server shapes_here ./tcpshapes serve 5001
# a single page goes through the window: random pieces seldom have more in a row
check ethtool --set-tunable ndd0 tx-copybreak 4096
serve_port
check wait_for 10 ping -c 1 -W 1 fd00::2
check wait_for 10 ready far 5001
step "seed $SEED"
case_end

case_begin random_pieces_by_every_call_both_ways 300
check shapes here 10.0.0.2 5001 $OCTETS 3
check shapes here fd00::2 5001 $OCTETS 3
check shapes far 10.0.0.1 5001 $OCTETS 3
check no_damage
step "$(stat_of krx_zero_copy) frames received without copying, $(stat_of ktx_window_octets) octets sent so"
check [ "$(stat_of krx_zero_copy)" -gt 100 ]
case_end

# stream_both_ways SECONDS: tcpstream with far's port 5002, each way at full speed
stream_both_ways() {
	local sender status=0
	./tcpstream send 10.0.0.2 5002 --seconds "$1" >/run/lab/stream_send.out 2>&1 </dev/null &
	sender=$!
	./tcpstream receive 10.0.0.2 5002 --seconds "$1" || status=1
	wait $sender || status=1
	cat /run/lab/stream_send.out
	return $status
}

case_begin clones_of_packet_sockets_stay_as_delivered 300
server stream far ./tcpstream serve 5002
check wait_for 10 ready far 5002
server dump tcpdump -Z root -i ndd0 -s 0 -B 32768 -w /tmp/dump.pcap 'tcp port 5002'
server hoard ./hoard ndd0 32 /tmp/early.pcap /tmp/late.pcap
check wait_for 10 grep -q listening /run/lab/dump.out
check wait_for 10 grep -q hoarding /run/lab/hoard.out
check stream_both_ways 2
kill -INT "${server_pid[dump]}"
check wait_for 10 gone "${server_pid[dump]}"
# everything that could overwrite what the sockets still hold
check stream_both_ways 2
step "$(stat_of ktx_window_octets) octets sent without copying"
# on the debug kernel no frame becomes large enough for it in that time
[ -n "$lab_debug" ] || check [ "$(stat_of ktx_window_octets)" -gt 0 ]
check shapes here 10.0.0.2 5001 $OCTETS 2
kill -USR1 "${server_pid[hoard]}"
check wait_for 30 gone "${server_pid[hoard]}"
cat /run/lab/hoard.out
for file in dump early late; do
	check ./capcheck /tmp/$file.pcap 5002 50000
	step "$file: $(tail -n 1 /run/lab/check.out)"
done
rm -f /tmp/*.pcap
stop stream
case_end

case_begin clones_outlive_the_process 300
server stream far ./tcpstream serve 5003
check wait_for 10 ready far 5003
server hoard ./hoard ndd0 32 /tmp/late.pcap
check wait_for 10 grep -q hoarding /run/lab/hoard.out
./tcpstream send 10.0.0.2 5003 --seconds 2 >/run/lab/out.out 2>&1 </dev/null &
sender=$!
check ./tcpstream receive 10.0.0.2 5003 --seconds 1
kill -9 $app
check wait $sender
back
serve_port
check shapes here 10.0.0.2 5001 $OCTETS 2
kill -USR1 "${server_pid[hoard]}"
check wait_for 30 gone "${server_pid[hoard]}"
# octets each way; the debug kernel receives fewer in that second
enough=50000
[ -z "$lab_debug" ] || enough=20000
check ./capcheck /tmp/late.pcap 5003 $enough
rm -f /tmp/late.pcap
stop stream
case_end

# Behind ndd0: 10.9.0.2 in a namespace, with a delay queue on the way there and one on the way back.
case_begin forwarded_through_delay_queues 300
check ip netns add behind
check ip link add veth0 type veth peer name veth1 netns behind
check ip addr add 10.9.0.1/24 dev veth0
check ip link set veth0 up
check behind ip addr add 10.9.0.2/24 dev veth1
check behind ip link set veth1 up
check behind ip link set lo up
check behind ip route add default via 10.9.0.1
check far ip route add 10.9.0.0/24 via 10.0.0.1
check sysctl -qw net.ipv4.ip_forward=1
check tc qdisc add dev veth0 root netem delay 60ms limit 10000
check tc qdisc add dev ndd0 root netem delay 40ms limit 10000
server shapes_behind behind ./tcpshapes serve 5001
check wait_for 10 ready behind 5001
check shapes behind 10.0.0.2 5001 $OCTETS 3
check shapes far 10.9.0.2 5001 $OCTETS 3
check no_damage
case_end

case_begin queued_elsewhere_when_the_process_is_killed 300
check tc qdisc change dev veth0 root netem delay 500ms limit 10000
check tc qdisc change dev ndd0 root netem delay 300ms limit 10000
behind ./tcpshapes receive 10.0.0.2 5001 --octets $((OCTETS * 2)) --connections 4 --seed $SEED \
	>/run/lab/behind_in.out 2>&1 </dev/null &
receiver=$!
behind ./tcpshapes send 10.0.0.2 5001 --octets $((OCTETS * 2)) --connections 4 --seed $SEED \
	>/run/lab/behind_out.out 2>&1 </dev/null &
sender=$!
# octets: of merged frames there are few, and the debug kernel is too slow to have more than one here at a time
enough=70000
[ -z "$lab_debug" ] || enough=0
queued() { tc -s -j qdisc show dev veth0 | sed 's/.*"backlog":\([0-9]*\).*/\1/'; }
check wait_for 15 eval '[ "$(queued)" -gt $enough ]'
step "killed with $(queued) octets in the queue of veth0"
kill -9 $app
back
serve_port
check wait $receiver
check wait $sender
cat /run/lab/behind_in.out /run/lab/behind_out.out
check tc qdisc del dev veth0 root
check tc qdisc del dev ndd0 root
check no_damage
case_end

case_begin translated_by_netfilter 300
check far ip route del 10.9.0.0/24
cat >/run/lab/nat <<'NFT'
table ip nat {
	chain out {
		type nat hook postrouting priority srcnat;
		oifname "ndd0" counter masquerade
	}
	chain in {
		type nat hook prerouting priority dstnat;
		iifname "ndd0" tcp dport 7000 counter dnat to 10.9.0.2:5001
	}
}
NFT
check nft -f /run/lab/nat
check shapes behind 10.0.0.2 5001 $OCTETS 2
check shapes far 10.0.0.1 7000 $OCTETS 2
# put together by conntrack, cut again
check all_answered 5 behind ping -i 0.02 -s 20000 10.0.0.2
check [ "$(nft list table ip nat | grep -c 'counter packets [1-9]')" = 2 ]
check nft delete table ip nat
check no_damage
case_end

case_begin bridged_to_a_veth 300
check ip link add bridge0 type bridge
check ip addr flush dev ndd0
check ip addr flush dev veth0
check ip link set ndd0 master bridge0
check ip link set veth0 master bridge0
check ip addr add 10.0.0.1/24 dev bridge0
check ip link set bridge0 up
check behind ip addr add 10.0.0.3/24 dev veth1
check wait_for 10 behind ping -c 1 -W 1 10.0.0.2
check shapes behind 10.0.0.2 5001 $OCTETS 2
check tc qdisc add dev veth0 root netem delay 60ms limit 10000
check shapes far 10.0.0.3 5001 $OCTETS 2
check shapes here 10.0.0.2 5001 $OCTETS 2
check no_damage
check mode_is tunnel
stop shapes_far shapes_here shapes_behind
kill -9 $app
check wait_for 20 mode_is direct
check wait_for 15 pings
check wait_for 5 nothing_live
case_end
