#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Received payload that the stack keeps in the pool's own buffers: every octet is checked while it is read at once, late,
# never, through a pipe, under tcpdump, and after the death of the process whose buffers they were.
. /lab/vm.sh

# stepped NAME FROM: by how much a counter has grown
stepped() { echo $(($(stat_of "$1") - $2)); }
facts() { ethtool -S ndd0 | grep -E 'krx_(frames|zero|copied|looks|with)' | tr -s '\n ' ' '; }

# from_here: what kept and copied count from; copied ones are those whose payload was large enough to be kept
from_here() {
	zero=$(stat_of krx_zero_copy)
	kind=$(stat_of krx_copied_kind)
	stock=$(stat_of krx_copied_stock)
}
kept() { stepped krx_zero_copy "$zero"; }
copied() { echo $(($(stepped krx_copied_kind "$kind") + $(stepped krx_copied_stock "$stock"))); }

# A slow machine carries few frames, and long ones, each merged of many segments.
SOME=10
keeps_most() {
	[ "$(kept)" -ge $SOME ] && [ "$(kept)" -gt "$(copied)" ] || { echo "kept $(kept), copied $(copied)"; return 1; }
}

# receive SECONDS [OPTION...]: a stream from the far side, every octet right
receive() {
	timeout 60 ./tcpstream receive 10.0.0.2 5001 --seconds "$@" >/run/lab/receive.out 2>&1 ||
		fail "receive $*: $(tail -n 1 /run/lab/receive.out)"
	step "$(tail -n 1 /run/lab/receive.out)"
}

# late: a receiver that is stopped as soon as it has received something, and before it ends by itself; $late its pid
late() {
	rm -f /run/lab/late.octets
	./tcpstream receive 10.0.0.2 5001 --seconds $lab_slow --status /run/lab/late.octets >/run/lab/late.out 2>&1 </dev/null &
	late=$!
	wait_for 10 [ -s /run/lab/late.octets ] || fail "nothing received"
	kill -STOP $late
}

# late_reads: it goes on, and all it reads is right
late_reads() {
	kill -CONT $late
	wait $late || fail "read late: $(tail -n 1 /run/lab/late.out)"
	step "$(tail -n 1 /run/lab/late.out)"
}

# A pool whose stock is soon with the stack, also where frames are few: a quarter of it.
BUFFERS=1024
STOCK=$((BUFFERS / 4))
takes() { took ./ends serve ndd0 $BUFFERS; }

keeps_all() { [ "$(stat_of krx_with_stack)" = $STOCK ] && [ "$(stat_of krx_copied_stock)" -gt 0 ]; }

case_begin both_ways
create_ndd0
far ./tcpstream serve 5001 >/run/lab/serve.out 2>&1 </dev/null &
takes
from_here
receive 2
check keeps_most
check ./tcpstream send 10.0.0.2 5001 --seconds 1
step "$(facts)"
check eval "ip -s link show ndd0 | grep -q UP"
case_end

case_begin copybreak_copies_everything
from_here
check ethtool --set-tunable ndd0 rx-copybreak 4096
receive 1
check [ "$(kept)" = 0 ]
check ethtool --set-tunable ndd0 rx-copybreak 256
check eval "ethtool --get-tunable ndd0 rx-copybreak | grep -q 256"
receive 0.5
check keeps_most
case_end

case_begin pipe_and_tcpdump
from_here
receive 1 --splice
check keeps_most
from_here
tcpdump -i ndd0 -w /run/lab/dump -c 2000 tcp >/dev/null 2>&1 </dev/null &
dump=$!
sleep 0.5
receive 1.5
kill $dump 2>/dev/null
wait $dump
check keeps_most
case_end

case_begin a_reader_that_never_reads
# room in the socket for more than the whole stock
check sysctl -q net.ipv4.tcp_rmem="4096 33554432 33554432"
late
check wait_for 30 keeps_all
step "not read: $(facts)"
from_here
receive 1
check [ "$(copied)" -ge $SOME ]
check wait_for 5 pings
kill -9 $late
wait $late
from_here
receive 1
check [ "$(kept)" -ge $SOME ]
step "closed: $(facts)"
check [ "$(stat_of krx_with_stack)" -lt $STOCK ]
case_end

case_begin read_after_the_death
late
check wait_for 30 keeps_all
kill -9 $app
back
check wait_for 15 nothing_live || step "live: $(live)"
# what the lists of free pages hand out now, others write
head -c 67108864 /dev/urandom >/run/lab/noise
late_reads
rm -f /run/lab/noise
takes
receive 1
kill -9 $app
back
check wait_for 15 nothing_live || step "live: $(live)"
step "$(dmesg | grep -c 'Bad page') bad pages"
check [ "$(dmesg | grep -c 'Bad page')" = 0 ]
case_end
