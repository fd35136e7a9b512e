#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# For how long the kernel's traffic through ndd0 pauses when an application that has the port is killed and ndd-keeper
# goes on, and when it gives the port away to the next one: the longest gap in a train of a datagram each millisecond,
# in virtual time. Beside it the same train while nothing happens.
. /lab/vm.sh
. /lab/train.sh

ROUNDS=20
# of the median, in us; who gives the port away also ends its threads and closes its device first, on the one CPU
MOST_KILLED=10000
MOST_GIVEN_AWAY=20000


# soon COMMAND...: as wait_for, without a process of its own for each look
soon() {
	local i
	for i in $(seq 1000); do
		"$@" >/dev/null && return 0
		nap 0.01
	done
	fail "not within 10 s: $*"
}

# gap KIND: the longest since it was asked last, into the list of its kind
gap() {
	local what us lost rest
	read -r what us what lost rest <<<"$(train_told)"
	echo "$us" >>/run/lab/gaps.$1
	echo "$lost" >>/run/lab/lost.$1
}

# gaps KIND: as text
gaps() {
	sort -n /run/lab/gaps.$1 | awk -v kind="$1" '{ v[NR] = $1 }
		END { printf "%s: %d gaps, us min %d p50 %d p99 %d max %d", kind, NR, v[1], v[int((NR + 1) / 2)], v[int(NR * 0.99 + 0.5)], v[NR] }'
	awk '{ sum += $1 } END { printf ", datagrams lost %d", sum }' /run/lab/lost.$1
}

take() {
	./ends serve >$APP_OUT 2>&1 </dev/null &
	app=$!
	disown $app
	soon owner_is $app
	soon waiting_is 1
}

case_begin gaps 600
create_ndd0
./ndd-keeper ndd0 >/run/lab/keeper.out 2>&1 </dev/null &
keeper=$!
disown $keeper
take
check wait_for 15 pings
start_train
nap 1
train_told >/dev/null
for round in $(seq $ROUNDS); do
	nap 0.3
	gap noise
	kill -9 $app
	soon owner_is $keeper
	nap 0.3
	gap killed
	take
	nap 0.3
	gap given_away
done
for kind in noise killed given_away; do step "$(gaps $kind)"; done
check [ "$(restores)" = 0 ]
check [ "$(median /run/lab/gaps.killed)" -le $MOST_KILLED ]
check [ "$(median /run/lab/gaps.given_away)" -le $MOST_GIVEN_AWAY ]
end_train
kill -9 $app
soon owner_is $keeper
kill -TERM $keeper
back
case_end
