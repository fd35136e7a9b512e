#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every way in which an application ends or hangs leads back to direct mode, with the right reason, and ndd0 pings.
. /lab/vm.sh

# returned REASON: the hold ended so, and the port is back
returned() {
	back
	check ended_is "$1"
	step "$1: noticed to direct $(phase_ms end_noticed end_up) ms"
}

lives() { kill -0 "$1" && [ "$(cut -d' ' -f3 "/proc/$1/stat")" != Z ]; }

case_begin first
create_ndd0
far ./pingpong server --raw eth1 --blocking >/run/lab/far.out 2>&1 &
case_end

case_begin closes
for how in close destroy catch; do
	start_app 'living on' ./ends $how
	returned given-back
	check lives $app
	kill -9 $app
done
case_end

case_begin exits
for how in return exit; do
	took ./ends $how
	back
	check gone $app
	step "$how: $(cat $NDD/ended)"
done
case_end

case_begin exception
took ./ends throw
returned died
case_end

case_begin crash_with_core_dump
cd /tmp || fail "no /tmp"
echo /tmp/core >/proc/sys/kernel/core_pattern
for how in abort segv; do
	rm -f /tmp/core*
	took bash -c "ulimit -c unlimited; exec /lab/ends $how"
	returned died
	check [ -n "$(ls /tmp/core* 2>/dev/null)" ]
done
rm -f /tmp/core*
cd /lab || fail "no /lab"
case_end

case_begin killed_while_dumping_core
# the reader of the dump never reads: the dump lasts until SIGKILL, which comes before the watchdog on a slow machine, too
printf '#!/bin/bash\nsleep 60\n' >/tmp/slow_reader
chmod +x /tmp/slow_reader
echo '|/tmp/slow_reader' >/proc/sys/kernel/core_pattern
took bash -c "ulimit -c unlimited; exec /lab/ends abort ndd0 0 30000"
check wait_for 5 pgrep -f slow_reader
kill -9 $app
returned died
pkill -f slow_reader
# nobody kills it: the watchdog does
took bash -c "ulimit -c unlimited; exec /lab/ends abort"
check wait_for 5 pgrep -f slow_reader
back
step "dump that hangs: $(cat $NDD/ended)"
check wait_for 5 gone $app
pkill -f slow_reader
echo core >/proc/sys/kernel/core_pattern
case_end

case_begin sigkill
took ./pingpong client --port ndd0 --peer $FAR_MAC
sleep 0.3
kill -9 $app
returned died
case_end

case_begin sigstop_and_watchdog
took ./pingpong client --port ndd0 --peer $FAR_MAC
sleep 0.3
kill -STOP $app
returned stopped
check wait_for 5 gone $app
# stops itself, asleep in wait() or not
took ./ends stop
returned stopped
check wait_for 5 gone $app
case_end

case_begin hangs_without_backup
took ./ends spin
returned watchdog
check wait_for 5 gone $app
case_end

case_begin app_deadline
took ./pingpong client --port ndd0 --peer $FAR_MAC --hang-after 500ms --app-deadline 300ms
returned app-deadline
check wait_for 5 gone $app
case_end

case_begin computes_without_deadline
took ./pingpong client --port ndd0 --peer $FAR_MAC --compute-after 300ms --compute-for 2s
sleep 0.5
# nobody polls now: the backup thread answers
for i in 1 2 3 4 5; do check ping -c 1 -W 0.5 10.0.0.2; done
check mode_is tunnel
[ "$(stat_of nic_backup_services)" -gt 0 ] || fail "the backup thread did nothing"
sleep 2
check mode_is tunnel
kill -9 $app
returned died
case_end

case_begin forked_child_lives_on
took ./ends fork
check wait_for 5 grep -q child $APP_OUT
child=$(awk '/^child/ { print $2 }' $APP_OUT)
returned died
check lives "$child"
kill -9 "$child"
case_end

case_begin child_keeps_the_descriptors
took ./ends clone
check wait_for 5 grep -q child $APP_OUT
child=$(awk '/^child/ { print $2 }' $APP_OUT)
check wait_for 5 mode_is held
check ended_is died
step "held: owner $(cat $NDD/owner), the child is $child"
check lives "$child"
refuse 'changing hands|taken|held' ./ends serve
kill -9 "$child"
back
case_end

case_begin exec
took ./ends exec
back
step "exec: $(cat $NDD/ended)"
check lives $app
check [ "$(cat /proc/$app/comm)" = sleep ]
kill -9 $app
case_end

case_begin gdb_breakpoint
command -v gdb >/dev/null || skip "no gdb"
if command -v gdb >/dev/null; then
	cat >/run/lab/gdb <<-'GDB'
		set pagination off
		set breakpoint pending on
		set debuginfod enabled off
		handle SIGBUS nostop noprint pass
		break ppoll
		run
		shell echo stopped >>/run/lab/gdb.steps; while [ ! -e /run/lab/go_on ]; do sleep 0.1; done
		delete
		continue
	GDB
	rm -f /run/lab/gdb.steps /run/lab/go_on
	start_app took gdb -nx -batch -x /run/lab/gdb --args ./ends serve
	check wait_for 20 grep -q stopped /run/lab/gdb.steps
	# the kernel has its port as soon as the holder lets go, the process is not killed
	check wait_for 10 mode_is held
	check ended_is debugger
	check [ -n "$(pidof ends)" ]
	touch /run/lab/go_on
	check wait_for 10 grep -q 'lost: ' $APP_OUT
	returned debugger
	check wait_for 5 gone $app
	cat $APP_OUT
fi
case_end

case_begin gdb_and_hold
if command -v gdb >/dev/null; then
	took ./pingpong client --port ndd0 --peer $FAR_MAC --hold-on-debugger
	rm -f /run/lab/go_on /run/lab/gdb.steps
	gdb -nx -batch -p $app -ex 'shell echo stopped >>/run/lab/gdb.steps; while [ ! -e /run/lab/go_on ]; do sleep 0.1; done' \
		-ex detach >/run/lab/gdb.out 2>&1 </dev/null &
	check wait_for 20 grep -q stopped /run/lab/gdb.steps
	sleep 3
	check mode_is tunnel
	touch /run/lab/go_on
	check wait_for 10 pings
	check mode_is tunnel
	kill -9 $app
	returned died
else
	skip "no gdb"
fi
case_end

# ndd0 goes while the kernel is in the middle of sending over it
case_begin deleted_at_full_load 120
for round in 1 2 3; do
	took ./ends serve
	check wait_for 5 pings
	./frames ndd0 $FAR_MAC 0x9999 1514 10000000 >/dev/null 2>&1 &
	sender=$!
	nap 0.4
	check ip link del ndd0
	check wait_for 10 gone $app
	check wait_for 5 gone $sender
	wait_for 10 eval '[ "$(netdev_of 03)" = eth0 ]' || fail "no eth0 after round $round"
	check wait_for 10 sh -c '[ $((0x$(cut -c3- /sys/class/net/eth0/flags) & 0x800)) = 0 ]'
	# the port goes just after its lower has come back
	check wait_for 5 ip link add link eth0 name ndd0 type ndd
	check ip addr add 10.0.0.1/24 dev ndd0
	check ip link set ndd0 up
	check wait_for 15 pings
done
case_end

case_begin no_root_and_no_memlock
check chmod 0600 /dev/ndd/$PORT
check chown root:root /dev/ndd/$PORT
refuse "may not open|not yours to open" setpriv --reuid=1000 --regid=1000 --clear-groups ./pingpong client --port ndd0 --peer $FAR_MAC --count 10
refuse "may not open" setpriv --reuid=1000 --regid=1000 --clear-groups ./pingpong client --port $PORT --peer $FAR_MAC --count 10
check mode_is direct
check chown 1000 /dev/ndd/$PORT
check setpriv --reuid=1000 --regid=1000 --clear-groups prlimit --memlock=0:0 ./pingpong client --port ndd0 --peer $FAR_MAC --count 500
back
took setpriv --reuid=1000 --regid=1000 --clear-groups prlimit --memlock=0:0 ./pingpong client --port ndd0 --peer $FAR_MAC
check mode_is tunnel
check wait_for 5 pings
kill -9 $app
returned died
check chown 0 /dev/ndd/$PORT
case_end

case_begin nothing_left
check wait_for 5 nothing_live
check ip link del ndd0
check wait_for 5 rmmod nddcore
check rmmod kagent
case_end
