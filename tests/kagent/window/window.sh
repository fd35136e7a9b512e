#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The transmit window: what the process and the NIC see of the kernel's pages, what hostile returns do, and that no frame,
# page or mapping is left however the hold ends.
. /lab/vm.sh

COUNT=40     # frames to the far side
FILLED=1200  # frames in flight when the end comes

# all_good FILE: a program has tried everything, and nothing has failed
all_good() {
	grep -E '^FAIL|^window:' "$1" && fail "$(grep -E '^FAIL|^window:' "$1" | head -n 3)"
	step "$(grep -c '^ok' "$1") things tried"
}

# settled REASON: the last hold ended so, the port is back, and nothing is left of it
settled() {
	back
	check ended_is "$1"
	check wait_for 5 nothing_live
}

# filled: thousands of pages are in flight, and their frames will never be returned
filled() {
	check eval "echo 1000000000 >/sys/class/net/ndd0/queues/tx-0/byte_queue_limits/limit_min"
	took ./window fill $PORT $FILLED
	check wait_for 40 grep -q '^filled' $APP_OUT
	step "$(grep '^filled' $APP_OUT), $(live)live"
	check [ "$(cat /sys/module/kagent/parameters/live_skbs)" -ge 1000 ]
}

case_begin pieces
check eval "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"
create_ndd0
check ip link set ndd0 mtu 9000
check far ip link set eth1 mtu 9000
check ip link add link ndd0 name ndd0.5 type vlan id 5
check ip link set ndd0.5 up
check wait_for 5 eval 'ip link show ndd0.5 | grep -q "state UP"'
check ip neigh add 10.0.0.9 lladdr 02:00:00:00:77:01 dev ndd0
refuse 'not supported' ethtool --set-tunable ndd0 pfc-prevention-tout 100
check ethtool --set-tunable ndd0 tx-copybreak 4294967295
check [ "$(ethtool --get-tunable ndd0 tx-copybreak)" = "tx-copybreak: 4294967295" ]
./window pieces $PORT >$APP_OUT 2>&1 || fail "pieces: status $?"
all_good $APP_OUT
settled died
case_end

case_begin returns
# all that is sent waits for the process, and nobody else limits it
check eval "echo 1000000000 >/sys/class/net/ndd0/queues/tx-0/byte_queue_limits/limit_min"
check tc qdisc replace dev ndd0 root pfifo limit 1000
./window returns $PORT >$APP_OUT 2>&1 || fail "returns: status $?"
all_good $APP_OUT
settled died
case_end

case_begin fetched_by_the_nic
far ./window receive eth1 $COUNT >/run/lab/far.out 2>&1 </dev/null &
receiver=$!
check wait_for 10 grep -q listens /run/lab/far.out
mkfifo /run/lab/go
exec 8<>/run/lab/go
./window nic $PORT $COUNT >$APP_OUT 2>&1 <&8 &
app=$!
check wait_for 40 grep -q '^sent' $APP_OUT
wait $receiver || fail "at the far side: $(tail -n 1 /run/lab/far.out)"
step "$(tail -n 1 /run/lab/far.out)"
# the NIC must not see a page any more whose slot has come back
announce 'DMAR'
echo go >&8
check wait_for 10 grep -q '^touched' $APP_OUT
check wait_for 5 eval "dmesg | grep -q 'DMAR: .*DMA Read.*fault addr 0x1[0-9a-f]*'"
wait $app
all_good $APP_OUT
settled died
case_end

case_begin killed_in_flight
filled
kill -9 $app
settled died
case_end

case_begin stopped_and_killed_in_flight
filled
kill -STOP $app
kill -9 $app
settled died
case_end

case_begin deleted_in_flight
filled
check ip link del ndd0
check wait_for 10 gone $app
check wait_for 20 nothing_live
check wait_for 20 [ -n "$(lower)" ]
case_end

case_begin unplugged_in_flight
check wait_for 20 eval '[ "$(driver)" = e1000e ]'
check ip link add link "$(lower)" name ndd0 type ndd
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 mtu 9000 up
back
filled
check eval "echo 1 >$DEVICE/remove"
check wait_for 20 nothing_live
check wait_for 10 gone $app
case_end

case_begin unloaded
check ip link del ndd0
check rmmod nddcore
check rmmod kagent
case_end
