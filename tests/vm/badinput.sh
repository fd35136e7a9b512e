#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bad input to whole ports: wrong versions, second owners, frames of impossible lengths. Each gets a clear error or a
# counter, and nothing is lost. What concerns only direct mode or the hand-over stands in tests/nddcore.
. /lab/vm.sh

case_begin interface_version
create_ndd0
refuse 'version|interface' ./rawport version $PORT 99 0
step "$(./rawport version $PORT 99 0 2>&1)"
refuse 'version|interface' ./rawport version $PORT 0 1
check mode_is direct
check pings
# a minor version that the module does not have: it could not keep what the application expects
refuse 'load a module of that version or newer' ./rawport version $PORT 1 99
check ./rawport version $PORT 1 0
back
case_end

case_begin second_attach
check ./rawport twice $PORT
back
took ./pingpong server --port ndd0
refuse "process $app" ./hello ndd0
check mode_is tunnel
check wait_for 5 pings
kill -9 $app
back
case_end

case_begin options_of_the_library
refuse 'ETHERTYPE|EtherType' ./pingpong server --port ndd0 --ethertype 0x0100
refuse 'watchdog' ./pingpong server --port ndd0 --watchdog 1us
refuse 'us, ms or s|--watchdog' ./pingpong server --port ndd0 --watchdog 5
check mode_is direct
case_end

# lengths IN KIND ARGUMENTS: frames of odd lengths from the far side, kernel's and application's
case_begin lengths_towards_the_port 120
took ./pingpong server --port ndd0
check far ip link set eth1 mtu 4000
for length in 14 15 59 60 61 64 1513 1514; do
	check far ./frames eth1 52:54:00:00:00:00 0x9999 $length 2
	check far ./frames eth1 52:54:00:00:00:00 0x88b5 $length 2
done
# tagged: 1518 octets are legal
check far ./frames eth1 52:54:00:00:00:00 0x9999 64 2 5
check far ./frames eth1 52:54:00:00:00:00 0x9999 1518 2 5
check far ./frames eth1 52:54:00:00:00:00 0x88b5 1518 2 5
check wait_for 5 pings
# longer than the MTU allows
errors=$(stat_of nic_rx_errors) frames=$(stat_of krx_frames)
for length in 1519 1600 2048 2049 3000 4000; do
	check far ./frames eth1 52:54:00:00:00:00 0x9999 $length 3
	check far ./frames eth1 52:54:00:00:00:00 0x88b5 $length 3
done
check wait_for 5 pings
step "MTU 1500, longer frames: krx_frames $frames to $(stat_of krx_frames), nic_rx_errors $errors to $(stat_of nic_rx_errors)"
check mode_is tunnel
check ip link set ndd0 mtu 4000
check wait_for 10 ping -c 2 -W 1 -M do -s 3900 10.0.0.2
for length in 60 2047 2048 2049 4013 4014; do
	check far ./frames eth1 52:54:00:00:00:00 0x9999 $length 3
	check far ./frames eth1 52:54:00:00:00:00 0x88b5 $length 3
done
check wait_for 5 pings
case_end

case_begin lengths_from_the_kernel
seen=$(far_stat rx_packets)
check ./frames ndd0 $FAR_MAC 0x9999 14 3
check ./frames ndd0 $FAR_MAC 0x9999 17 3
check ./frames ndd0 $FAR_MAC 0x9999 4014 3
check ./frames ndd0 $FAR_MAC 0x9999 4018 3 5
refuse 'Message too long' ./frames ndd0 $FAR_MAC 0x9999 4019 1
refuse 'Invalid argument|Message too long' ./frames ndd0 $FAR_MAC 0x9999 13 1
check wait_for 5 eval '[ $(far_stat rx_packets) -ge $((seen + 12)) ]'
check wait_for 5 pings
check mode_is tunnel
kill -9 $app
back
check ip link set ndd0 mtu 1500
check far ip link set eth1 mtu 1500
check wait_for 10 pings
case_end

case_begin attributes_of_the_link 60
check ip link del ndd0
check ip addr add 10.0.0.3/24 dev eth0
refuse 'carries addresses.*nddctl create --force' ./nddctl create eth0 ndd0
refuse 'create ndd0 .eth7.*No such device' ./nddctl create eth7 ndd0
check [ ! -e /sys/class/net/ndd0 ]
check ./nddctl create eth0 ndd0 --force --pool-max 1000
check ip addr flush dev eth0
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
check wait_for 15 pings
refuse 'create ndd0' ./nddctl create eth0 ndd0
refuse "buffers wanted, 1000 is the most.*nddctl create --pool-max" timeout 10 ./hello ndd0
check mode_is direct
case_end

case_begin module_not_loaded
check wait_for 5 nothing_live
check ip link del ndd0
check rmmod nddcore
refuse 'nddcore' ./hello $PORT
step "without nddcore: $(./hello $PORT 2>&1)"
check rmmod kagent
refuse 'kagent' ./hello ndd0
step "without kagent: $(./hello ndd0 2>&1)"
refuse 'kagent' ./pingpong server --port $PORT
case_end
