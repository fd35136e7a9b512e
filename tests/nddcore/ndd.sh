# SPDX-License-Identifier: Apache-2.0
# Sourced by nddcore's guest scripts: ndd0 over the first NIC, the far side in a namespace, and who drives the port.
. /lab/case.sh

PORT=0000:00:03.0
DEVICE=/sys/bus/pci/devices/$PORT
HOLDER_OUT=/run/lab/holder.out

mode() { cat /sys/class/net/ndd0/ndd/mode; }
mode_is() { [ "$(mode)" = "$1" ]; }
reason() { cat /sys/class/net/ndd0/ndd/reason; }
driver() { basename "$(readlink $DEVICE/driver)"; }
lower() { netdev_of 03; }
pings() { ping -c 1 -W 1 10.0.0.2; }

# all_answered COUNT PING_COMMAND...: its first COUNT are, in whatever time. Without a deadline ping waits no longer for the
# last answer than twice the longest before; with one it goes on asking meanwhile.
all_answered() {
	local count=$1
	shift
	"$@" -n -c "$count" -w 30 >/run/lab/pings.out
	tail -n 3 /run/lab/pings.out
	awk -v count="$count" 'match($0, /icmp_seq=[0-9]+/) { answered[substr($0, RSTART + 9, RLENGTH - 9)] }
		/wrong data/ { print; bad = 1 }
		END { for (i = 1; i <= count; i++) if (!(i in answered)) { print "ping " i " is not answered"; bad = 1 }; exit bad }' \
		/run/lab/pings.out
}

# create_ndd0: direct mode, 10.0.0.1/24 on ndd0, the far side at 10.0.0.2; waits until it pings
create_ndd0() {
	setup_far
	check ip link add link "$(lower)" name ndd0 type ndd
	check ip addr add 10.0.0.1/24 dev ndd0
	check ip link set ndd0 up
	check wait_for 15 pings
	check mode_is direct
}

# hold COMMAND...: a holder in the background, $holder its pid; waits until it says ready
hold() {
	: >$HOLDER_OUT
	"$@" >$HOLDER_OUT 2>&1 </dev/null &
	holder=$!
	wait_for 10 eval "grep -q ready $HOLDER_OUT || ! kill -0 $holder"
	grep -q ready $HOLDER_OUT || fail "no holder: $*: $(tail -n 1 $HOLDER_OUT)"
}

taken() { [ "$(driver)" = nddcore ] && [ -z "$(lower)" ]; }

# lose: the port is lost, its registers are somebody else's until `rmmod blockbar`
lose() {
	local start end
	announce 'can.t be bound again'
	hold ./holder unopened $PORT
	read -r start end _ <$DEVICE/resource
	check modprobe blockbar start=$start size=$((end - start + 1))
	kill -9 $holder
	check wait_for 5 mode_is lost
}

# back: the in-kernel driver serves ndd0 again
back() {
	check wait_for 20 mode_is direct
	check [ "$(driver)" = e1000e ]
	check [ "$(readlink $DEVICE/../0000:00:03.0/net/*/master | xargs basename)" = ndd0 ]
	check wait_for 15 pings
}
