#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whoever keeps what was received, for however long, starves nobody: while sockets, pipes, reassembly and packet sockets
# are full of it, the application's messages and other connections go on, and when they let go everything is back.
. /lab/zerocopy.sh
# between two looks at free memory: what else lives in the guest moves by so much (caches of sockets and slabs)
PAGES=$(may_lack 600)
OCTETS=200000

# other_transfer: milliseconds that OCTETS take each way, all of them right
other_transfer() {
	local start
	start=$(now_us)
	check shapes here 10.0.0.2 5001 $OCTETS 2
	echo $((($(now_us) - start) / 1000)) >/run/lab/transfer_ms
}

# begin: what there is before
begin() {
	free_before=$(free_kb)
	cat /proc/meminfo >/run/lab/meminfo
	live_before=$(live) drops_before=$(drops)
}

# goes_on WHAT: the application exchanges messages and another connection its octets, as ever
goes_on() {
	local pairs
	pairs=$(stat_of nic_app_rx_frames)
	other_transfer
	step "$1: other transfer $(cat /run/lab/transfer_ms) ms, usually $usual_ms;" \
		"$(($(stat_of nic_app_rx_frames) - pairs)) messages; $(($(drops) - drops_before)) drops"
	check [ "$(cat /run/lab/transfer_ms)" -lt $((usual_ms * 4 + 10000)) ]
	check [ $(($(stat_of nic_app_rx_frames) - pairs)) -gt 20 ]
	check [ $(($(drops) - drops_before)) -lt 100 ]
	check mode_is tunnel
}

# all_back WHAT: nothing stays away once it was let go
all_back() {
	check wait_for 15 eval '[ $(((free_before - $(free_kb)) / 4)) -lt $PAGES ]'
	[ "$lab_result" != FAIL ] || diff /run/lab/meminfo /proc/meminfo
	step "$1 let go: $(((free_before - $(free_kb)) / 4)) pages less are free"
	check [ "$(live)" = "$live_before" ]
	check wait_for 5 pings
}

# queued PORT: octets that wait in the sockets there
queued() { ss -Htn "sport = :$1" | awk '{ n += $2 } END { print n + 0 }'; }

case_begin setup 300
create_ndd0
# what is lost is not lost in far's own queue
check far ip link set eth1 txqueuelen 20000
server shapes far ./tcpshapes serve 5001
check wait_for 10 ready far 5001
serve_port
other_transfer
other_transfer
usual_ms=$(cat /run/lab/transfer_ms)
step "usually $usual_ms ms"
case_end

# stuck HOW OCTETS [CONDITION...]: 4 senders in far into sockets here, of which nobody reads, or into pipes that nobody empties; so many
# octets stay in the sockets. Each frame has a buffer of the pool's, which has 2048.
stuck() {
	begin
	server stuck ./tcpshapes serve 5004 --hold "$1" --receive-buffer 16000000
	check wait_for 10 ready here 5004
	server sender far ./tcpshapes send 10.0.0.1 5004 --octets 1000000 --connections 4
	check wait_for 100 eval '[ "$(queued 5004)" -ge '"$2 ]"
	[ $# = 2 ] || check wait_for 100 "${@:3}"
	goes_on "$(($(queued 5004) / 1024)) KiB in sockets, $1"
	stop stuck sender
	# a sender whose process is gone keeps what it has not sent until its next probe, seconds away by now, finds nobody
	check wait_for 130 eval '! far ss -Htan "dport = :5004" | grep -v TIME-WAIT'
	all_back "$1"
}

case_begin sockets_that_nobody_reads 300
stuck late 4000000
case_end

pipes_filled() { [ "$(grep -c 'in pipes: [1-9]' /run/lab/stuck.out)" = 4 ]; }

case_begin pipes_that_nobody_empties 300
stuck pipes 1500000 pipes_filled
case_end

case_begin datagrams_whose_last_fragment_never_comes 300
begin
sysctl -qw net.ipv4.ipfrag_high_thresh=100000000
sysctl -qw net.ipv4.ipfrag_time=$((20 * lab_slow))
incomplete() { awk '/^FRAG:/ { print $3 }' /proc/net/sockstat; }
check far ./fragments 10.0.0.2 10.0.0.1 100
check wait_for 5 eval '[ "$(incomplete)" -ge 90 ]'
step "$(grep FRAG /proc/net/sockstat)"
goes_on "$(incomplete) datagrams incomplete"
check [ "$(incomplete)" -ge 90 ]
# they give up by themselves
check wait_for 40 eval '[ "$(incomplete)" = 0 ]'
all_back fragments
case_end

case_begin packet_sockets_that_nobody_reads 300
begin
server hoard ./hoard ndd0 32 /dev/null /dev/null /dev/null
check wait_for 10 grep -q hoarding /run/lab/hoard.out
# In runs that fit the receive ring: when it is full, QEMU keeps frames in two queues, the NIC's and the hub's, and hands
# out the later ones first. What pingpong then sees out of order is not the library's doing.
server sender far bash -c 'for i in {1..60}; do ./frames eth1 52:54:00:00:00:00 0x9999 1514 100; done'
check wait_for 60 gone "${server_pid[sender]}"
goes_on "$(awk 'NR > 1 { n += $7 } END { print int(n / 1024) }' /proc/net/packet) KiB in packet sockets"
stop hoard
all_back "packet sockets"
case_end

case_begin nothing_was_lost 300
kill -TERM $app
check wait_for 10 gone $app
step "application: $(grep pairs $APP_OUT)"
check lost_nothing
back
check wait_for 5 nothing_live
check no_damage
case_end
