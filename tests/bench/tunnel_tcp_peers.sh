#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs behind tunnel_tcp.sh in its guest: the same figures with the application asleep in wait() when it has nothing to do,
# and over DPDK's exception path in the place of eth0.
. /lab/tcp.sh

# Huge pages for DPDK, and the port in its hands.
give_to_dpdk() {
	echo 64 >/proc/sys/vm/nr_hugepages
	mkdir -p /dev/hugepages
	grep -q hugetlbfs /proc/mounts || mount -t hugetlbfs -o pagesize=2M huge /dev/hugepages
	modprobe -a vfio-pci vhost_net tun &&
		echo vfio-pci >$DEVICE/driver_override && echo $PORT >$DEVICE/driver/unbind && echo $PORT >/sys/bus/pci/drivers_probe
}

# exception plain|merge: tap0 has 10.0.0.1
exception() {
	./exception "$1" $PORT $LOCAL_MAC >/run/lab/exception.out 2>&1 </dev/null &
	exception=$!
	if ! wait_for 20 grep -q ready /run/lab/exception.out; then
		kill $exception 2>/dev/null
		wait $exception
		[ $? = 77 ] && skip "$(cat /run/lab/exception.out)" || fail "$(cat /run/lab/exception.out)"
		return 1
	fi
	check ip link set tap0 address $LOCAL_MAC
	check ip addr add 10.0.0.1/24 dev tap0
	check ip link set tap0 up
	neighbours tap0
	check wait_for 15 pings
}
# a peer that harms what it forwards would be no peer
intact() {
	ip netns exec far ./tcpstream serve 7100 >/dev/null 2>&1 </dev/null &
	local serve=$! way
	check wait_for 5 eval 'far ss -ltn | grep -q :7100'
	for way in send receive; do check ./tcpstream $way 10.0.0.2 7100 --seconds 0.1; done
	kill $serve
}
end_exception() {
	kill -TERM $exception
	wait $exception
	step "$(tail -n 1 /run/lab/exception.out)"
}

case_begin asleep
tunnel wait
figures asleep
end_tunnel
case_end

case_begin give
check ip link del ndd0
check give_to_dpdk
case_end

for mode in plain merge; do
	case_begin $mode
	exception $mode && { figures exception_$mode; intact; end_exception; }
	case_end
done
