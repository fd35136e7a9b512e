# SPDX-License-Identifier: Apache-2.0
# Sourced by the guest scripts here: whole-system cases, with applications of the library on ndd0.
. /lab/ndd.sh

NDD=/sys/class/net/ndd0/ndd
APP_OUT=/run/lab/app.out
FAR_MAC=52:54:00:00:00:01
ulimit -c 0

exec {lab_nap}<> <(:)
# nap SECONDS: sleeps without a process of its own, whose start takes longer than short times here
nap() { read -rt "$1" -u "$lab_nap"; }

# start_app WORD COMMAND...: in the background, $app its pid; until it says WORD
start_app() {
	local word=$1
	shift
	: >$APP_OUT
	"$@" >$APP_OUT 2>&1 </dev/null &
	app=$!
	disown $app
	wait_for "${APP_WITHIN:-15}" grep -qE "$word" $APP_OUT || { cat $APP_OUT; fail "no '$word' from $*: $(tail -n 1 $APP_OUT)"; }
}

took() { start_app 'took' "$@"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
owner_is() { [ "$(cat $NDD/owner)" = "$1" ] || { echo "owner: $(cat $NDD/owner), not $1"; return 1; }; }
waiting_is() { [ "$(cat $NDD/waiting)" = "$1" ]; }
# restores: how many holds have ended so far, but for those that were passed on
restores() { dmesg | grep -c 'tunnel -> restoring'; }
ended_is() { [ "$(cat $NDD/ended)" = "$1" ] || { echo "ended: $(cat $NDD/ended), not $1"; return 1; }; }

# phase NAME: CLOCK_MONOTONIC in us, 0 if it has not happened since the last take
phase() {
	local name ns
	while read -r name ns; do
		[ "$name" = "$1" ] && echo $((ns / 1000))
	done <$NDD/phases
}
# phase_ms FROM TO: with one decimal
phase_ms() {
	local us=$(($(phase "$2") - $(phase "$1")))
	echo "$((us / 1000)).$((us / 100 % 10))"
}

# median, of the numbers in a file
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# stat_of NAME [NETDEV]: a counter of ethtool -S
stat_of() { ethtool -S "${2:-ndd0}" | awk -v name="$1:" '$1 == name { print $2 }'; }
far_stat() { far ethtool -S eth1 | awk -v name="$1:" '$1 == name { print $2 }'; }

live() { (cd /sys/module/kagent/parameters && cat live_sessions live_pages live_skbs) | tr '\n' ' '; }
nothing_live() { [ "$(live)" = "0 0 0 " ]; }

# may_lack PAGES: how many pages fewer may be free; the debug kernel's KASAN holds back what was freed, up to 1/32 of memory
may_lack() {
	local held=0
	[ -z "$lab_debug" ] || held=$(awk '/^MemTotal:/ { print int($2 / 4 / 32) }' /proc/meminfo)
	echo $(($1 + held))
}
# memory that nobody has: free, in the lists of single CPUs, and what the kernel gives back when asked, empty slabs too
free_kb() {
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 | tee /sys/kernel/slab/{skbuff*,kmalloc*,:*}/shrink >/dev/null
	awk '/^MemFree:/ { kb += $2 } /^ +count:/ { kb += 4 * $2 } END { print kb }' /proc/meminfo /proc/zoneinfo
}
