#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An application takes the port and is killed, 1000 times: free memory stays as it was, and the kernel has nothing to say.
. /lab/vm.sh
CYCLES=1000

one_cycle() {
	took ./ends serve
	kill -9 $app
	back
	[ $lab_result != FAIL ] || { echo "in cycle $1"; return 1; }
}

case_begin memory_is_flat 7200
create_ndd0
for ((i = 0; i < 20; i++)); do one_cycle "$i of warming up" || break; done
sleep 2
before=$(free_kb)
for ((i = 0; i < CYCLES; i++)); do
	one_cycle $i || break
	[ $((i % 50)) = 49 ] && step "after $((i + 1)) cycles: $(free_kb) kB free"
done
sleep 2
after=$(free_kb)
step "$i cycles: $before kB free before, $after kB after: $(((before - after) * 1000 / i / 4)) pages per 1000 cycles"
check [ $i = "$CYCLES" ]
# less than one page a cycle, both ways: what else lives in the guest moves by more than nothing
check [ $(((before - after) / 4)) -lt "$(may_lack $CYCLES)" ]
check wait_for 5 nothing_live
case_end
