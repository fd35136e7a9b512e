#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pairs a second and latency of pingpong, over the port and over kernel sockets, 2 s each, and who else sees its frames.
# The times are an emulated machine's, good for a look at each other in one run; nothing is asserted of them.
. /lab/ndd.sh

FAR_PORT=0000:00:04.0
FAR_MAC=52:54:00:00:00:01
ETHERTYPE=0x88b5
RESULT=/run/lab/result

# server COMMAND...: the far end, in its namespace
server() {
	ip netns exec far ./pingpong server "$@" >/run/lab/server.out 2>&1 </dev/null &
	server=$!
	wait_for 20 grep -q serving /run/lab/server.out || { cat /run/lab/server.out; fail "no server: $*"; }
}
end_server() {
	kill -TERM $server
	wait $server
}

value() { sed -n "s/.*\"$1\":\"\\?\\([^,\"}]*\\).*/\\1/p" $RESULT; }

# measure LABEL COMMAND...: one row for each window
measure() {
	local label=$1 window
	shift
	for window in 1 32; do
		check ./pingpong client "$@" --window $window --duration 2s --json
		grep '^{' /run/lab/check.out >$RESULT
		step "$label, window $window: $(value pairs_per_s) pairs/s, latency us p50 $(value p50_us) p99 $(value p99_us)" \
			"p99.9 $(value p999_us), lost $(value lost)"
		check [ "$(value received)" -gt 0 ]
		[ "$label" = "udp - udp" ] || check wait_for 20 mode_is direct
	done
}

# netdevs [COMMAND...]: the names, in the namespace that the command leads to
netdevs() { "$@" ip -o link | cut -d: -f2 | cut -d@ -f1; }

# sniff_on DEV [COMMAND...]: a socket that counts the application's frames there
sniff_on() {
	local dev=$1 out=/run/lab/seen.$#.$1
	shift
	"$@" tcpdump -Z root -p -n -i "$dev" -w /dev/null ether proto $ETHERTYPE >$out 2>&1 </dev/null &
	sniffers="$sniffers $!"
	wait_for 10 grep -q 'listening on' $out || fail "no tcpdump on $dev: $(cat $out)"
}

# sniff … sniffed: frames of the application's seen meanwhile, on every netdev of both ends
sniff() {
	local dev
	sniffers=""
	rm -f /run/lab/seen.*
	for dev in $(netdevs); do sniff_on "$dev"; done
	for dev in $(netdevs ip netns exec far); do sniff_on "$dev" ip netns exec far; done
}
sniffed() {
	kill -INT $sniffers
	wait $sniffers
	# the socket's own count: tcpdump does not fetch the last ones
	cat /run/lab/seen.* | awk '/received by filter/ { sum += $1; n++ } END { print sum + 0; exit n == 0 }'
}

case_begin kernel_udp
create_ndd0
server --udp 10.0.0.2
measure "udp - udp" --udp 10.0.0.2
end_server
case_end

# that a socket can see such frames at all: in direct mode they are the kernel's
case_begin sockets_see_direct_mode
server --raw eth1
sniff
check ./pingpong client --raw ndd0 --peer $FAR_MAC --count 100 --window 1
seen=$(sniffed) || fail "tcpdump told no count"
step "frames at sockets on $(ls /run/lab/seen.* | wc -l) netdevs, AF_PACKET - AF_PACKET: $seen"
check [ "$seen" -gt 0 ]
end_server
case_end

case_begin udd_and_a_socket
server --raw eth1
measure "udd - AF_PACKET" --port ndd0 --peer $FAR_MAC
end_server
case_end

case_begin udd_and_udd
far ip addr flush dev eth1 # a lower with addresses is refused
check far ip link add link eth1 name ndd1 type ndd
check far ip link set ndd1 up
server --port $FAR_PORT
measure "udd - udd" --port ndd0 --peer $FAR_MAC
# the sockets are opened when both ends have their ports
./pingpong client --port ndd0 --peer $FAR_MAC --window 8 --duration 100s --json >$RESULT 2>&1 &
client=$!
check wait_for 20 mode_is tunnel
sniff
sleep 0.5
kill -0 $client || fail "the client ended before the count: $(cat $RESULT)"
seen=$(sniffed) || fail "tcpdump told no count"
kill -INT $client
wait $client || fail "client: $(cat $RESULT)"
step "frames at sockets on $(ls /run/lab/seen.* | wc -l) netdevs, udd - udd: $seen of $(value received) pairs"
check [ "$seen" = 0 ]
check [ "$(value received)" -gt 0 ]
end_server
case_end
