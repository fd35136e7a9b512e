#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the administrator says of ndd0 (MAC, MTU, promiscuous, multicast, VLANs) holds at the NIC in both modes, whichever
# mode it was said in. The judge is the wire: frames from the far side that arrive, and that do not.
. /lab/vm.sh

OWN=52:54:00:00:00:00
OTHER=52:54:00:00:0b:0b
NEW=52:54:00:00:0c:0c
NEWER=52:54:00:00:0d:0d
GROUP=01:00:5e:11:22:33
STRANGER=01:00:5e:44:55:66
CAPTURE=/run/lab/capture

# arriving DESTINATION...: which of them arrive at ndd0 when the far side sends to each; without making it promiscuous
arriving() {
	local to
	tcpdump -Z root -p -i ndd0 -e -n -l -U 'ether proto 0x9999' >$CAPTURE 2>/run/lab/capture.err </dev/null &
	local watcher=$!
	wait_for 10 grep -q listening /run/lab/capture.err || fail "tcpdump: $(cat /run/lab/capture.err)"
	for to in "$@"; do far ./frames eth1 "$to" 0x9999 60 3 || fail "sending to $to"; done
	# the last one arrives always: what was sent before it has arrived by then, or will not
	far ./frames eth1 ff:ff:ff:ff:ff:ff 0x9999 60 1
	wait_for 10 grep -q 'ff:ff:ff:ff:ff:ff' $CAPTURE || fail "not even a broadcast arrives"
	kill $watcher
	wait $watcher
	for to in "$@"; do
		[ "$(grep -c "> $to" $CAPTURE)" -gt 0 ] && echo -n "$to "
	done
}

# only WANTED... of ALL...: exactly these arrive
arrive_only() {
	local got wanted=$1
	shift
	got=$(arriving "$@")
	[ "${got% }" = "$wanted" ] || fail "in mode $(mode) there arrive '${got% }', not '$wanted'"
	step "mode $(mode): of $* arrive: $got"
}

# filters: as they were set up in case set_in_direct_mode
filters() { arrive_only "$OWN $GROUP" $OWN $OTHER $GROUP $STRANGER; }

take_port() { took ./pingpong server --port ndd0; check wait_for 10 pings; }
kill_app() { kill -9 $app; back; }

case_begin set_in_direct_mode
create_ndd0
arrive_only "$OWN" $OWN $OTHER $GROUP $STRANGER
check ip maddr add $GROUP dev ndd0
check ip link add link ndd0 name ndd0.5 type vlan id 5
check ip addr add 10.5.0.1/24 dev ndd0.5
check ip link set ndd0.5 up
check far ip link add link eth1 name eth1.5 type vlan id 5
check far ip addr add 10.5.0.2/24 dev eth1.5
check far ip link set eth1.5 up
filters
check wait_for 10 ping -c 1 -W 1 10.5.0.2
case_end

case_begin holds_after_take_and_restore 120
take_port
filters
check wait_for 10 ping -c 1 -W 1 10.5.0.2
kill_app
filters
check wait_for 10 ping -c 1 -W 1 10.5.0.2
case_end

case_begin set_in_tunnel_mode 180
take_port
check ip maddr del $GROUP dev ndd0
check ip maddr add $STRANGER dev ndd0
arrive_only "$OWN $STRANGER" $OWN $OTHER $GROUP $STRANGER
check ip link set ndd0 promisc on
arrive_only "$OTHER $GROUP" $OTHER $GROUP
check ip link set ndd0 promisc off
arrive_only "" $OTHER $GROUP
check ip link set ndd0 allmulticast on
arrive_only "$GROUP" $OTHER $GROUP
check ip link set ndd0 allmulticast off
# The port's own address is no example of one that has gone: ndd0's IPv6 address was made of it, and QEMU lets unicast
# through the hash filter of the groups that belong to that.
check ip link set ndd0 address $NEW
arrive_only "$NEW" $NEW $NEWER
check ip link set ndd0 address $NEWER
check wait_for 10 pings
arrive_only "$NEWER" $NEW $NEWER
check ip link del ndd0.5
check ip link add link ndd0 name ndd0.6 type vlan id 6
check ip addr add 10.6.0.1/24 dev ndd0.6
check ip link set ndd0.6 up
check far ip link add link eth1 name eth1.6 type vlan id 6
check far ip addr add 10.6.0.2/24 dev eth1.6
check far ip link set eth1.6 up
check wait_for 10 ping -c 1 -W 1 10.6.0.2
check ip link set ndd0 mtu 4000
check far ip link set eth1 mtu 4000
check wait_for 10 ping -c 1 -W 1 -M do -s 3900 10.0.0.2
check mode_is tunnel
kill_app
case_end

case_begin holds_in_direct_mode_again 120
arrive_only "$NEWER $STRANGER" $NEW $NEWER $GROUP $STRANGER
check [ "$(cat /sys/class/net/"$(lower)"/address)" = $NEWER ]
check [ "$(cat /sys/class/net/"$(lower)"/mtu)" = 4000 ]
check ping -c 1 -W 2 -M do -s 3900 10.0.0.2
check wait_for 10 ping -c 1 -W 1 10.6.0.2
take_port
check wait_for 10 ping -c 1 -W 1 -M do -s 3900 10.0.0.2
check ip link set ndd0 mtu 1500
check ip link set ndd0 address $OWN
check wait_for 10 pings
kill_app
check [ "$(cat /sys/class/net/"$(lower)"/address)" = $OWN ]
check [ "$(cat /sys/class/net/"$(lower)"/mtu)" = 1500 ]
case_end

case_begin carrier_follows_the_cable 120
check grep -q 'Speed: 1000Mb/s' <(ethtool ndd0)
take_port
check wait_for 5 eval 'grep -q "Speed: 1000Mb/s" <(ethtool ndd0)'
check host set_link nic0 off
check wait_for 10 eval '! carrier ndd0'
check grep -q 'Speed: Unknown' <(ethtool ndd0)
check host set_link nic0 on
check wait_for 10 carrier ndd0
check wait_for 10 pings
# the cable is out while the port comes back
check host set_link nic0 off
check wait_for 10 eval '! carrier ndd0'
kill -9 $app
check wait_for 20 mode_is direct
check wait_for 20 eval '! carrier ndd0'
check host set_link nic0 on
check wait_for 20 carrier ndd0
check wait_for 15 pings
case_end

case_begin down_and_up_in_tunnel_mode
take_port
check ip link set ndd0 down
check mode_is tunnel
refuse 'unreachable|100% packet loss' ping -c 1 -W 1 10.0.0.2
check ip link set ndd0 up
check wait_for 10 pings
kill_app
case_end

case_begin link_settings_are_never_invented
# taken, but nobody has told of the link yet
./rawport keep $PORT >$APP_OUT 2>&1 </dev/null &
app=$!
check wait_for 10 grep -q took $APP_OUT
check grep -q 'Speed: Unknown' <(ethtool ndd0)
check grep -q 'driver: kagent' <(ethtool -i ndd0)
check grep -q "bus-info: $PORT" <(ethtool -i ndd0)
kill -9 $app
back
case_end
