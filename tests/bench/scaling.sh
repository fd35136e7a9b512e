#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a taken port costs as things grow: guest instructions and memory against the pool, the rings, the number of ports
# one thread serves, and the number of TCP connections that go through the tunnel. NICs 0 to 7 are four pairs back to back.
# Counts are judged in BUILD.bazel, memory here.
. /lab/tcp.sh

PAGE_KIB=4 # a buffer is a page
echo +memory >/sys/fs/cgroup/cgroup.subtree_control

pci() { printf '0000:00:%02x.0' $((3 + $1)); }
back_in_direct() { ! grep -qv direct /sys/class/net/ndd*/ndd/mode && far grep -q direct /sys/class/net/ndd1/ndd/mode; }

# in_cgroup NAME COMMAND...: run in a control group of its own, which is charged with pools and rings, too; then $kib
in_cgroup() {
	local group=/sys/fs/cgroup/$1
	shift
	mkdir "$group" && ( echo $BASHPID >"$group/cgroup.procs" && exec "$@" ) && kib=$(($(cat "$group/memory.peak") / 1024))
}

# pairs NAME PAIRS OPTION...: one figure; KiB a port, and what the process itself needs of it, in $kib
pairs() {
	local name=$1 n=$2 i args=""
	shift 2
	for ((i = 0; i < n; i++)); do args="$args --pair $(pci $((2 * i))) $(pci $((2 * i + 1)))"; done
	kib=0
	check in_cgroup "$name" ./many_ports "$name" $args --count 32768 "$@"
	kib=$((kib / (2 * n)))
	step "$name: $kib KiB a port"
	check [ $kib -gt 0 ]
	check wait_for 20 back_in_direct
}

# pool N: with N buffers of the process's own, half of the pool; the kernel has the other half to send from and to exchange
pool() { pairs "pool_$1" 1 --buffers $((2 * $1)); }

case_begin connections
bare
for n in 1 16 256; do check ./kernel_load round bare_connections_$n 10.0.0.2 --to far --connections $n --warm-up 512 --count 2048; done
direct
tunnel poll
for n in 1 16 256; do check ./kernel_load round tunnel_connections_$n 10.0.0.2 --to far --connections $n --warm-up 512 --count 2048; done
end_tunnel
case_end

case_begin pool
far ip addr flush dev eth1 # a lower with addresses is refused
check far ip link add link eth1 name ndd1 type ndd
check far ip link set ndd1 up
pool 256 # the least
least=$kib
for n in 1024 4096 16384; do pool $n; done
grown=$((kib - least)) buffers=$((2 * (16384 - 256)))
check [ "$grown" -le $((buffers * PAGE_KIB * 105 / 100)) ] # a further buffer costs its page, and 5 % at most
case_end

case_begin rings
for n in 64 1024 16384; do pairs ring_$n 1 --ring-size $n; done
case_end

case_begin ports
for ((n = 2; n < 8; n++)); do
	check ip link add link eth$n name ndd$n type ndd
	check ip link set ndd$n up
done
pairs ports_2 1
least=$kib
for n in 2 3 4; do
	pairs ports_$((2 * n)) $n
	check [ "$kib" -le $((least * 105 / 100)) ]
done
case_end
