#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What only the debug kernel sees: each of its checks reports what labbreak.ko does wrong. The last one turns lockdep off, which
# the guest's own kernel_checks must notice, and the leak is told only by them.
. /lab/break.sh

broken use_after_free use_after_free
broken sleep_in_atomic sleep
broken rcu rcu
broken free_timer free_timer
broken dma dma

case_begin fine_leak_is_told_at_the_end
echo leak >$now
case_end

broken circular circular
