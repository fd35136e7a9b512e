#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What only the debug kernel sees: each of its checks reports what labbreak.ko does wrong. The leak is told by the guest's
# own kernel_checks only, which must notice, too, that lockdep is off in the end: it goes off with its first report of a
# cycle, and with any of KASAN's, so those come last.
. /lab/break.sh

broken rcu rcu
broken sleep_in_atomic sleep
broken free_timer free_timer
broken dma dma

case_begin fine_leak_is_told_at_the_end
echo leak >$now
case_end

broken circular circular
broken use_after_free use_after_free
