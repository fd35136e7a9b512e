#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The hand-over and every way back: what the process gets, what it can't do, and that the in-kernel driver is there again.
. /lab/ndd.sh

case_begin take_and_kill
create_ndd0
hold ./holder take $PORT
check taken
check mode_is tunnel
check grep -q 1 /sys/class/net/ndd0/carrier
kill -9 $holder
back
step "phases: $(tr '\n' ' ' </sys/class/net/ndd0/ndd/phases)"
case_end

case_begin allow_list_and_hostile_mappings
if ./holder checks $PORT >$HOLDER_OUT 2>&1; then cat $HOLDER_OUT; else cat $HOLDER_OUT; fail "$(grep FAIL $HOLDER_OUT | head -n 3)"; fi
check wait_for 10 grep -q given-back /sys/class/net/ndd0/ndd/ended
back
case_end

case_begin every_signal 300
for end in TERM INT SEGV ABRT KILL; do
	hold ./holder take $PORT
	check taken
	kill -$end $holder
	back
	check grep -q died /sys/class/net/ndd0/ndd/ended
done
hold ./holder take $PORT
kill -STOP $holder
sleep 0.2
kill -KILL $holder
back
case_end

# Who has said that it leaves has time for it, but not for ever.
case_begin leaving_takes_its_time 90
hold ./holder leaving $PORT 2
check wait $holder
back
check grep -q given-back /sys/class/net/ndd0/ndd/ended
hold ./holder leaving $PORT 60
sleep 8
check mode_is tunnel
check wait_for 15 eval '! kill -0 $holder'
back
check grep -q watchdog /sys/class/net/ndd0/ndd/ended
case_end

case_begin a_child_holds_on 60
hold ./holder forked $PORT
child=$(cat /run/lab/child)
kill -9 $holder
check wait_for 5 mode_is held
check kill -0 $child
# what the child has left of the device is worth nothing to it
check [ "$(driver)" = nddcore ]
kill -9 $child
back
case_end

case_begin vfio_cannot_be_opened 60
mv /dev/vfio/vfio /dev/vfio/gone
refuse '/dev/vfio/vfio can.t be opened: error -2' ./holder take $PORT
back
mv /dev/vfio/gone /dev/vfio/vfio
hold ./holder take $PORT
kill -9 $holder
back
case_end

case_begin driver_cannot_probe 60
lose
sleep 2.5
check mode_is lost
check rmmod blockbar
back
case_end

settings() {
	{ ip -d link show lan0 | sed 's/^[0-9]*: //'; ethtool -k lan0; ethtool -g lan0; ethtool -c lan0; ethtool -a lan0; ethtool lan0; } |
		grep -v 'Link detected'
}
# once the link is up: until then it may still be the PHY's earlier ones
same_settings() {
	settings >/run/lab/after
	diff /run/lab/before /run/lab/after
}

case_begin settings_come_back 60
check ip link set ndd0 down
check ip link set eth0 name lan0
check ip link set ndd0 up
check wait_for 15 pings
check ip link set ndd0 mtu 2000
check ip link set ndd0 address 52:54:00:00:00:bb
check ethtool -K lan0 tso off gro off
check ethtool -G lan0 rx 1024 tx 512
check ethtool -C lan0 rx-usecs 100
check ethtool -s lan0 msglvl 0x3f
check ip link set lan0 txqueuelen 777 group 5
check ethtool -A lan0 rx off tx off autoneg off
# e1000e tells the PHY of it when the link starts again, and not before
check ethtool -r lan0
check wait_for 15 pings
settings >/run/lab/before
hold ./holder take $PORT
check taken
# changed while nobody drives the NIC: the lower follows
check ip link set ndd0 mtu 1800
kill -9 $holder
back
check [ "$(cat /sys/class/net/lan0/mtu)" = 1800 ]
check ip link set ndd0 mtu 2000
check wait_for 15 pings
check wait_for 15 same_settings
check ip link set ndd0 address 52:54:00:00:00:00
check ethtool -A lan0 rx on tx on autoneg on
check ethtool -K lan0 tso on gro on
check ip link set ndd0 down
check ip link set lan0 name eth0
check ip link set ndd0 mtu 1500 up
check wait_for 15 pings
case_end

case_begin lists_come_back 60
check ip link add link ndd0 name ndd0.5 type vlan id 5
check ip addr add 10.5.0.1/24 dev ndd0.5
check ip link set ndd0.5 up
far ip link add link eth1 name eth1.5 type vlan id 5
far ip addr add 10.5.0.2/24 dev eth1.5
far ip link set eth1.5 up
hold ./holder take $PORT
check ip maddr add 01:00:5e:11:22:33 dev ndd0
kill -9 $holder
back
check wait_for 5 ping -c 1 -W 1 10.5.0.2
check [ -n "$(ip maddr show dev eth0 | grep 01:00:5e:11:22:33)" ]
check ip maddr del 01:00:5e:11:22:33 dev ndd0
check ip link del ndd0.5
far ip link del eth1.5
case_end

case_begin take_without_open 60
hold ./holder unopened $PORT
check [ "$(driver)" = nddcore ]
kill -9 $holder
back
case_end

case_begin refused_takes 60
check tc qdisc add dev eth0 root handle 1: prio
refuse 'traffic control' ./holder take $PORT
check tc qdisc del dev eth0 root
check tc qdisc add dev eth0 clsact
refuse 'traffic control' ./holder take $PORT
check tc qdisc del dev eth0 clsact
check ip link add link eth0 name eth0.9 type vlan id 9
refuse 'carries eth0.9' ./holder take $PORT
check ip link del eth0.9
check ip link set ndd0 down
refuse 'is down' ./holder take $PORT
check ip link set ndd0 up
check wait_for 15 pings
check [ "$(driver)" = e1000e ]
hold ./holder take $PORT
refuse 'refused' ./holder take $PORT
kill -9 $holder
back
case_end

case_begin unload_is_refused_while_taken
hold ./holder take $PORT
refuse 'in use' rmmod nddcore
refuse 'in use' rmmod e1000e
kill -9 $holder
back
case_end

case_begin administrator_unbinds 60
hold ./holder take $PORT
echo $PORT >/sys/bus/pci/drivers/nddcore/unbind
back
check wait_for 5 sh -c "! kill -0 $holder"
case_end

case_begin administrator_binds_another 60
hold ./holder take $PORT
modprobe vfio_pci
# what an administrator who wants the NIC for another use does
echo vfio-pci >$DEVICE/driver_override
echo $PORT >/sys/bus/pci/drivers/nddcore/unbind
check wait_for 5 mode_is unbound
check [ "$(cat $DEVICE/driver_override)" = vfio-pci ]
echo $PORT >/sys/bus/pci/drivers/vfio-pci/bind
check [ "$(driver)" = vfio-pci ]
sleep 3
check [ "$(driver)" = vfio-pci ]
check mode_is unbound
check rmmod nddcore
check modprobe nddcore
echo $PORT >/sys/bus/pci/drivers/vfio-pci/unbind
echo >$DEVICE/driver_override
echo $PORT >/sys/bus/pci/drivers/e1000e/bind
back
case_end

case_begin removed_while_taken 60
hold ./holder take $PORT
echo 1 >$DEVICE/remove
check wait_for 10 mode_is none
check [ ! -e $DEVICE ]
echo 1 >/sys/bus/pci/rescan
back
check rmmod nddcore
check modprobe nddcore
back
case_end

# The end of the device that was lost is not taken for the end of the one that comes in its place.
case_begin removed_while_lost 60
lose
echo 1 >$DEVICE/remove
check wait_for 10 mode_is none
check rmmod blockbar
echo 1 >/sys/bus/pci/rescan
back
check tc qdisc add dev eth0 clsact
refuse 'traffic control' ./holder take $PORT
check tc qdisc del dev eth0 clsact
hold ./holder take $PORT
kill -9 $holder
back
sleep 0.5
check mode_is direct
case_end

# within SECONDS COMMAND...: like wait_for, with no pause between two tries
within() {
	local end=$((SECONDS + $1 * lab_slow))
	shift
	until "$@"; do [ $SECONDS -lt $end ] || return 1; done
}

# What is set on ndd0 at any moment of a restore is what the lower has in the end.
case_begin set_while_it_comes_back 90
setters="" lasts="a b c d e f"
[ -z "$lab_debug" ] || lasts="a b" # more of them leave too little time for a take there
for last in $lasts; do
	(while [ ! -e /run/lab/enough ]; do ip link set ndd0 address 52:54:00:00:01:0$last mtu 140$((RANDOM % 10)); done) &
	setters="$setters $!"
done
for i in 1 2 3 4 5 6; do
	hold ./holder take $PORT # at the very moment that "direct" can be read
	kill -9 $holder
	check within 20 mode_is direct
done
touch /run/lab/enough
wait $setters
check [ "$(cat /sys/class/net/eth0/mtu)" = "$(cat /sys/class/net/ndd0/mtu)" ]
check [ "$(cat /sys/class/net/eth0/address)" = "$(cat /sys/class/net/ndd0/address)" ]
check ip link set ndd0 address 52:54:00:00:00:00 mtu 1500
back
case_end

case_begin removed_before_the_open 60
hold ./holder unopened $PORT
echo 1 >$DEVICE/remove
check wait_for 10 mode_is none
echo 1 >/sys/bus/pci/rescan
back
kill -9 $holder
case_end

case_begin deleted_while_taken 60
hold ./holder take $PORT
check ip link del ndd0
check wait_for 10 [ -e $DEVICE/net/eth0 ]
check [ "$(driver)" = e1000e ]
check wait_for 5 sh -c '[ $((0x$(cut -c3- /sys/class/net/eth0/flags) & 0x800)) = 0 ]'
check ip link set eth0 down
create_ndd0
case_end

case_begin suspend_gives_back 90
[ -e /sys/power/pm_test ] || skip "no pm_test"
hold ./holder take $PORT
announce 'PM: '
echo freezer >/sys/power/pm_test 2>/dev/null && echo freeze >/sys/power/state
back
check wait_for 5 sh -c "! kill -0 $holder"
echo none >/sys/power/pm_test
case_end

# A lower that was up before it was one is up after it, though its driver has gone and come meanwhile.
case_begin the_lower_stays_up 60
check ip link del ndd0
check ip link set eth0 up
check ip addr flush dev eth0
check ip link add link eth0 name ndd0 type ndd
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
check wait_for 15 pings
hold ./holder take $PORT
kill -9 $holder
back
check ip link del ndd0
check grep -q 'eth0:.*[<,]UP' <(ip -o link show dev eth0)
check ip link set eth0 down
create_ndd0
case_end

case_begin nothing_left
check ip link del ndd0
check wait_for 5 rmmod nddcore
check rmmod kagent
case_end
