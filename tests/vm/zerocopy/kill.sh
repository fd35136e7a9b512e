#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The process is killed while both directions run at full load, ROUNDS times: connections go on with every octet right,
# what was received and not yet read stays as it was, no page is lost. PAGES: by how many free memory may differ.
. /lab/zerocopy.sh
ROUNDS=${ROUNDS:-4}
# what else lives in the guest moves by one or two hundred (caches of sockets and slabs); a pool has some thousand pages
PAGES=$(may_lack ${PAGES:-400})

# load_begins, load_ends: two bulk connections each way, through all that happens between
load_begins() {
	local i
	for i in 1 2; do
		server send$i ./tcpstream send 10.0.0.2 5001 --status /run/lab/send$i.octets
		server receive$i ./tcpstream receive 10.0.0.2 5001 --status /run/lab/receive$i.octets
	done
}
load_ends() {
	stop send1 send2 receive1 receive2
	for i in send1 send2 receive1 receive2; do
		check grep -q ' 0 wrong.*: kept' /run/lab/$i.out
		rm -f /run/lab/$i.octets
	done
	step "$(sed -n 's/.*: \([0-9]* octets\).*/\1/p' /run/lab/{send,receive}[12].out | tr '\n' ' ')"
}
moved() { cat /run/lab/{send,receive}[12].octets 2>/dev/null | tr '\n' ' '; }
# all_move: each connection steps forward
all_move() {
	local before after i j
	before=$(moved)
	wait_for 30 eval 'read -ra j <<<"$(moved)"; read -ra i <<<"'"$before"'"; [ ${#j[@]} = 4 ] &&
		[ ${j[0]} -gt ${i[0]:-0} ] && [ ${j[1]} -gt ${i[1]:-0} ] && [ ${j[2]} -gt ${i[2]:-0} ] && [ ${j[3]} -gt ${i[3]:-0} ]'
}

# rounds NUMBER
rounds() {
	local round
	load_begins
	for ((round = 1; round <= $1; round++)); do
		serve_port
		check all_move
		kill -9 $app
		wait_for 60 mode_is direct || { fail "round $round: $(mode)"; break; }
		check all_move
		check [ "$(cat $NDD/ended)" = died ]
	done
	load_ends
	check wait_for 5 nothing_live
}

case_begin setup 300
create_ndd0
server stream far ./tcpstream serve 5001
server shapes far ./tcpshapes serve 5003
check wait_for 10 ready far 5001
rounds 2
case_end

case_begin killed_at_full_load_${ROUNDS}_times 7200
sleep 1
before=$(free_kb)
rounds $ROUNDS
sleep 1
after=$(free_kb)
step "$ROUNDS rounds: $(((before - after) / 4)) pages less are free"
check [ $(((before - after) / 4)) -lt $PAGES ]
case_end

queues() { ss -Htn "sport = :5004" | awk '{ printf "%d ", $2 }'; }
# full: three sockets here hold what they can
full() {
	local was
	was=$(queues)
	sleep 1
	[ "$(queues)" = "$was" ] && grep -qE '^([0-9]{6,} ){3}$' <<<"$was"
}

# held HOW: connections whose received data stays where it is, across the deaths of two processes, and is read then
held() {
	local sender
	server held ./tcpshapes serve 5004 --hold "$1" --receive-buffer 800000
	check wait_for 10 ready here 5004
	serve_port
	far ./tcpshapes send 10.0.0.1 5004 --octets 2000000 --connections 3 >/run/lab/held_send.out 2>&1 </dev/null &
	sender=$!
	check wait_for 60 full
	step "in sockets: $(queues)octets; $(cat /run/lab/held.out)"
	kill -9 $app
	back
	# another pool, used well
	serve_port
	check shapes here 10.0.0.2 5003 300000 2
	kill -9 $app
	back
	kill -USR1 "${server_pid[held]}"
	check wait $sender
	cat /run/lab/held_send.out
	check [ "$(grep -c '^held .*: kept' /run/lab/held.out)" = 3 ]
	stop held
}

for how in late pipes; do
	case_begin unread_data_outlives_the_process_$how 300
	held $how
	check wait_for 5 nothing_live
	case_end
done
