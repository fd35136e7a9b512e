#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An application is killed at entry and exit of every system call of take, and at random moments after; then faults of all
# classes, in random order: the process's, its rings', the NIC's. Each time the port is back and pings, and TCP lives.
# ROUNDS: how often; EACH: faults of each class.
. /lab/vm.sh
ROUNDS=${ROUNDS:-20}
SEED=${SEED:-20}
EVERY=${EVERY:-4}
EACH=${EACH:-1}
RANDOM=$SEED

# returned WHERE: the port is back and serves
returned() {
	wait_for 20 mode_is direct || { fail "$1: $(mode)"; return 1; }
	wait_for 15 pings || { fail "$1: no ping"; return 1; }
	[ "$(driver)" = e1000e ] || fail "$1: driven by $(driver)"
}

case_begin every_system_call_of_take 3600
create_ndd0
calls=$(./syscall_killer count ./ends serve | awk '$1 == "calls" { print $2 }')
returned count
[ -n "$calls" ] && [ "$calls" -gt 20 ] || fail "take has '$calls' system calls"
killed=0 tried=0
# the short tier looks at every EVERY-th, and begins elsewhere for entry and for exit
for where in entry exit; do
	[ $where = entry ] && first=1 || first=$((1 + EVERY / 2))
	for ((n = first; n <= calls; n += EVERY)); do
		tried=$((tried + 1))
		./syscall_killer $where "$n" ./ends serve >$APP_OUT 2>&1
		case $? in
		0) killed=$((killed + 1)) ;;
		3) ;; # the call was the last one's exit, or a program of fewer calls this time
		*) fail "$where of $n: $(tail -n 1 $APP_OUT)" ;;
		esac
		returned "$where of call $n" || break
	done
done
step "take has N = $calls system calls, every $EVERY. looked at; killed $killed times of $tried, back each time"
check [ $((killed * 4)) -ge $((tried * 3)) ]
check wait_for 5 nothing_live
case_end

case_begin random_moments 3600
for ((i = 0; i < ROUNDS; i++)); do
	us=$((RANDOM % 1000 * (RANDOM % 1000)))
	./syscall_killer after $us ./ends serve >$APP_OUT 2>&1 || fail "after $us us: $(tail -n 1 $APP_OUT)"
	returned "after $us us" || break
done
step "seed $SEED: $i rounds, back each time"
check [ $i = "$ROUNDS" ]
check wait_for 5 nothing_live
case_end

# What is done, by which program, and how that has to end: the reason, or "lives": it is no fault that the port ends of.
# A corrupted ring, a hang and a silent NIC are for the kernel to notice, the others for nobody.
declare -A expected=(
	[kill]=died [segv]=died [sigstop]=stopped [spin]=watchdog [deadlock]=watchdog [fault]=watchdog
	[krx_ahead]=protocol [krx_behind]=protocol [ktx_ahead]=protocol [ktx_done_ahead]=protocol [krx_free_ahead]=protocol
	[stall_ktx]=stalled [stall_garbage]=stalled [mute]=stalled [stray]=stalled [deaf]=lives [kick_storm]=lives
)

# inflict CLASS: from here on the fault is there, $app has the port
inflict() {
	case $1 in
	kill) took ./ends serve && kill -9 $app ;;
	sigstop) took ./ends serve && kill -STOP $app ;;
	kick_storm) took ./hostile storm $PORT ;;
	stall_*) took ./hostile stall "${1#stall_}" $PORT ;;
	*_ahead | *_behind) took ./hostile index "${1%_*}" "${1##*_}" $PORT ;;
	*) took ./ends "$1" ;;
	esac
}

# outcome CLASS: the reason, or "lives"
outcome() {
	if [ "${expected[$1]}" = lives ]; then
		sleep 3
		mode_is tunnel && pings >/dev/null && owner_is $app && echo lives
		kill -9 $app
	fi
	wait_for 40 mode_is direct >/dev/null
	[ "${expected[$1]}" = lives ] || cat $NDD/ended
}

case_begin every_class_of_fault 7200
# what the NIC looks for where nothing is mapped is told by the IOMMU
announce 'DMAR'
far ./tcpstream serve 7000 >/run/lab/serve.out 2>&1 </dev/null &
check wait_for 5 eval 'far ss -Hltn "sport = :7000" | grep -q .'
./tcpstream send 10.0.0.2 7000 --rate 20000 --status /run/lab/octets >/run/lab/send.out 2>&1 </dev/null &
sender=$!
# a NIC or a ring that nothing goes through shows nothing
ping -q -i 0.02 10.0.0.2 >/dev/null 2>&1 </dev/null &
pinger=$!
far ping -q -i 0.02 10.0.0.1 >/dev/null 2>&1 </dev/null &
far_pinger=$!
echo 1500 >/sys/module/kagent/parameters/stall_ms
round=0
# not in a subshell, which has random numbers of its own
for ((i = 0; i < EACH; i++)); do
	for class in "${!expected[@]}"; do echo "$RANDOM $class"; done
done >/run/lab/order
for class in $(sort -n /run/lab/order | cut -d' ' -f2); do
	round=$((round + 1))
	inflict "$class"
	end=$(outcome "$class")
	returned "round $round, $class" || break
	step "fault $round: $class | ${end:-dead} | noticed to direct $(phase_ms end_noticed end_up) ms"
	[ "$end" = "${expected[$class]}" ] || fail "round $round, $class: '$end', not ${expected[$class]}"
	pkill -9 -x 'ends|hostile'
done
step "seed $SEED: $round faults of ${#expected[@]} classes, back each time"
check [ $round = $((EACH * ${#expected[@]})) ]
kill $pinger $far_pinger
octets=$(cat /run/lab/octets)
check wait_for 20 eval '[ "$(cat /run/lab/octets)" -gt $octets ]'
kill $sender
wait $sender || fail "TCP broke: $(cat /run/lab/send.out)"
step "$(cat /run/lab/send.out)"
check wait_for 5 nothing_live
case_end
