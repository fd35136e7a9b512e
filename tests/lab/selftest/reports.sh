#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every case here breaks something and must be reported as failed, except those named fine_*; selftest/BUILD.bazel says how.
. /lab/break.sh

# printed NAME TEXT: what Debian's kernels can't be made to say, in the kernel's words
printed() {
	case_begin "$1"
	echo "<3>$2" >/dev/kmsg
	case_end
}

case_begin fine_before
check true
case_end

# before the first oops: after one the kernel looks for hung tasks no more
sysctl -qw kernel.hung_task_timeout_secs=1 kernel.hung_task_check_interval_secs=1
broken hung_task hung
sysctl -qw kernel.hung_task_timeout_secs=120
broken warn warn
broken bug bug
broken oops oops
broken gpf gpf
broken refcount refcount
broken page_allocation alloc

case_begin fine_announced
announce 'labbreak_warn|WARNING|Call Trace'
echo warn >$now
case_end

sysctl -qw kernel.watchdog_thresh=1
broken soft_lockup lockup
sysctl -qw kernel.watchdog_thresh=10
echo 3 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
# a grace period that has begun keeps the time it had: deleting a netdev waits for one
ip link add gp type dummy && ip link del gp
sysctl -qw kernel.soft_watchdog=0
broken rcu_stall lockup
sysctl -qw kernel.soft_watchdog=1

case_begin unregister_netdevice 60
ip link add dummy0 type dummy
echo hold >$now
ip link del dummy0 &
sleep 15
echo release >$now
wait $!
case_end

printed bad_page 'BUG: Bad page state in process ip  pfn:12345'
printed ubsan 'UBSAN: array-index-out-of-bounds in drivers/net/x.c:1:2'
printed dmar 'DMAR: [DMA Read NO_PASID] Request device [00:03.0] fault addr 0x1000 [fault reason 0x06] PTE Read access is not set'
printed dmar_status 'DMAR: DRHD: handling fault status reg 2'
printed lockdep_circular 'WARNING: possible circular locking dependency detected'
printed lockdep_state 'WARNING: inconsistent lock state'
printed kasan 'BUG: KASAN: use-after-free in x+0x1/0x2'

case_begin failed_check
check false
case_end

case_begin hang 5
sleep 60
case_end
