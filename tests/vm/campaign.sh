#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An application is killed at entry and exit of every system call of take, and at random moments after; each time the
# port is back and pings. ROUNDS: how often.
. /lab/vm.sh
ROUNDS=${ROUNDS:-20}
SEED=${SEED:-20}
EVERY=${EVERY:-4}
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
