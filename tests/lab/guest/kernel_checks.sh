#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The last program of every guest on the debug kernel: what that kernel tells only when it is asked, and whether it still looks.
. /lab/case.sh
leaks=/sys/kernel/debug/kmemleak

# the first scan notes what nobody points to, the second reports what is still so; younger than 5 s it does not count
case_begin no_memory_leaked
sleep 6
check sh -c "echo scan >$leaks"
sleep 1
check sh -c "echo scan >$leaks"
found=$(cat $leaks)
if [ -n "$found" ]; then
	echo "$found" | head -n 200
	fail "$(grep -c '^unreferenced' <<<"$found") leaks, the first: $(sed '1d;/^unreferenced/,$d' <<<"$found" | tr -s ' \n' ' ')"
fi
case_end

# each of these turns itself off after a report, or when it runs out of room
case_begin checks_still_on
check grep -q 'debug_locks: *1' /proc/lockdep_stats
check grep -qx N /sys/kernel/debug/dma-api/disabled
case_end
