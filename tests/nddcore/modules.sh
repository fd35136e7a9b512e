#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# rmmod and modprobe -r of kagent, nddcore and the in-kernel driver in every mode: refused while that mode needs them,
# clean otherwise.
. /lab/ndd.sh

needed() { # all three are in use
	refuse 'in use' rmmod nddcore
	refuse 'in use' rmmod kagent
	refuse 'in use' rmmod e1000e
	refuse 'in use' modprobe -r nddcore
}

# after an end of ndd0; the far side stays
create_ndd0_again() {
	check ip link set eth0 down
	check ip addr flush dev eth0
	check ip link add link eth0 name ndd0 type ndd
	check ip addr add 10.0.0.1/24 dev ndd0
	check ip link set ndd0 up
	check wait_for 15 pings
}

case_begin direct 60
create_ndd0
refuse 'in use by: nddcore' rmmod kagent
check modprobe -r e1000e
check mode_is none
check [ -e /sys/class/net/ndd0 ]
check modprobe e1000e
check wait_for 10 mode_is direct
check wait_for 10 [ -e /sys/class/net/eth1 ]
setup_far
check wait_for 15 pings
case_end

case_begin taking 60
hold ./holder unopened $PORT
check mode_is taking
needed
kill -9 $holder
back
case_end

case_begin tunnel
hold ./holder take $PORT
check mode_is tunnel
needed
kill -9 $holder
back
case_end

case_begin held
hold ./holder forked $PORT
child=$(cat /run/lab/child)
kill -9 $holder
check wait_for 5 mode_is held
needed
kill -9 $child
back
case_end

case_begin lost 60
lose
refuse 'in use' rmmod nddcore
refuse 'in use' rmmod kagent
refuse 'in use' rmmod e1000e
check rmmod blockbar
back
case_end

# how many takes got through
ready() { grep -c ready /run/lab/takes; }

case_begin in_the_middle_of_takes 120
began=$(now_us)
hold ./holder take $PORT
# killed at any point of a take, and some time after its end
within_ms=$((($(now_us) - began) / 1000 * 3 / 2 + 300))
kill -9 $holder
back
# modprobe of what is there does nothing: each attempt to unload meets a take at another point
(while [ ! -e /run/lab/enough ]; do
	rmmod nddcore 2>/dev/null && echo unloaded
	modprobe nddcore || echo failed
	sleep 0.$((RANDOM % 4))
done) >/run/lab/unloads &
unloader=$!
end=$((SECONDS + 12)) last=$((SECONDS + 60 * lab_slow))
while [ $SECONDS -lt $end ] || { [ "$(ready)" -le 3 ] && [ $SECONDS -lt $last ]; }; do
	ms=$((RANDOM % within_ms + 100))
	timeout -s KILL "$((ms / 1000)).$(printf %03d $((ms % 1000)))" ./holder take $PORT
done >/run/lab/takes 2>&1 </dev/null
touch /run/lab/enough
wait $unloader
step "$(ready) takes, $(grep -c refused /run/lab/takes) refused;" \
	"nddcore unloaded $(grep -c unloaded /run/lab/unloads) times"
sort /run/lab/takes | uniq -c
check [ "$(grep -c unloaded /run/lab/unloads)" -gt 1 ]
check [ "$(ready)" -gt 3 ]
check [ "$(grep -c failed /run/lab/unloads)" = 0 ]
back
case_end

case_begin an_open_node
exec {node}<>/dev/ndd/$PORT
check rmmod nddcore
check mode_is none
refuse 'in use' rmmod kagent
check modprobe nddcore
back
exec {node}>&-
case_end

# A node that is still open leads to a port that is gone, and whose provider is.
case_begin a_node_without_ndd0
hold ./holder info $PORT
check ip link del ndd0
check rmmod nddcore
check wait_for 5 grep -q 'info: ' $HOLDER_OUT
cat $HOLDER_OUT
check modprobe nddcore
create_ndd0_again
case_end

case_begin all_of_it 60
check rmmod nddcore
check rmmod kagent
check [ ! -e /sys/class/net/ndd0 ]
check [ ! -e /dev/ndd/$PORT ]
check ip link set eth0 up
check modprobe nddcore
create_ndd0_again
hold ./holder take $PORT
check mode_is tunnel
kill -9 $holder
back
case_end
