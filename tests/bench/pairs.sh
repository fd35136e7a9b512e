# SPDX-License-Identifier: Apache-2.0
# Sourced by signal_pairs.sh and signal_pairs_full.sh: guest instructions of a signal pair, a message there and its answer
# back, over two NICs back to back with both ends in one thread. One case for each path, each leaving the NICs to the next;
# the work between the NICs and the application's octets is pingpong's on all of them. The counts are the plugin's; what
# must hold of them stands in BUILD.bazel.
. /lab/ndd.sh

FAR_PORT=0000:00:04.0
WARM_UP=512
CHECKED=512 # pairs of the runs that check every octet

# exchange COMMAND...: one figure. Status 1: the path can't run here, the case is skipped.
exchange() {
	local status
	"$@" >/run/lab/exchange.out 2>&1 </dev/null
	status=$?
	cat /run/lab/exchange.out
	case $status in
	0) ;;
	77) skip "$(tail -n 1 /run/lab/exchange.out)"; return 1 ;;
	*) fail "$*: status $status: $(tail -n 2 /run/lab/exchange.out)" ;;
	esac
}

# pairs COUNT WINDOWS SIZES COMMAND...: a figure for each window and size, and for each size one that checks every octet
pairs() {
	local count=$1 windows=$2 sizes=$3 window size
	shift 3
	for size in $sizes; do
		for window in $windows; do
			exchange "$@" --size $size --window $window --count $count --warm-up $WARM_UP || return 0
			free_again
		done
		exchange "$@" --size $size --window 32 --count $CHECKED --check-all || return 0
		free_again
	done
}

# free_again: waits until both ports can be had for the next exchange
free_again() { :; }

# windows of 128 large messages are more than a socket holds by default
large_socket_buffers() { check sysctl -q -w net.core.rmem_default=2097152 net.core.wmem_default=2097152; }

both_up() {
	check ip link set eth0 up
	check ip link set eth1 up
	check wait_for 15 carrier eth0
	check wait_for 15 carrier eth1
}

# AF_PACKET
path_raw() { # WINDOWS SIZES
	case_begin raw
	large_socket_buffers
	both_up
	pairs 2560 "$@" ./pingpong client --raw eth0 --both eth1 --no-latency
	case_end
}

# AF_XDP, generic mode
path_xdp() { # WINDOWS SIZES
	case_begin xdp
	both_up
	pairs 2560 "$@" ./xdp_pairs eth0 eth1
	case_end
}

# UDP sockets, each end in a namespace of its own
path_udp() { # WINDOWS SIZES
	case_begin udp
	large_socket_buffers
	setup_far
	check ip addr add 10.0.0.1/24 dev eth0
	check ip link set eth0 up
	check wait_for 15 pings
	pairs 2560 "$@" ./pingpong client --udp 10.0.0.2 --both far --no-latency
	check ip addr flush dev eth0
	check far ip addr flush dev eth1
	check far ip link set eth1 netns 1
	case_end
}

# the library, with ndd0 and ndd1 up and the tunnel attached
path_udd() { # WINDOWS SIZES
	case_begin udd
	check ip link add link eth0 name ndd0 type ndd
	check ip link add link eth1 name ndd1 type ndd
	check ip link set ndd0 up
	check ip link set ndd1 up
	free_again() { check wait_for 20 both_direct; }
	pairs 20480 "$@" ./pingpong client --port $PORT --both $FAR_PORT --no-latency
	# without the backup thread's tick, and so few pairs that 0.00 a pair is none at all
	exchange ./pingpong client --port $PORT --both $FAR_PORT --no-latency --no-backup --count 96 --warm-up $WARM_UP
	free_again
	free_again() { :; }
	check ip link del ndd0
	check ip link del ndd1
	case_end
}
both_direct() { mode_is direct && [ "$(cat /sys/class/net/ndd1/ndd/mode)" = direct ]; }

# DPDK's own e1000 driver over vfio-pci: takes both NICs from the kernel for good, so it comes last
path_dpdk() { # WINDOWS SIZES
	case_begin dpdk
	if ! modprobe vfio-pci; then
		skip "no vfio-pci in this kernel"
	else
		huge_pages
		bind_vfio $PORT
		bind_vfio $FAR_PORT
		pairs 20480 "$@" ./dpdk_pairs $PORT $FAR_PORT
	fi
	case_end
}

huge_pages() { # 2 MiB each
	echo 64 >/proc/sys/vm/nr_hugepages
	mkdir -p /dev/hugepages
	mount -t hugetlbfs -o pagesize=2M huge /dev/hugepages
}

bind_vfio() { # PCI_ADDRESS
	local device=/sys/bus/pci/devices/$1
	[ ! -e $device/driver ] || echo "$1" >$device/driver/unbind
	echo vfio-pci >$device/driver_override
	echo "$1" >/sys/bus/pci/drivers_probe
}
