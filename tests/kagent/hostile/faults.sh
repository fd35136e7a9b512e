#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A process that owns the port does at random what it likes, hold after hold, for TIME seconds, while the kernel sends: the port
# is back each time, the kernel has nothing to report, and nothing is left.
. /lab/vm.sh
TIME=${TIME:-60}
SEED=${SEED:-$RANDOM}

case_begin random_faults $((TIME + 120))
step "seed $SEED"
[ -e $NDD ] || create_ndd0 # the script before this one may have left it
check wait_for 5 nothing_live
# it goes on sending while nobody answers
check ip neigh replace 10.0.0.2 lladdr $FAR_MAC dev ndd0 nud permanent
for size in 56 1400 6000; do
	ping -q -i 0.002 -s $size 10.0.0.2 >/dev/null 2>&1 </dev/null &
	disown
	senders="$senders $!"
done
./faults $PORT "$TIME" "$SEED" >$APP_OUT 2>&1 || fail "$(grep -vE '^faults:' $APP_OUT | tail -n 2)"
step "$(grep '^faults:' $APP_OUT)"
step "$(ethtool -S ndd0 | grep -E 'k.x_(frames|drop)' | grep -v ' 0$' | tr -s '\n ' ' ')"
kill $senders
check ip neigh del 10.0.0.2 dev ndd0
back
check wait_for 5 nothing_live
case_end
