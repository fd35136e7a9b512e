#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real systemd-udevd is there: names come back without a rename loop, and nobody configures the lower.
. /lab/ndd.sh

# Every netdev gets the name that its slot dictates, as on an installed system.
mkdir -p /run/systemd/network /run/udev/rules.d
printf '[Match]\nDriver=e1000e\n[Link]\nNamePolicy=path\n' >/run/systemd/network/10-path.link
cat >/run/udev/rules.d/80-net.rules <<'RULES'
SUBSYSTEM=="net", ACTION=="add", IMPORT{builtin}="path_id", IMPORT{builtin}="net_id", IMPORT{builtin}="net_setup_link"
SUBSYSTEM=="net", ACTION=="add", ENV{ID_NET_NAME_PATH}!="", NAME="$env{ID_NET_NAME_PATH}"
RULES
rm -f /lib/udev/rules.d/80-net-setup-link.rules
cp 70-ndd.rules /run/udev/rules.d

renames() { grep -c renamed <(dmesg); }

case_begin name_of_the_administrator 90
daemon=$(command -v systemd-udevd || echo /lib/systemd/systemd-udevd)
[ -x "$daemon" ] || skip "no systemd-udevd"
$daemon --daemon
check udevadm trigger --action=add --subsystem-match=net
check udevadm settle
check ip link set "$(lower)" name lan0
setup_far "$(netdev_of 04)"
check ip link add link lan0 name ndd0 type ndd
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
check wait_for 15 pings
for i in 1 2 3; do
	before=$(renames)
	hold ./holder take $PORT
	kill -9 $holder
	back
	check udevadm settle
	sleep 1
	check [ "$(lower)" = lan0 ]
	step "renames of this round: $(($(renames) - before))"
	check [ $(($(renames) - before)) -eq 1 ]
done
case_end

case_begin name_of_udev 90
check ip link set ndd0 down
check ip link set lan0 name enp0s3
check ip link set ndd0 up
check wait_for 15 pings
for i in 1 2 3; do
	before=$(renames)
	hold ./holder take $PORT
	kill -9 $holder
	back
	check udevadm settle
	check [ "$(lower)" = enp0s3 ]
	check [ $(($(renames) - before)) -eq 1 ]
	check grep -q . /run/udev/data/n"$(cat /sys/class/net/enp0s3/ifindex)"
	check [ -z "$(ip -o addr show dev enp0s3)" ]
done
case_end

# by_netdev NAME: udev's link of that name leads to the port's node
by_netdev() { [ "$(readlink -f "/dev/ndd/by-netdev/$1")" = "/dev/ndd/$PORT" ]; }

case_begin node_by_netdev
check wait_for 5 by_netdev ndd0
check ip link set ndd0 down
check ip link set ndd0 name port7
check wait_for 5 by_netdev port7
check [ ! -e /dev/ndd/by-netdev/ndd0 ]
check ip link del port7
check wait_for 5 [ ! -e /dev/ndd/by-netdev/port7 ]
case_end
