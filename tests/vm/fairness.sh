#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The application and the kernel both send as much as the port takes, for 5 s: each gets at least 30 % of the frames.
. /lab/vm.sh

case_begin both_saturated
create_ndd0
start_app flooding ./flood ndd0 $FAR_MAC
# one sender, as there are two CPUs: what is measured is the share of the port, not of the CPUs
./frames ndd0 $FAR_MAC 0x9999 60 10000000 &
sender=$!
sleep 1
app_before=$(stat_of nic_app_tx_frames) kernel_before=$(stat_of ktx_frames) wakeups=$(stat_of ktx_wakeups) start=$(now_us)
sleep 5
app_after=$(stat_of nic_app_tx_frames) kernel_after=$(stat_of ktx_frames) end=$(now_us)
step "kernel's queue was full and woken $(($(stat_of ktx_wakeups) - wakeups)) times, backup thread served $(stat_of nic_backup_services)"
kill $sender
of_app=$((app_after - app_before)) of_kernel=$((kernel_after - kernel_before))
step "in $(((end - start) / 1000)) ms: application $of_app frames, kernel $of_kernel:" \
	"$((of_app * 100 / (of_app + of_kernel))) % and $((of_kernel * 100 / (of_app + of_kernel))) %"
check [ $((of_app * 100)) -ge $(((of_app + of_kernel) * 30)) ]
check [ $((of_kernel * 100)) -ge $(((of_app + of_kernel) * 30)) ]
kill -TERM $app
back
cat $APP_OUT
case_end
