#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ndd-keeper waits behind applications of the library: whatever becomes of these, the NIC is never reset, the kernel's
# traffic goes on, and the next application has the port at once, if it likes from the one before.
. /lab/vm.sh
. /lab/train.sh

KEEPER_OUT=/run/lab/keeper.out

said() { grep -c "$1" $KEEPER_OUT; }

start_keeper() {
	./ndd-keeper ndd0 >$KEEPER_OUT 2>&1 </dev/null &
	keeper=$!
	disown $keeper
}

# kept REASON: the port is the keeper's, and was nobody's in between
kept() {
	check wait_for 10 owner_is $keeper
	check mode_is tunnel
	check ended_is "$1"
	check [ "$(restores)" = 0 ]
	check wait_for 5 pings
	train_gap "$1"
}

# app COMMAND...: an application takes the port, from the keeper or from the in-kernel driver, and the keeper waits
app() {
	took "$@"
	check wait_for 10 owner_is $app
	check wait_for 10 waiting_is 1
	check wait_for 5 pings
}

case_begin an_application_takes_and_the_keeper_waits
create_ndd0
check wait_for 5 nothing_live
start_keeper
start_train
app ./ends serve
check wait_for 5 grep -q 'waits behind the owner of ndd0' $KEEPER_OUT
train_gap 'taken from the in-kernel driver'
nap 1
train_gap 'nothing happens'
case_end

case_begin killed
kill -9 $app
kept died
case_end

case_begin the_next_application_takes_over
app ./ends serve
train_gap 'given away'
check [ "$(said 'goes to the process that wants it')" = 1 ]
check [ "$(restores)" = 0 ]
case_end

case_begin gives_back
kill $app
wait_for 10 gone $app
kept died
took ./ends destroy # which has the port for a moment only
kept given-back
kill -9 $app
case_end

case_begin hangs
for how in stop spin; do
	app ./ends $how ndd0 0 300
	check wait_for 20 owner_is $keeper
	check wait_for 5 gone $app
	step "$how: $(cat $NDD/ended)"
	check [ "$(restores)" = 0 ]
done
case_end

case_begin a_second_instance_wins
train_gap 'two that hung'
# one that waits is the newest; it goes on with its own traffic, too
app ./ends serve
first=$app
./ends follow >/run/lab/second.out 2>&1 </dev/null &
second=$!
disown $second
check wait_for 10 waiting_is 2
kill -9 $first
check wait_for 10 owner_is $second
check wait_for 5 pings
kill -9 $second
kept died
case_end

# Each version takes the port from the one before, in the middle of messages that have to come back, all and in order, while
# TCP runs beside them.
case_begin an_application_is_upgraded 180
app ./pingpong server --port ndd0 --yield --blocking
far ./tcpstream serve 7000 >/run/lab/serve.out 2>&1 </dev/null &
check wait_for 5 eval 'far ss -Hltn "sport = :7000" | grep -q .'
./tcpstream send 10.0.0.2 7000 --rate 500000 --status /run/lab/octets >/run/lab/send.out 2>&1 </dev/null &
sender=$!
far ./pingpong client --raw eth1 --peer "$(cat /sys/class/net/ndd0/address)" --blocking --rate 500 --check-all \
	--loss-timeout 100s >/run/lab/client.out 2>&1 </dev/null &
client=$!
nap 1
for version in 2 3 4 5 6; do
	old=$app
	app ./pingpong server --port ndd0 --yield --blocking
	check wait_for 5 gone "$old"
	check ended_is given-back
done
nap 1
pkill -TERM -f 'pingpong client'
check wait_for 10 gone $client
cat /run/lab/client.out
step "5 upgrades: $(grep pairs /run/lab/client.out)"
check grep -qE '^[1-9][0-9]* pairs in .*lost 0, out of order 0, damaged 0' /run/lab/client.out
check [ "$(restores)" = 0 ]
check kill $sender
wait $sender || fail "TCP broke: $(cat /run/lab/send.out)"
train_gap 'upgraded 5 times'
kill -9 $app
kept died
case_end

case_begin the_keeper_ends
app ./ends serve
kill -9 $keeper
check wait_for 5 waiting_is 0
check owner_is $app
kill -9 $app
back
check ended_is died
check wait_for 5 nothing_live
start_keeper
app ./ends serve
kill -9 $app
check wait_for 10 owner_is $keeper
kill -TERM $keeper
back
check ended_is given-back
check wait_for 5 nothing_live
end_train
case_end
