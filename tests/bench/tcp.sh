# SPDX-License-Identifier: Apache-2.0
# Sourced by the benches of kernel TCP: one set of settings for every path, and one set of figures (kernel_load) over it.
. /lab/ndd.sh

FAR_PORT=0000:00:04.0
LOCAL_MAC=52:54:00:00:00:00
FAR_MAC=52:54:00:00:00:01
server= # the process that serves the tunnel, while there is one
# How much is measured: bench.mb=, bench.rounds= on the kernel's command line
parameter() { tr ' ' '\n' </proc/cmdline | sed -n "s/^bench.$1=//p"; }
MB=$(parameter mb) ROUNDS=$(parameter rounds)
: "${MB:=16}" "${ROUNDS:=1000}"

# The same for every path: nothing on the wire but TCP, the kernel's RX ring as long as the library's.
equal_settings() {
	local where
	for where in "" far; do
		$where sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
		$where sysctl -qw net.ipv4.tcp_congestion_control=cubic
	done
	check ethtool -G eth0 rx 1024
	check far ethtool -G eth1 rx 1024
}

# neighbours DEV: fixed ones for 10.0.0.1 on DEV and 10.0.0.2
neighbours() {
	check ip neigh replace 10.0.0.2 lladdr $FAR_MAC nud permanent dev "$1"
	check far ip neigh replace 10.0.0.1 lladdr $LOCAL_MAC nud permanent dev eth1
}

# bare: 10.0.0.1 is eth0's, by the in-kernel driver alone
bare() {
	setup_far
	equal_settings
	check ip addr add 10.0.0.1/24 dev eth0
	check ip link set eth0 up
	neighbours eth0
	check wait_for 15 pings
	step "settings: $(uname -r), IOMMU $(sort -u /sys/kernel/iommu_groups/*/type | xargs), e1000e," \
		"$(sysctl -n net.ipv4.tcp_congestion_control), $(tc qdisc show dev eth0 | cut -d' ' -f2 | xargs)," \
		"TSO $(ethtool -k eth0 | sed -n 's/^tcp-segmentation-offload: //p'), RX ring 1024"
}

# direct: 10.0.0.1 moves to ndd0
direct() {
	check ip addr flush dev eth0
	check ip link add link eth0 name ndd0 type ndd
	check ip addr add 10.0.0.1/24 dev ndd0
	check ip link set ndd0 up
	neighbours ndd0
	check wait_for 15 pings
	check mode_is direct
}

# tunnel poll|wait: ndd0's port is taken by an application that only serves it
tunnel() {
	./tunnel_server "$1" $PORT >/run/lab/server.out 2>&1 </dev/null &
	server=$!
	wait_for 20 grep -q ready /run/lab/server.out || { cat /run/lab/server.out; fail "no tunnel: $1"; }
	check wait_for 15 pings
	check mode_is tunnel
}
end_tunnel() {
	kill -TERM $server
	wait $server || fail "tunnel_server: $(cat /run/lab/server.out)"
	server=
	step "$(tail -n 1 /run/lab/server.out)"
	check wait_for 20 mode_is direct
	check wait_for 15 pings
}

# segments sent again by both ends, so far
retransmitted() {
	{ cat /proc/net/snmp; far cat /proc/net/snmp; } | awk '$1 == "Tcp:" && $13 ~ /[0-9]/ { sum += $13 } END { print sum + 0 }'
}

longer_than() { [ "$(wc -l <"$2")" -gt "$1" ]; }

# What the tunnel has counted so far, as NAME VALUE lines: its server, the kernel's end of it, and the wire.
counted() {
	local lines
	lines=$(wc -l </run/lab/server.out)
	kill -USR1 $server
	wait_for 10 longer_than $lines /run/lab/server.out || fail "tunnel_server tells no counters"
	# "merged 7, of segments 300, ... doorbells 5, kicks 3, ..."
	tail -n 1 /run/lab/server.out | tr ',;' '\n' |
		sed -n 's/^ \(of \)*\(merged\|segments\|doorbells\|kicks\) /\2 /p'
	ethtool -S ndd0 | sed -n 's/^ *\(k[rt]x_[a-z_]*\): /\1 /p'
	far cat /sys/class/net/eth1/statistics/tx_packets | sed 's/^/wire_in /'
	far cat /sys/class/net/eth1/statistics/rx_packets | sed 's/^/wire_out /'
	sed -n "s/^.*: *\([0-9]*\) .*$PORT.*/interrupts \1/p" /proc/interrupts
}

# counting COMMAND...: runs it, and tells what the tunnel counted meanwhile, if there is one
counting() {
	if [ ! "$server" ]; then
		check "$@"
		return
	fi
	counted >/run/lab/counted
	check "$@"
	counted | awk 'NR == FNR { old[$1] = $2; next } $2 != old[$1] { printf "%s %d, ", $1, $2 - old[$1] }' \
		/run/lab/counted - >/run/lab/counts
	step "$3: $(cat /run/lab/counts)"
}

# figures NAME: a stream each way, and one octet to and fro
figures() {
	local before
	before=$(retransmitted)
	counting ./kernel_load bulk "$1_out" 10.0.0.2 --to far --count $MB
	counting ./kernel_load bulk "$1_in" 10.0.0.1 --from far --count $MB
	counting ./kernel_load round "$1_round" 10.0.0.2 --to far --count $ROUNDS --warm-up 200
	step "$1: segments sent again, both ends: $(($(retransmitted) - before))"
}
