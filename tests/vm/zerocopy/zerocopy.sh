# SPDX-License-Identifier: Apache-2.0
# Sourced by the guest scripts here: an application beside which the kernel's traffic runs, streams whose every octet is
# checked, and what tells of damage, drops and leaks.
. /lab/vm.sh
# an application starts slowly beside bulk traffic on two emulated CPUs
APP_WITHIN=60

SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}

# server NAME [NAMESPACE] COMMAND...: in the background, ${server_pid[NAME]} its pid, /run/lab/NAME.out what it says
declare -A server_pid
server() {
	local name=$1
	shift
	"$@" >"/run/lab/$name.out" 2>&1 </dev/null &
	server_pid[$name]=$!
	disown $!
}
# ready NAMESPACE PORT: something listens there
ready() { "$1" ss -Hltn "sport = :$2" | grep -q .; }
here() { "$@"; }
stop() {
	local name
	for name in "$@"; do kill "${server_pid[$name]}" 2>/dev/null; done
	for name in "$@"; do wait_for 10 gone "${server_pid[$name]}" || fail "$name does not end"; done
}

# serve_port [OPTION...]: pingpong has the port and exchanges messages; far's pingpong runs from the first call on
serve_port() {
	[ -n "${server_pid[pingpong]}" ] || server pingpong far ./pingpong server --raw eth1 --blocking
	took ./pingpong client --port ndd0 --peer $FAR_MAC --rate 200 --blocking --loss-timeout 100s --watchdog 30s "$@"
	check mode_is tunnel
}
# end_app: ... of its own accord
end_app() {
	kill -TERM $app
	check wait_for 10 gone $app
	step "application: $(grep pairs $APP_OUT)"
	back
}
lost_nothing() { grep -qE '^[1-9][0-9]* pairs in .*lost 0, out of order 0, damaged 0' $APP_OUT; }

# shapes WHERE HOST PORT OCTETS CONNECTIONS: tcpshapes from WHERE (here, far, behind), both directions at the same time
shapes() {
	local sender status=0
	SEED=$((SEED + 1))
	$1 timeout 100 ./tcpshapes send "$2" "$3" --octets "$4" --connections "$5" --seed $SEED \
		>/run/lab/shapes_send.out 2>&1 </dev/null &
	sender=$!
	$1 timeout 100 ./tcpshapes receive "$2" "$3" --octets "$4" --connections "$5" --seed $SEED \
		>/run/lab/shapes_receive.out 2>&1 </dev/null || status=1
	wait $sender || status=1
	cat /run/lab/shapes_send.out /run/lab/shapes_receive.out
	[ $status = 0 ] || step "seed $SEED: $(tail -qn 1 /run/lab/shapes_*.out | tr '\n' ' ')"
	return $status
}

# What both ends' kernels and the far NIC found wrong: checksums and headers of IP, TCP, UDP and ICMP.
damage() {
	{
		nstat -asz
		far nstat -asz
	} | awk '/CsumErrors|InHdrErrors/ { n += $2 } END { printf "%d ", n }'
	far_stat rx_csum_offload_errors
}
no_damage() { damage | tee /run/lab/damage && grep -qx '0 0' /run/lab/damage; }

# of all counters that count what was thrown away
drops() { ethtool -S ndd0 | awk '/drop|missed|errors/ { n += $2 } END { print n }'; }
