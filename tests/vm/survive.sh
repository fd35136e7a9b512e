#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TCP connections opened before the first of CYCLES takes and kills live through all of them; how long each phase takes,
# against what the in-kernel driver needs for its own bind and link.
. /lab/vm.sh

CYCLES=${CYCLES:-10}
# a minute each on the debug kernel
[ -z "$lab_debug" ] || CYCLES=5
FIGURES=/run/lab/figures
mkdir -p $FIGURES

# stream NAME COMMAND...: a tcpstream in the background
declare -A stream_pid
stream() {
	local name=$1
	shift
	"$@" --status "/run/lab/$name.octets" >"/run/lab/$name.out" 2>&1 </dev/null &
	stream_pid[$name]=$!
}
octets() { cat "/run/lab/$1.octets" 2>/dev/null || echo 0; }
STREAMS="out in far_out far_in talk"

# moved COMMAND...: each stream steps forward meanwhile
all_move() {
	local name before
	for name in $STREAMS; do
		before=$(octets $name)
		wait_for 10 eval "[ \$(octets $name) -gt $before ]" || { fail "stream $name stands still in mode $(mode)"; return 1; }
	done
}

serving() { [ "$(cat /sys/class/net/ndd0/carrier 2>/dev/null)" = 1 ] && pings; }

case_begin own_bind_and_link 240
# what the driver needs by itself, in the same boot: bind, open, carrier
setup_far
check ip link set eth0 up
for ((i = 0; i < CYCLES; i++)); do
	echo $PORT >/sys/bus/pci/drivers/e1000e/unbind
	start=$(now_us)
	echo $PORT >/sys/bus/pci/drivers/e1000e/bind
	bound=$(now_us)
	ip link set eth0 up
	up=$(now_us)
	until read -r on 2>/dev/null </sys/class/net/eth0/carrier && [ "$on" = 1 ]; do nap 0.002; done
	end=$(now_us)
	echo $(((bound - start) / 100)) >>$FIGURES/own_bind
	echo $(((up - start) / 100)) >>$FIGURES/own_up
	echo $(((end - start) / 100)) >>$FIGURES/own_link
done
tenths() { local v; v=$(median "$FIGURES/$1"); echo "$((v / 10)).$((v % 10))"; }
step "own driver, median of $CYCLES, ms: bind $(tenths own_bind), up $(tenths own_up), link $(tenths own_link)"
check ip link set eth0 down
case_end

case_begin connections_before_the_first_take 60
check ip link add link "$(lower)" name ndd0 type ndd
check ip addr add 10.0.0.1/24 dev ndd0
check ip link set ndd0 up
check wait_for 15 pings
./tcpstream serve 5002 >/run/lab/serve.out 2>&1 &
far ./tcpstream serve 5001 >/run/lab/far_serve.out 2>&1 &
sleep 0.5
far_rx=$(far_stat rx_bytes) far_tx=$(far_stat tx_bytes)
stream out ./tcpstream send 10.0.0.2 5001 --rate 1000000
stream in ./tcpstream receive 10.0.0.2 5001 --rate 1000000
stream talk ./tcpstream talk 10.0.0.2 5001
stream far_out far ./tcpstream send 10.0.0.1 5002 --rate 250000
stream far_in far ./tcpstream receive 10.0.0.1 5002 --rate 250000
check wait_for 5 all_move
far ./pingpong server --raw eth1 --blocking >/run/lab/far_pingpong.out 2>&1 &
check [ "$(cat /proc/sys/net/ipv4/tcp_retries2)" = 15 ]
case_end

# one_cycle: take, see that the streams go through the tunnel, kill, see them in direct mode
one_cycle() {
	local ktx krx kill_at
	took ./pingpong client --port ndd0 --peer $FAR_MAC --rate 500 --blocking
	check mode_is tunnel
	check [ -z "$(lower)" ]
	check [ "$(driver)" = nddcore ]
	ktx=$(stat_of ktx_frames) krx=$(stat_of krx_frames)
	all_move
	check [ "$(stat_of ktx_frames)" -gt "$ktx" ]
	check [ "$(stat_of krx_frames)" -gt "$krx" ]
	[ "$(stat_of nic_app_rx_frames)" -gt 0 ] || check wait_for 3 eval '[ "$(stat_of nic_app_rx_frames)" -gt 0 ]'
	kill_at=$(now_us)
	kill -9 $app
	until read -r m 2>/dev/null <$NDD/mode && [ "$m" = direct ]; do
		[ $(($(now_us) - kill_at)) -lt 20000000 ] || { fail "not back within 20 s: $m"; return 1; }
		nap 0.005
	done
	until ping -c 1 -W 0.1 10.0.0.2 >/dev/null; do
		[ $(($(now_us) - kill_at)) -lt 30000000 ] || { fail "no ping within 30 s"; return 1; }
	done
	echo $((($(now_us) - kill_at) / 100)) >>$FIGURES/first_ping
	check [ "$(driver)" = e1000e ]
	check wait_for 5 eval '[ "$(phase end_link)" != 0 ]'
	echo $((($(phase take_started) - $(phase take_begin)) / 100)) >>$FIGURES/take
	local at
	for at in quiesced probed up link; do
		echo $((($(phase end_$at) - $(phase end_noticed)) / 100)) >>$FIGURES/end_$at
	done
	all_move
}

case_begin takes_and_kills 300
for ((i = 0; i < CYCLES; i++)); do
	one_cycle || break
done
check nothing_live
case_end

case_begin all_connections_kept 60
sleep 1
far_rx=$(($(far_stat rx_bytes) - far_rx)) far_tx=$(($(far_stat tx_bytes) - far_tx))
sent=$(($(octets out) + $(octets far_in))) received=$(($(octets in) + $(octets far_out)))
# the wire carried what the sockets did: once, with headers, acknowledgements and what was sent again
step "octets: sockets out $sent, far NIC received $far_rx; sockets in $received, far NIC sent $far_tx"
check [ $far_rx -gt $sent ]
check [ $far_tx -gt $received ]
check [ $far_rx -lt $((sent * 2)) ]
check [ $far_tx -lt $((received * 2)) ]
for name in $STREAMS; do
	case $name in far_*) pkill -TERM -f "tcpstream.*$name.octets" ;; *) kill -TERM "${stream_pid[$name]}" ;; esac
	wait "${stream_pid[$name]}" || fail "$name: $(tail -n 1 "/run/lab/$name.out")"
	step "$name: $(tail -n 1 "/run/lab/$name.out")"
done
case_end

case_begin figures
step "take (NDD_TAKE to tunnel), median of $CYCLES, ms: $(tenths take)"
step "death, ms after noticed: quiesced $(tenths end_quiesced), driver bound $(tenths end_probed), up $(tenths end_up), link $(tenths end_link); kill to first ping $(tenths first_ping)"
step "against the driver's own bind + link $(tenths own_link): $(awk -v a="$(median $FIGURES/end_link)" -v b="$(median $FIGURES/own_link)" 'BEGIN { printf "%.2f x", a / b }')"
for name in out in; do
	step "bulk stream $name: $(grep -o 'longest stall.*ms' /run/lab/$name.out)"
done
case_end
