#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Direct mode: ndd0 over the unmodified driver, what may not become a lower, and how links come and go.
. /lab/ndd.sh

case_begin refused_lowers
check ip addr add 192.0.2.7/24 dev eth0
refuse 'carries addresses.*move them' ip link add link eth0 name ndd0 type ndd
check ip addr flush dev eth0
check ip addr add 2001:db8::7/64 dev eth0
refuse 'carries addresses' ip link add link eth0 name ndd0 type ndd
check ip addr flush dev eth0
check ip link set eth0 up
check ip route add default dev eth0
refuse 'default route' ip link add link eth0 name ndd0 type ndd
check ip route del default dev eth0
check ip -6 route add default dev eth0
refuse 'default route' ip link add link eth0 name ndd0 type ndd
check ip -6 route del default dev eth0
check ip link add dum7 type dummy
refuse 'no device of its own' ip link add link dum7 name ndd0 type ndd
check ip link add br0 type bridge
check ip link set eth0 master br0
refuse 'bridge, bond' ip link add link eth0 name ndd0 type ndd
check ip link set eth0 nomaster
check ip link del br0
check ip link add link eth0 name eth0.7 type vlan id 7
refuse 'VLAN' ip link add link eth0 name ndd0 type ndd
check ip link del eth0.7
check ip link set eth0 down
check [ ! -e /sys/class/net/ndd0 ]
case_end

case_begin ping_and_tcp
create_ndd0
check [ "$(cat /sys/class/net/ndd0/address)" = "$(cat /sys/class/net/eth0/address)" ]
far iperf3 -s -1 -D
sleep 1
check iperf3 -c 10.0.0.2 -n 20M
far iperf3 -s -1 -D
sleep 1
check iperf3 -c 10.0.0.2 -n 20M -R
check [ "$(cat /sys/class/net/ndd0/statistics/rx_packets)" -gt 100 ]
check [ "$(cat /sys/class/net/ndd0/statistics/tx_packets)" -gt 100 ]
refuse "already" ip link add link eth0 name ndd1 type ndd
case_end

case_begin lower_has_no_addresses
check [ -z "$(ip -o addr show dev eth0)" ]
check [ -n "$(ip -o -6 addr show dev ndd0 scope link)" ]
case_end

case_begin settings_reach_the_lower
check ip link set ndd0 mtu 4000
check [ "$(cat /sys/class/net/eth0/mtu)" = 4000 ]
check ip link set ndd0 mtu 1500
check ip link set ndd0 address 52:54:00:00:00:aa
check [ "$(cat /sys/class/net/eth0/address)" = 52:54:00:00:00:aa ]
check wait_for 5 pings
check ip link set ndd0 address 52:54:00:00:00:00
check wait_for 5 pings
check ip link set ndd0 promisc on
check [ $((0x$(cut -c3- /sys/class/net/eth0/flags) & 0x100)) != 0 ]
check ip link set ndd0 promisc off
check [ $((0x$(cut -c3- /sys/class/net/eth0/flags) & 0x100)) = 0 ]
check ip maddr add 01:00:5e:11:22:33 dev ndd0
check grep -q 01005e112233 /proc/net/dev_mcast
check [ -n "$(ip maddr show dev eth0 | grep 01:00:5e:11:22:33)" ]
check ip maddr del 01:00:5e:11:22:33 dev ndd0
check [ -z "$(ip maddr show dev eth0 | grep 01:00:5e:11:22:33)" ]
check ip link add link ndd0 name ndd0.5 type vlan id 5
check ip addr add 10.5.0.1/24 dev ndd0.5
check ip link set ndd0.5 up
far ip link add link eth1 name eth1.5 type vlan id 5
far ip addr add 10.5.0.2/24 dev eth1.5
far ip link set eth1.5 up
check wait_for 5 ping -c 1 -W 1 10.5.0.2
check ip link del ndd0.5
far ip link del eth1.5
check grep -q 1000 <(ethtool ndd0)
case_end

case_begin down_and_up
check ip link set ndd0 down
check [ $((0x$(cut -c3- /sys/class/net/eth0/flags) & 1)) = 0 ]
check ip link set ndd0 up
check wait_for 15 pings
case_end

case_begin carrier_follows
check host set_link nic0 off
check wait_for 5 grep -q 0 /sys/class/net/ndd0/carrier
check host set_link nic0 on
check wait_for 15 pings
case_end

case_begin unload_and_reload
check rmmod nddcore
check mode_is none
check [ -e /sys/class/net/eth0 ]
check [ ! -e /sys/class/net/eth0/master ]
check modprobe nddcore
check wait_for 5 mode_is direct
check wait_for 15 pings
case_end

case_begin unbind_and_bind 60
check ip link set ndd0 down
check ip link set eth0 name lan0 txqueuelen 777
check ip link set ndd0 mtu 3000 up
check ethtool -G lan0 rx 512
echo $PORT >/sys/bus/pci/drivers/e1000e/unbind
check wait_for 5 mode_is none
echo $PORT >/sys/bus/pci/drivers/e1000e/bind
check wait_for 5 mode_is direct
check wait_for 15 pings
check [ "$(lower)" = lan0 ]
check [ "$(cat /sys/class/net/lan0/mtu)" = 3000 ]
check [ "$(cat /sys/class/net/lan0/tx_queue_len)" = 777 ]
check grep -qE '^RX:[[:space:]]+512$' <(ethtool -g lan0 | sed -n '/Current/,$p')
check ip link set ndd0 down
check ip link set lan0 name eth0
check ip link set ndd0 mtu 1500 up
check wait_for 15 pings
case_end

case_begin remove_and_rescan 60
echo 1 >$DEVICE/remove
check wait_for 5 mode_is none
check [ ! -e $DEVICE ]
echo 1 >/sys/bus/pci/rescan
check wait_for 10 mode_is direct
check wait_for 15 pings
case_end

case_begin lower_moves_namespace
ip netns add elsewhere
check ip link set eth0 netns elsewhere
check wait_for 5 mode_is direct
check wait_for 15 pings
check ip netns exec elsewhere ip link set eth0 netns 1
check wait_for 5 mode_is direct
check wait_for 15 pings
ip netns del elsewhere
case_end

case_begin delete
check ip link del ndd0
check [ -e /sys/class/net/eth0 ]
check [ ! -e /sys/class/net/eth0/master ]
check ip link set eth0 up
check wait_for 5 sh -c 'ip -6 -o addr show dev eth0 | grep -q fe80'
create_ndd0
check ip link del ndd0
check rmmod nddcore
check rmmod kagent
case_end
